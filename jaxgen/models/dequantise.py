"""Densities for integers: noise that spreads each over its cell, and the bound of its log-probability.

Integers x in 0 ... L - 1, in D dimensions, become y = (x + u) / L in (0, 1)^D, with u in (0, 1)^D. A density p of y
gives each x the probability P(x) of its cell, and these sum to one. For any density q(y|x) on the cell

    log P(x) = log int p(y) dy >= E_q[log p(y) - log q(y|x)],

with equality where q(y|x) = p(y) / P(x) (Ho et al. 2019, "Flow++", section 3.1). Uniform noise has q(y|x) = L^D (Theis
et al. 2016, section 3.1): the D log L of the scaling is in log q, and in no other place.

A dequantiser is a function (key, x) -> (y, log q(y|x) [B] in nats): `uniform` with its levels, or a `Noise` with its
parameters, ``partial(noise.apply, params)``.
"""

import math
from collections.abc import Callable

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, per_example
from jaxgen.bijectors.logit import logit, logit_inverse
from jaxgen.losses.bounds import importance_weighted
from jaxgen.models.flow import LOGISTIC

Dequantiser = Callable[[Array, Array], tuple[Array, Array]]
LogDensity = Callable[[Array], Array]

CELLS = 2**14  # u is at least half a cell from 0 and 1, so that float32 never rounds y into the next integer


def uniform(key: Array, x: Array, *, levels: int) -> tuple[Array, Array]:
    """Return y = (x + u) / levels in (0, 1) [B, ...] float32, u uniform, and log q(y|x) = D log(levels) [B].

    x: integers [B, ...] in 0 ... levels - 1. floor(levels * y) is x again. Raises ValueError for x that are no
    integers, or levels outside 2 ... 256.
    """
    _check(x, levels)
    # Midpoints of cells, which float32 holds exactly beside 255; their mean is exactly one half.
    u = ((jax.random.bits(key, x.shape, jnp.uint16) >> 2).astype(jnp.float32) + 0.5) / CELLS
    return _into_cell(x, u, levels), jnp.full(len(x), _log_scale(x, levels))


class Noise(nn.Module):
    """Noise q(u|x) of a conditional flow: u = sigmoid(v), v = bijector.inverse(e, condition), e logistic.

    With the identity, where a flow should start, u is uniform: training can only gain on `uniform`. (Flow++ has e ~
    N(0, 1), whose lighter tails starve the edges of the cell: there the weights p / q have no variance, and more
    samples help little.) Its `apply` with parameters is a dequantiser; `init(key, key, x)` makes them, through the
    bijector's forward from uniform noise.

    Attributes:
      bijector: of v, with the shape of x.
      levels: L.
      encoder: network or function from x, scaled to (-1, 1), float32 [B, ...], to the condition; None for x so scaled.
    """

    bijector: Bijector
    levels: int
    encoder: Callable[[Array], Array] | None = None

    def __call__(self, key: Array, x: Array) -> tuple[Array, Array]:
        """Return y [B, ...] in (0, 1) and log q(y|x) [B] of one draw; both carry gradients. x: integers [B, ...].

        While it makes parameters, y is of uniform noise, and log q its density by these parameters.
        Raises ValueError as `uniform`.
        """
        _check(x, self.levels)
        if self.is_initializing():
            y, log_scale = uniform(key, x, levels=self.levels)
            return y, self.log_density(x, y * self.levels - x) + log_scale
        noise = jax.random.logistic(key, x.shape)
        v, log_det = self.bijector.inverse(noise, self.condition(x))
        u, log_slope = logit_inverse(v)
        log_q = per_example(LOGISTIC.log_prob(noise)) - log_det - per_example(log_slope)
        return _into_cell(x, u, self.levels), log_q + _log_scale(x, self.levels)

    def log_density(self, x: Array, u: Array) -> Array:
        """Return log q(u|x) [B] of noise u [B, ...] in (0, 1), a density of u: log q(y|x) is D log(levels) more."""
        v, log_slope = logit(u)
        noise, log_det = self.bijector.forward(v, self.condition(x))
        return per_example(LOGISTIC.log_prob(noise)) + log_det + per_example(log_slope)

    def condition(self, x: Array) -> Array:
        """Return what the bijector sees of x [B, ...]."""
        scaled = (2.0 * x.astype(jnp.float32) + 1.0) / self.levels - 1.0
        return scaled if self.encoder is None else self.encoder(scaled)


def log_weights(log_density: LogDensity, dequantiser: Dequantiser, x: Array) -> Callable[[Array, int], Array]:
    """Return (key, n) -> log p(y) - log q(y|x) [n, B] in nats, of n draws of noise.

    The mean of their exp is P(x); `metrics.likelihood.importance_sampled` takes this function as it is. log_density: y
    [B, ...] in (0, 1) -> log p(y) [B].
    """

    def one(key):
        y, log_q = dequantiser(key, x)
        log_p = log_density(y)
        chex.assert_shape([log_p, log_q], (len(x),))
        return log_p - log_q

    return lambda key, n: jax.vmap(one)(jax.random.split(key, n))


def bound(log_density: LogDensity, dequantiser: Dequantiser, key: Array, x: Array, *, samples: int = 1) -> Array:
    """Return log (1/K) sum_k p(y_k) / q(y_k|x) [B] in nats: its mean is at most log P(x), and rises to it with K.

    log_density: y [B, ...] in (0, 1) -> log p(y) [B]. x: integers [B, ...]. samples: K; with 1, the bound of Theis et
    al. for uniform noise and of Flow++ for a flow's. Raises ValueError for fewer than one sample.
    """
    if samples < 1:
        raise ValueError(f"bound: expected at least 1 sample, got {samples}")
    return importance_weighted(log_weights(log_density, dequantiser, x)(key, samples))


def bits_per_dim(log_prob: Array, dimensions: int, *, levels: int = 1) -> Array:
    """Return the bits a dimension that integers cost, (log(levels) - log_prob / D) / log 2, of the shape of log_prob.

    log_prob: nats. Either a log-probability of integers, or a bound, as `bound` returns it: levels is 1, for all
    that was scaled has been counted. Or the log-density of y = (x + u) / levels in (0, 1) itself, further Jacobians
    (a logit's) counted: say `levels`. dimensions: D, channels included. Raises ValueError for D or levels below 1.
    """
    if dimensions < 1 or levels < 1:
        raise ValueError(f"bits_per_dim: expected dimensions and levels of at least 1, got {dimensions} and {levels}")
    return (math.log(levels) - log_prob / dimensions) / math.log(2.0)


def _into_cell(x: Array, u: Array, levels: int) -> Array:
    edge = 0.5 / CELLS
    return (x.astype(jnp.float32) + jnp.clip(u, edge, 1 - edge)) / levels


def _log_scale(x: Array, levels: int) -> float:
    return math.prod(x.shape[1:]) * math.log(levels)


def _check(x: Array, levels: int) -> None:
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise ValueError(f"dequantise: expected integers [B, ...], got {x.dtype} of shape {x.shape}")
    if not 2 <= levels <= 256:
        raise ValueError(f"dequantise: expected levels in 2..256, got {levels}")
    if not isinstance(x, jax.core.Tracer) and x.size and not (x.min() >= 0 and x.max() < levels):
        raise ValueError(f"dequantise: expected integers from 0 to {levels - 1}, got {x.min()} to {x.max()}")
