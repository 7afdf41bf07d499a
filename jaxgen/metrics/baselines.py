"""What a model without latent variables reaches: each dimension on its own, fitted in closed form."""

import numpy as np


def factorised_bernoulli(train: np.ndarray, test: np.ndarray) -> float:
    """Return mean log p of the test set in nats: a probability a pixel, the mean of the training set's.

    train: [N, ...] in [0, 1], expected or drawn binary pixels. test: [M, ...] of zeros and ones.
    """
    p = (train.reshape(len(train), -1).sum(0, dtype=np.float64) + 0.5) / (len(train) + 1.0)
    x = test.reshape(len(test), -1).astype(np.float64)
    return float((x @ np.log(p) + (1.0 - x) @ np.log1p(-p)).mean())


def factorised_gaussian(train: np.ndarray, test: np.ndarray) -> float:
    """Return mean log p of the test set in nats: a mean and a variance a dimension, the training set's.

    train: [N, ...], test: [M, ...], real-valued.
    """
    fit, x = (part.reshape(len(part), -1).astype(np.float64) for part in (train, test))
    mean, variance = fit.mean(0), fit.var(0) + 1e-12
    return float(-0.5 * (np.log(2 * np.pi * variance) + (x - mean) ** 2 / variance).sum(1).mean())
