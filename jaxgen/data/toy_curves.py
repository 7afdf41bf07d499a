"""Two-armed curves with Gaussian noise: the sampler, and the density by quadrature.

With the place s along an arm drawn from the density w(s) on [0, 1], the density of a noisy point is

    p(x) = 1/2 sum_arm  int_0^1 w(s) N(x; c_arm(s), sigma^2 I) ds.

The integrand is smooth, so Gauss-Legendre quadrature converges geometrically once its nodes lie closer than
sigma along the curve; with the numbers of nodes used here the error is below float32's own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

Array = jax.Array


class Curve(NamedTuple):
    """Two arms and how their points are spread.

    Attributes:
      arms: s ``[N]`` in [0, 1] to the points of both arms, ``[2, N, 2]``.
      place: the inverse distribution function of s, from uniform draws ``[N]`` to s.
      weight: the density w of s, ``[N]`` to ``[N]``.
    """

    arms: Callable[[Array], Array]
    place: Callable[[Array], Array]
    weight: Callable[[Array], Array]


def _moons(s: Array) -> Array:
    t = np.pi * s
    upper = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1)
    lower = jnp.stack([1 - jnp.cos(t), 0.5 - jnp.sin(t)], axis=-1)
    return jnp.stack([upper, lower])


def _spirals(s: Array) -> Array:
    t = 3 * np.pi * s
    arm = jnp.stack([-jnp.cos(t), jnp.sin(t)], axis=-1) * t[:, None] / 3
    return jnp.stack([arm, -arm])


# Two interleaving half circles of radius one, evenly filled, as scikit-learn's make_moons.
MOONS = Curve(_moons, place=lambda u: u, weight=jnp.ones_like)
# Two Archimedean arms of one and a half turns, radius pi s, after FFJORD (Grathwohl et al. 2019); w(s) = 2 s
# fills them about evenly along their length, as there.
SPIRALS = Curve(_spirals, place=jnp.sqrt, weight=lambda s: 2 * s)


def sample_curve(curve: Curve, sigma: float, key: Array, n: int) -> Array:
    """Draws ``[n, 2]`` float32: an arm, a place on it, and noise."""
    key_arm, key_place, key_noise = jax.random.split(key, 3)
    u = jax.random.uniform(key_place, (n,), jnp.float32)
    arms = curve.arms(curve.place(u))
    arm = jax.random.bernoulli(key_arm, 0.5, (n, 1))
    return jnp.where(arm, arms[0], arms[1]) + sigma * jax.random.normal(key_noise, (n, 2), jnp.float32)


def curve_log_density(curve: Curve, sigma: float, nodes: int, x: Array) -> Array:
    """The log of the integral above, ``[N, 2] -> [N]``, in nats."""
    chex.assert_shape(x, (None, 2))
    s, quadrature = _nodes(nodes)
    points = curve.arms(s).reshape(-1, 2)
    log_weight = jnp.tile(jnp.log(curve.weight(s) * quadrature), 2)
    square = jnp.sum((x[:, None, :] - points[None]) ** 2, axis=-1) / sigma**2
    return logsumexp(log_weight[None] - square / 2, axis=1) - np.log(2 * 2 * np.pi * sigma**2)


@lru_cache
def _nodes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    s, weight = np.polynomial.legendre.leggauss(n)
    return ((s + 1) / 2).astype(np.float32), (weight / 2).astype(np.float32)
