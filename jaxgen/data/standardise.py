"""Rows of numbers with mean 0 and deviation 1 a column, by the statistics of the training part alone.

A data set stays raw; a compiled step standardises its own batch. With z = (x - mean) / deviation, densities are
carried over by log p(x) = log p(z) + `log_det`. The field reports log p(z) of its tables: as the nats depend on the
units, say which were taken.
"""

from typing import NamedTuple

import chex
import jax
import numpy as np

Array = jax.Array


class Standard(NamedTuple):
    """mean and deviation (the root of the mean square, not the sample estimate) of each column, float32 [D]."""

    mean: np.ndarray
    deviation: np.ndarray

    @property
    def log_det(self) -> float:
        """log|dz/dx| of one row in nats, the same for all: minus the sum of the log deviations."""
        return -float(np.log(self.deviation.astype(np.float64)).sum())


def standard_of(train: np.ndarray) -> Standard:
    """Returns the statistics of rows [N, D], taken in float64: give it ``data.train["x"]`` and nothing else.

    Raises:
      ValueError: for another shape, values that are not finite, or columns that do not vary.
    """
    x = np.asarray(train, np.float64)
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise ValueError(f"standardise: expected finite rows [N, D], got {np.asarray(train).dtype} of shape {x.shape}")
    # Extremes, for the deviation of a column of equal numbers need not come out as 0.
    constant = 1 + np.flatnonzero(x.min(0) == x.max(0))
    if len(constant):
        raise ValueError(
            f"standardise: expected columns that vary in training, got constant ones, {constant.tolist()} of "
            f"{x.shape[1]} counted from 1: drop them"
        )
    return Standard(x.mean(0).astype(np.float32), x.std(0).astype(np.float32))


def standardise(x: Array, standard: Standard) -> Array:
    """Returns z = (x - mean) / deviation of rows [B, D]. Pure and jittable."""
    chex.assert_shape(x, (None, len(standard.mean)))
    return (x - standard.mean[None]) / standard.deviation[None]


def unstandardise(z: Array, standard: Standard) -> Array:
    """Returns x = mean + deviation z of rows [B, D]. Pure and jittable."""
    chex.assert_shape(z, (None, len(standard.mean)))
    return standard.mean[None] + standard.deviation[None] * z
