"""Points of a latent space to look at: interpolations and the unfolded plane of a two-dimensional one."""

import numpy as np


def interpolate(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Return [N, steps, D]: straight lines from each of a [N, D] to each of b [N, D], ends included."""
    t = np.linspace(0.0, 1.0, steps, dtype=a.dtype)[None, :, None]
    return (1 - t) * a[:, None] + t * b[:, None]


def traverse(code: np.ndarray, latents: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return [R, V, D]: a code [D] in which one latent after the other, of `latents` [R], takes each of its values.

    values: [V], or [R, V] of each latent its own. Raises ValueError for a latent that the code does not have, or values
    of another shape.
    """
    code, latents = np.asarray(code), np.asarray(latents, int)
    if code.ndim != 1 or not np.isin(latents, np.arange(len(code))).all():
        raise ValueError(f"traverse: expected latents of a code [D], got {latents.tolist()} of shape {code.shape}")
    if (values := np.asarray(values)).ndim not in (1, 2) or (values.ndim == 2 and len(values) != len(latents)):
        raise ValueError(f"traverse: expected values [V] or [{len(latents)}, V], got shape {values.shape}")
    values = np.broadcast_to(values, (len(latents), values.shape[-1]))
    swept = np.tile(code, (*values.shape, 1))
    for row, latent in enumerate(latents):
        swept[row, :, latent] = values[row]
    return swept


def interpolate_spherically(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Return [N, steps, D]: along great circles from a [N, D] to b [N, D], lengths changing evenly (White 2016).

    A straight line between two draws of N(0, 1)^D passes nearer the origin than draws ever lie; this does not.
    """
    t = np.linspace(0.0, 1.0, steps, dtype=a.dtype)[None, :, None]
    lengths = [np.linalg.norm(ends, axis=-1, keepdims=True)[:, None] for ends in (a, b)]
    starts, stops = (ends[:, None] / np.maximum(length, 1e-12) for ends, length in zip((a, b), lengths, strict=True))
    angle = np.arccos(np.clip((starts * stops).sum(-1, keepdims=True), -1.0, 1.0))
    parallel = np.sin(angle) < 1e-4
    sine = np.where(parallel, 1.0, np.sin(angle))
    near, far = (np.where(parallel, s, np.sin(s * angle) / sine) for s in (1 - t, t))
    return (near * starts + far * stops) * ((1 - t) * lengths[0] + t * lengths[1])


def normal_plane(side: int) -> np.ndarray:
    """Return [side * side, 2]: the grid of equally probable steps through N(0, 1)^2, row by row from the top."""
    from scipy.stats import norm

    line = norm.ppf((np.arange(side) + 0.5) / side).astype(np.float32)
    return np.stack([np.tile(line, side), np.repeat(-line, side)], axis=-1)
