"""Kernel distance between sets of features, unbiased of few samples."""

from typing import NamedTuple

import numpy as np

from jaxgen.metrics.features import checked_pair


class KID(NamedTuple):
    """distance and its standard error over `splits`, of `samples` from `reference` real examples."""

    distance: float
    error: float
    samples: int
    reference: int
    splits: int


def kernel_distance(generated: np.ndarray, real: np.ndarray, *, seed: int, splits: int = 10) -> KID:
    """Return the KID (Binkowski et al. 2018): squared maximum mean discrepancy under `polynomial_kernel`.

    Both sets are shuffled and cut into as many disjoint blocks as there are splits, sizes differing by one at most; the
    distance is the mean of `squared_mmd` over pairs of blocks. Blocks share no example, so that their estimates are
    independent and deviation / sqrt(splits) is a standard error; the paper's overlapping subsets of 1000 have the
    same expectation but no such error. The expectation is 0 for equal distributions: estimates may be negative.

    generated: [N, F]. real: [M, F]. seed: of the shuffling. splits: at least 2, each of 2 examples or more. Raises
    ValueError for other shapes or numbers, or features that are not finite.
    """
    generated, real = checked_pair("kernel_distance", generated, real)
    fewest = min(len(generated), len(real))
    if not 2 <= splits <= fewest // 2:
        raise ValueError(f"kernel_distance: expected 2 to {fewest // 2} splits of {fewest} examples, got {splits}")
    random = np.random.default_rng(seed)
    blocks = (np.array_split(random.permutation(x), splits) for x in (generated, real))
    found = np.array([squared_mmd(x, y) for x, y in zip(*blocks, strict=True)])
    error = found.std(ddof=1) / np.sqrt(splits)
    return KID(float(found.mean()), float(error), len(generated), len(real), splits)


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased MMD^2 of x [N, F] and y [M, F] (Gretton et al. 2012, equation 3), N, M >= 2.

    No example is compared with itself. Raises ValueError for other shapes, or features that are not finite.
    """
    x, y = checked_pair("squared_mmd", x, y)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"squared_mmd: expected at least 2 examples of each, got {len(x)} and {len(y)}")

    def within(x: np.ndarray) -> float:
        kernel = polynomial_kernel(x, x)
        return (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))

    return float(within(x) + within(y) - 2 * polynomial_kernel(x, y).mean())


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (x . y / F + 1)^3 [N, M] of x [N, F] and y [M, F]: it sees the first three moments."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3
