"""Perceptual path length: how fast an image changes along a path between two latents."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxgen.metrics.batched import over

Path = Literal["lerp", "slerp"]


class PathLength(NamedTuple):
    """mean squared speed, in squared units of the features a unit of t, its standard error, of `samples` paths."""

    mean: float
    error: float
    samples: int
    epsilon: float
    path: str


def path_length(
    generate: Callable[[Any], Any],
    features: Callable[[Any], Any],
    start: np.ndarray,
    end: np.ndarray,
    t: np.ndarray,
    *,
    path: Path = "lerp",
    epsilon: float = 1e-4,
    batch_size: int = 100,
) -> PathLength:
    """Return the mean of |f(G(z(t + epsilon))) - f(G(z(t)))|^2 / epsilon^2 (Karras et al. 2019, section 4.1).

    z(t) is the straight line or the great arc from start to end, see `interpolate`: lerp for codes of a learnt
    distribution, slerp for Gaussian ones. All paths count; the authors' code leaves out the shortest and the longest
    hundredth. In float32 an epsilon of 1e-4 keeps about three digits of the difference: take 1e-3 or more for features
    that are not smooth to seven.

    generate: latents [B, Z] -> images [B, ...]. features: those -> [B, ...]. Both are called as they are: compile them
    before. start, end: [N, Z], N >= 2, draws of the latent. t: [N], uniform draws in [0, 1]. Raises ValueError for
    shapes that do not fit, t outside [0, 1], an epsilon that is not positive, or as `interpolate`.
    """
    start, end, t = (np.asarray(x, np.float64) for x in (start, end, t))
    if start.ndim != 2 or start.shape != end.shape or t.shape != (len(start),) or len(start) < 2:
        raise ValueError(
            f"path_length: expected start and end [N, Z] and t [N], N >= 2, got {start.shape}, {end.shape}, {t.shape}"
        )
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError(f"path_length: expected t in [0, 1], got {t.min()} to {t.max()}")
    if not 0 < epsilon < 1:
        raise ValueError(f"path_length: expected an epsilon in (0, 1), got {epsilon}")
    part = {"here": interpolate(start, end, t, path=path), "there": interpolate(start, end, t + epsilon, path=path)}

    def square(key: jax.Array, batch: Mapping[str, Any]) -> np.ndarray:
        here, there = (np.asarray(features(generate(batch[name])), np.float64) for name in ("here", "there"))
        return ((there - here) ** 2).reshape(len(here), -1).sum(1)

    speed = over(square, jax.random.key(0), part, batch_size=batch_size) / epsilon**2
    error = speed.std(ddof=1) / np.sqrt(len(speed))
    return PathLength(float(speed.mean()), float(error), len(speed), epsilon, path)


def interpolate(start: np.ndarray, end: np.ndarray, t: np.ndarray, *, path: Path) -> np.ndarray:
    """Return the points [N, Z] at t [N] of the paths from start to end [N, Z], in float64.

    lerp: (1 - t) start + t end. slerp: (sin((1 - t) a) start + sin(t a) end) / sin a, where a is the angle between
    them (White 2016): on the sphere for equal lengths; its limit for parallel latents is lerp. Raises ValueError for
    another path, and for slerp of opposite latents or ones of no length, between which there is no great arc.
    """
    if path not in ("lerp", "slerp"):
        raise ValueError(f"interpolate: expected the path lerp or slerp, got {path!r}")
    start, end, t = np.asarray(start, np.float64), np.asarray(end, np.float64), np.asarray(t, np.float64)[:, None]
    if path == "lerp":
        return (1 - t) * start + t * end
    lengths = [np.linalg.norm(z, axis=1, keepdims=True) for z in (start, end)]
    if not min(length.min() for length in lengths) > 0:
        raise ValueError("interpolate: slerp needs latents with a length above 0, got one without")
    u, v = (z / length for z, length in zip((start, end), lengths, strict=True))
    # The sine and cosine of half the angle: exact near 0 and pi, where an arc cosine is not.
    angle = 2 * np.arctan2(np.linalg.norm(u - v, axis=1, keepdims=True), np.linalg.norm(u + v, axis=1, keepdims=True))
    if (angle > np.pi - 1e-6).any():
        raise ValueError("interpolate: slerp has no single great arc between opposite latents, got such a pair")
    near = angle < 1e-6  # the error of lerp there is below angle^2
    safe = np.where(near, 1.0, angle)
    first = np.where(near, 1 - t, np.sin((1 - t) * safe) / np.sin(safe))
    last = np.where(near, t, np.sin(t * safe) / np.sin(safe))
    return first * start + last * end
