"""Peak signal-to-noise ratio of repaired images."""

import numpy as np


def psnr(x: np.ndarray, y: np.ndarray, *, peak: float = 1.0) -> float:
    """Return 10 log10(peak^2 / mean (x - y)^2) in dB, the mean over all images; infinite where they are equal.

    x, y: [N, ...] of values up to `peak`. The mean of squares is taken before the logarithm: an image that
    happens to be perfect would else outweigh all others. Raises ValueError for shapes that differ.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape:
        raise ValueError(f"psnr: expected two arrays of one shape, got {x.shape} and {y.shape}")
    error = np.mean((x - y) ** 2)
    return float(10 * np.log10(peak**2 / error)) if error > 0 else float("inf")
