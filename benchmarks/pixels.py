"""Data that both sides of a comparison are given: fixed by a seed, made by numpy alone."""

from collections.abc import Sequence

import numpy as np


def binary_images(examples: int, shape: Sequence[int]) -> np.ndarray:
    """Return images [examples, *shape] of fair coin flips, float32 in {0, 1}; the same at every call."""
    return np.random.default_rng(0).integers(0, 2, (examples, *shape), np.uint8).astype(np.float32)


def colour_images(examples: int, shape: Sequence[int]) -> np.ndarray:
    """Return images [examples, *shape] of uniform noise, float32 in [-1, 1); the same at every call."""
    return np.random.default_rng(0).random((examples, *shape), np.float32) * 2 - 1


def rows(examples: int, columns: int) -> np.ndarray:
    """Return rows [examples, columns], standard normal, float32; the same at every call."""
    return np.random.default_rng(0).standard_normal((examples, columns), np.float32)


def points(examples: int) -> np.ndarray:
    """Return points of the plane [examples, 2], standard normal, float32; the same at every call."""
    return rows(examples, 2)


def orders(examples: int, steps: int, batch_size: int) -> np.ndarray:
    """Return which examples each step sees, [steps, batch_size] int32; the same at every call."""
    return np.random.default_rng(1).integers(0, examples, (steps, batch_size), np.int32)
