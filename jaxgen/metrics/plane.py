"""Densities over the plane, where what is exact can be had: the integral, and the entropy of a known distribution."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LogDensity = Callable[[jax.Array], jax.Array]


class Integral(NamedTuple):
    """value of the integral over the box; error: estimated, absolute; points a side; spacing (x, y) of the grid."""

    value: float
    error: float
    points: int
    spacing: tuple[float, float]


class Entropy(NamedTuple):
    """value in nats and its standard error, of so many samples."""

    value: float
    error: float
    samples: int


def integral(
    log_density: LogDensity, box: tuple[float, float, float, float], *, points: int = 1024, batch_size: int = 2**16
) -> Integral:
    """Return the integral of a density over a box, by the midpoint rule on a grid of points x points.

    For smooth densities that rule converges faster than any power: a Gaussian of deviation s is within 1e-8 at a
    spacing of s, and within 3 % at twice that. With 1024 points, a box of side 4 resolves deviations from 0.004 on: the
    ring of 8 modes of deviation 0.01 among them. What is narrower than the spacing may be missed without a trace: give
    the points that your narrowest mode needs. At an edge, such as a checkerboard's, the rule is off by the spacing at
    worst, times the density and the length of the edge.

    The error is the largest distance of the four interleaved grids of half the points a side from the whole. Each
    lands elsewhere, so this is what a spacing twice as wide would cost: far more than the error of a smooth density,
    and about that of a rough one. A density with mass outside the box has less than one inside.

    Args:
      log_density: points [N, 2] -> nats [N], compiled once for batches of one size.
      box: (left, right, bottom, top).
      points: a side of the grid, even: log_density is taken points^2 times.
      batch_size: points at once.

    Returns:
      the `Integral`; NaN or infinite where the density is, at any point.

    Raises:
      ValueError: for a box out of order, or points that are odd or fewer than 2.
    """
    left, right, bottom, top = (float(edge) for edge in box)
    if not (left < right and bottom < top):
        raise ValueError(f"integral: expected a box (left, right, bottom, top) in order, got {tuple(box)}")
    if points < 2 or points % 2:
        raise ValueError(f"integral: expected an even number of points a side, at least 2, got {points}")
    step_x, step_y = (right - left) / points, (top - bottom) / points
    x, y = (low + step * (np.arange(points) + 0.5) for low, step in ((left, step_x), (bottom, step_y)))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    values = np.concatenate(list(_values(log_density, grid, batch_size)))
    p = np.exp(values.astype(np.float64)).reshape(points // 2, 2, points // 2, 2)
    interleaved = p.mean((0, 2)) * (right - left) * (top - bottom)  # [2, 2], one a grid of half the points a side
    value = interleaved.mean()
    return Integral(float(value), float(abs(interleaved - value).max()), points, (step_x, step_y))


def entropy(
    sample: Callable[[jax.Array, int], jax.Array],
    log_density: LogDensity,
    key: jax.Array,
    *,
    samples: int = 2**20,
    batch_size: int = 2**14,
) -> Entropy:
    """Return the entropy of a distribution, the mean of -log p over its own samples, exact but for its standard error.

    The best mean negative log-likelihood that a model can have on it; what a model has more is its KL divergence. A
    million samples leave about 0.001 nats. sample: (key, n) -> [n, 2], n static. log_density: [N, 2] -> [N] in nats.
    samples: rounded up to whole batches. Raises ValueError for fewer than two samples, or an empty batch.
    """
    if samples < 2 or batch_size < 1:
        raise ValueError(f"entropy: expected 2 samples and batches of 1 at least, got {samples} and {batch_size}")
    batch_size = min(batch_size, samples)
    count = -(-samples // batch_size)
    one = jax.jit(lambda key: -log_density(sample(key, batch_size)))
    values = np.stack([np.asarray(one(jax.random.fold_in(key, k)), np.float64) for k in range(count)])
    return Entropy(float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)), values.size)


def _values(log_density: LogDensity, grid: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yield log_density of the grid [M, 2], batch by batch, the last one filled up."""
    one = jax.jit(log_density)
    for start in range(0, len(grid), batch_size):
        rows = grid[start : start + batch_size]
        full = np.resize(rows, (min(batch_size, len(grid)), 2))
        values = np.asarray(one(jnp.asarray(full)))
        if values.shape != full.shape[:1]:
            raise ValueError(f"integral: expected log_density to return [{len(full)}], got shape {values.shape}")
        yield values[: len(rows)]
