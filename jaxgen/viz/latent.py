"""Points of a latent space to look at: interpolations and the unfolded plane of a two-dimensional one."""

import numpy as np


def interpolate(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Return [N, steps, D]: straight lines from each of a [N, D] to each of b [N, D], ends included."""
    t = np.linspace(0.0, 1.0, steps, dtype=a.dtype)[None, :, None]
    return (1 - t) * a[:, None] + t * b[:, None]


def normal_plane(side: int) -> np.ndarray:
    """Return [side * side, 2]: the grid of equally probable steps through N(0, 1)^2, row by row from the top."""
    from scipy.stats import norm

    line = norm.ppf((np.arange(side) + 0.5) / side).astype(np.float32)
    return np.stack([np.tile(line, side), np.repeat(-line, side)], axis=-1)
