"""What a model without latent variables reaches: each dimension on its own, fitted in closed form."""

from collections.abc import Callable

import numpy as np


def factorised_bernoulli(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, ...] of zeros and ones -> log p(x) [M] in nats: a probability a pixel, fitted to train [N, ...]."""
    p = (_flat(train).sum(0) + 0.5) / (len(train) + 1.0)
    return lambda x: _flat(x) @ np.log(p) + (1.0 - _flat(x)) @ np.log1p(-p)


def factorised_gaussian(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, ...] -> log p(x) [M] in nats: a mean and a variance a dimension, fitted to train [N, ...]."""
    mean, variance = _flat(train).mean(0), _flat(train).var(0) + 1e-12
    return lambda x: -0.5 * (np.log(2 * np.pi * variance) + (_flat(x) - mean) ** 2 / variance).sum(1)


def factorised_categorical(train: np.ndarray, *, levels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, ...] -> log p(x) [M] in nats: a probability an intensity and a pixel, fitted to train [N, ...].

    Intensities are scaled, k / (levels - 1); each counts once more than it was seen, for none is impossible.
    """

    def cells(x):  # which (dimension, intensity) each number is
        kinds = np.rint(_flat(x) * (levels - 1)).astype(np.int64)
        return kinds + levels * np.arange(kinds.shape[1])

    here = cells(train)
    counts = np.bincount(here.ravel(), minlength=levels * here.shape[1]) + 1.0
    log_p = np.log(counts / (len(here) + levels))
    return lambda x: log_p[cells(x)].sum(1)


def _flat(x: np.ndarray) -> np.ndarray:
    return np.asarray(x, np.float64).reshape(len(x), -1)
