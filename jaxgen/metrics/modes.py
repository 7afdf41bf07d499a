"""Which modes of a known mixture a generator reaches, and how evenly: 2-D mixtures and labelled modes."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

WITHIN = 3.0  # deviations from the nearest centre, below which a sample is of high quality


class MixtureModes(NamedTuple):
    """covered of the `modes`; high_quality: fraction of the `samples`; reverse_kl in nats; counts [M]: of each mode."""

    covered: int
    modes: int
    high_quality: float
    reverse_kl: float
    counts: np.ndarray
    samples: int


class LabelModes(NamedTuple):
    """covered of the `modes`, and reverse_kl in nats, of so many `samples`."""

    covered: int
    modes: int
    reverse_kl: float
    samples: int


def mixture_modes(
    samples: np.ndarray, centres: np.ndarray, sigma: float, *, weights: np.ndarray | None = None
) -> MixtureModes:
    """Return coverage, quality and balance of samples [N, D] of a mixture of round Gaussians at centres [M, D].

    The protocol of PacGAN (Lin et al. 2018). A sample is of high quality where it lies less than 3 sigma
    from its nearest centre, and is counted for that mode; all others, not finite ones among them, are counted for
    none. A mode is covered by one sample of high quality. The reverse KL is KL(counts / their sum || weights): like
    the authors' published code it sees high-quality samples alone, so that quality and balance are told apart.
    It is NaN where there is no such sample, and log M at worst for equal weights.

    Exact samples score 1 - exp(-9 / 2) = 98.9 % in the plane, and about (M - 1) / 2N nats. sigma: in the units of the
    samples. weights: [M], positive, of the mixture, equal unless given; they are scaled to sum to one. Raises
    ValueError for shapes that do not fit, no samples, sigma or a weight that is not positive.
    """
    samples, centres = np.asarray(samples, np.float64), np.asarray(centres, np.float64)
    if (
        samples.ndim != 2
        or centres.ndim != 2
        or samples.shape[1:] != centres.shape[1:]
        or 0 in samples.shape + centres.shape
    ):
        raise ValueError(
            f"mixture_modes: expected samples [N, D] and centres [M, D], got {samples.shape} and {centres.shape}"
        )
    if not sigma > 0:
        raise ValueError(f"mixture_modes: expected a positive sigma, got {sigma}")
    weights = _weights("mixture_modes", weights, len(centres))
    counts = np.zeros(len(centres), np.int64)
    for rows in np.array_split(samples, -(-len(samples) // 10_000)):
        distance = cdist(rows, centres)
        good = distance.min(1) < WITHIN * sigma
        counts += np.bincount(distance[good].argmin(1), minlength=len(centres))
    return MixtureModes(
        covered=int((counts > 0).sum()),
        modes=len(centres),
        high_quality=float(counts.sum() / len(samples)),
        reverse_kl=_kl(counts, weights),
        counts=counts,
        samples=len(samples),
    )


def label_modes(labels: np.ndarray, number: int, *, weights: np.ndarray | None = None) -> LabelModes:
    """Return how many of the classes 0, ..., number - 1 are among labels [N], and KL(their fractions || weights).

    The stacked MNIST protocol (Srivastava et al. 2017, "VEEGAN"; Lin et al. 2018): labels are a classifier's, see
    `stacked_labels`, of 26,000 samples, and number is 1000. Exact samples score about (number - 1) / 2N nats: 0.02.
    weights: [number], positive, of the data's classes, equal unless given. Raises ValueError for no labels, labels that
    are not integers from 0 to number - 1, or weights that do not fit.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"label_modes: expected integer labels [N], got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= number:
        raise ValueError(f"label_modes: expected labels from 0 to {number - 1}, got {labels.min()} to {labels.max()}")
    weights = _weights("label_modes", weights, number)
    counts = np.bincount(labels, minlength=number)
    return LabelModes(int((counts > 0).sum()), number, _kl(counts, weights), len(labels))


def stacked_labels(labels: np.ndarray, *, classes: int = 10) -> np.ndarray:
    """Return one label [N] below classes^C for the labels [N, C] of C channels: their digits, the first one highest.

    Raises ValueError for another shape or labels outside 0, ..., classes - 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"stacked_labels: expected integer labels [N, C], got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"stacked_labels: expected labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.int64) @ classes ** np.arange(labels.shape[1])[::-1]


def _weights(name: str, weights: np.ndarray | None, number: int) -> np.ndarray:
    weights = np.ones(number) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (number,) or not (weights > 0).all() or not np.isfinite(weights).all():
        raise ValueError(f"{name}: expected {number} positive weights, got {weights}")
    return weights / weights.sum()


def _kl(counts: np.ndarray, weights: np.ndarray) -> float:
    """Return KL(counts / their sum || weights) in nats, NaN for no counts."""
    if not counts.any():
        return float("nan")
    seen = counts > 0
    p = counts[seen] / counts.sum()
    return float((p * np.log(p / weights[seen])).sum())
