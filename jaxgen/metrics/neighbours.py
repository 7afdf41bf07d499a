"""Fidelity and variety told apart, by nearest neighbours: precision, recall, density and coverage."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from jaxgen.metrics.features import checked_pair

HELD = 20_000_000  # distances that are held in memory at once


class Neighbours(NamedTuple):
    """precision, recall and coverage in [0, 1], density from 0 on, of `samples` and `reference` real examples."""

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    samples: int
    reference: int


def neighbours(generated: np.ndarray, real: np.ndarray, *, k: int = 5, held: int = HELD) -> Neighbours:
    """Return improved precision and recall, density and coverage, from balls that reach the k-th nearest other.

    Each example has a ball, up to and including its k-th nearest neighbour of its own set, itself not counted.

    - precision: fraction of generated examples in the ball of at least one real example; recall: the reverse
      (Kynkaanniemi et al. 2019, equation 2; k = 3 there).
    - density: real balls a generated example is in, the mean over generated examples divided by k. coverage: fraction
      of real balls with at least one generated example (Naeem et al. 2020, section 3; k = 5 there).

    All four depend on the numbers of examples: state them, and use equal ones. Of samples of the real distribution
    the expected density is 1, and the expected coverage 1 - (M-1)...(M-k) / (M+N-1)...(M+N-k), 0.97 for many of each.

    generated: [N, F]. real: [M, F]. Distances are exact in float64, so that equal examples are equal; 10,000 of each in
    128 features take some 20 s on one core. held: distances in memory at once. Raises ValueError for other shapes,
    features that are not finite, or a k that is not from 1 to min(N, M) - 1.
    """
    generated, real = checked_pair("neighbours", generated, real)
    fewest = min(len(generated), len(real))
    if not 1 <= k < fewest:
        raise ValueError(f"neighbours: expected k from 1 to {fewest - 1} for {fewest} examples, got {k}")
    real_radius, generated_radius = (_radius(x, k, held) for x in (real, generated))
    inside, near_real = 0, 0  # pairs within real balls, and generated examples within any
    covered, recalled = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distance in _distances(generated, real, held):
        within = distance <= real_radius[None]
        inside += int(within.sum())
        near_real += int(within.any(1).sum())
        covered |= within.any(0)
        recalled |= (distance <= generated_radius[rows, None]).any(0)
    return Neighbours(
        precision=near_real / len(generated),
        recall=float(recalled.mean()),
        density=inside / (k * len(generated)),
        coverage=float(covered.mean()),
        k=k,
        samples=len(generated),
        reference=len(real),
    )


def _radius(x: np.ndarray, k: int, held: int) -> np.ndarray:
    """Return the squared distance [N] of each example's k-th nearest other: the nearest of all is itself, at 0."""
    return np.concatenate([np.partition(distance, k, axis=1)[:, k] for _, distance in _distances(x, x, held)])


def _distances(x: np.ndarray, y: np.ndarray, held: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield rows of x and their squared distances to all of y, by differences: a matrix product loses equal ones."""
    step = max(1, held // len(y))
    for first in range(0, len(x), step):
        rows = slice(first, first + step)
        yield rows, cdist(x[rows], y, "sqeuclidean")
