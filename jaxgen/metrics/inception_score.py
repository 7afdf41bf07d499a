"""Inception score: how sure a classifier is of each sample, and how many classes it sees in all of them."""

from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

ROUNDING = 1e-3  # by which probabilities may miss a sum of one


class InceptionScore(NamedTuple):
    """mean score and its deviation over `splits` of the `samples`, from 1 to the number of `classes`."""

    mean: float
    deviation: float
    samples: int
    splits: int
    classes: int


def inception_score(probabilities: np.ndarray, *, splits: int = 10) -> InceptionScore:
    """Return exp of the mean over samples of KL(p(y|x) || p(y)) (Salimans et al. 2016, section 4).

    p(y) is the mean of p(y|x) over the samples of a split, so that the score depends on its size; the result is the
    mean over splits. A split takes every splits-th sample: samples in the order of their classes do no harm.

    probabilities: [N, C], a classifier's p(y|x); rows are scaled to sum to one. Raises ValueError for other shapes,
    rows that are no probabilities (such as logits), or more splits than samples.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"inception_score: expected probabilities [N, C], got {p.shape}")
    if not 1 <= splits <= len(p):
        raise ValueError(f"inception_score: expected 1 to {len(p)} splits of {len(p)} samples, got {splits}")
    sums = p.sum(1, keepdims=True)
    if not ((p >= 0).all() and (abs(sums - 1) <= ROUNDING).all()):
        raise ValueError(
            f"inception_score: expected rows of probabilities, got values from {p.min():.3g} to {p.max():.3g} "
            f"with sums from {sums.min():.3g} to {sums.max():.3g}"
        )
    p = p / sums
    parts = [p[first::splits] for first in range(splits)]
    scores = np.array([np.exp(rel_entr(part, part.mean(0, keepdims=True)).sum(1).mean()) for part in parts])
    return InceptionScore(float(scores.mean()), float(scores.std()), len(p), splits, p.shape[1])
