"""Errors of imputed images, and what fills them in without a model: the mean, and the nearest neighbour."""

import numpy as np

HELD = 20_000_000  # distances that are held in memory at once


def hidden_error(x: np.ndarray, filled: np.ndarray, observed: np.ndarray) -> float:
    """Return the mean squared error of all hidden numbers, in the squared units of x.

    x, filled: [N, H, W, C]. observed: [N, H, W, 1], true where seen. Raises ValueError where nothing is hidden.
    """
    hidden = np.broadcast_to(~np.asarray(observed, bool), np.shape(x))
    if not hidden.any():
        raise ValueError("hidden_error: expected hidden pixels, got none")
    return float(((np.asarray(x, np.float64) - filled)[hidden] ** 2).mean())


def mean_fill(train: np.ndarray, x: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return x [N, H, W, C] with the mean of train [M, H, W, C] at every hidden pixel. observed: [N, H, W, 1]."""
    return np.where(observed, x, np.asarray(train).mean(0)[None])


def nearest_fill(train: np.ndarray, x: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return x [N, H, W, C] with the hidden pixels of the training image that is nearest in the observed ones.

    train: [M, H, W, C], complete. observed: [N, H, W, 1]. The squared distances of all pairs are matrix products,
    sum m x^2 - 2 (m x) t + m t^2 over pixels, for one mask m an image.
    """
    shape = np.shape(x)
    train, x = (np.asarray(array, np.float32).reshape(len(array), -1) for array in (train, x))
    observed = np.broadcast_to(observed, shape).reshape(len(x), -1)
    middle = train.mean(0)  # differences of squares lose fewer digits about the middle
    centred, squares = train - middle, (train - middle) ** 2
    filled, step = np.empty_like(x), max(1, HELD // len(train))
    for first in range(0, len(x), step):
        rows, seen = x[first : first + step], observed[first : first + step]
        # sum m x^2 is the same for all training images.
        distance = seen.astype(np.float32) @ squares.T - 2 * np.where(seen, rows - middle, 0) @ centred.T
        filled[first : first + step] = np.where(seen, rows, train[distance.argmin(1)])
    return filled.reshape(shape)
