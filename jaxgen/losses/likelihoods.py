"""Log-likelihoods of data under a decoder's output, each [B] in nats, summed over an example's dimensions."""

import math

import chex
import jax
import jax.numpy as jnp

LOG_SCALE = 30.0  # logarithms of scales count as within plus or minus this, where float32 holds their squares
LOGISTIC_LOG_SCALE = -7.0 - math.log(2.0)  # a logistic's on [0, 1] counts as at least this


def flat(x: jax.Array) -> jax.Array:
    """Return x [B, ...] as [B, D] and keep it so: XLA's CPU loops over a last dimension of 1 are up to 50 x slower."""
    return jax.lax.optimization_barrier(x.reshape(len(x), -1))


def softplus(x: jax.Array) -> jax.Array:
    """Return log(1 + exp(x)), within float's epsilon; on a CPU several times faster than `jax.nn.softplus`."""
    return jnp.maximum(x, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(x)))


def bernoulli(x: jax.Array, logits: jax.Array, *, where: jax.Array | None = None) -> jax.Array:
    """Return log p(x) [B] of independent Bernoulli variables, in nats.

    x: [B, ...] in [0, 1] (a value between is the expectation over its binarisation). logits: [B, ...],
    log odds. Exact at any finite logit: x l - softplus(l). where: which numbers of x count, as of `gaussian`.
    """
    chex.assert_equal_shape([x, logits])
    x, logits = flat(_known(x, where)), flat(logits)
    return _total(x * logits - softplus(logits), where)


def gaussian(
    x: jax.Array, mean: jax.Array, log_scale: jax.Array | float, *, where: jax.Array | None = None
) -> jax.Array:
    """Return log p(x) [B] of independent Gaussian variables, in nats.

    x, mean: [B, ...]. log_scale: logarithm of the standard deviation, [B, ...] or a scalar. where: true for the
    numbers of x that count, [B, ...] (None: all): the log-density of this part of x, for whatever the rest is, NaN too.
    """
    chex.assert_equal_shape([x, mean])
    x = _known(x, where)
    log_scale = jnp.clip(jnp.asarray(log_scale), -LOG_SCALE, LOG_SCALE)
    if log_scale.ndim:
        chex.assert_equal_shape([x, log_scale])
        log_scale = flat(log_scale)
    residual = (flat(x) - flat(mean)) * jnp.exp(-log_scale)
    return _total(-0.5 * residual**2 - log_scale - 0.5 * math.log(2 * math.pi), where)


def discretised_logistic(x: jax.Array, mean: jax.Array, log_scale: jax.Array | float, *, levels: int) -> jax.Array:
    """Return log P(x) [B] of independent logistic variables rounded to `levels` values, in nats.

    x: [B, ...], k / (levels - 1) for an intensity k. mean: [B, ...], and log_scale: [B, ...] or a scalar, of the
    logistic, in the units of x; a scale counts as at least exp(-7) / 2, the bound of PixelCNN++ (Salimans et al.
    2017), which lets x span [-1, 1].

    The bin of x reaches half a step to either side, those of 0 and 1 to infinity (Kingma et al. 2016, equation 24).
    With a and b the bin's ends in units of the scale, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)):
    no difference of nearly equal numbers is taken, so that mass and gradient are right in the farthest tail, and
    PixelCNN++'s resort to the density there is not needed. Raises ValueError for fewer than two levels.
    """
    if levels < 2:
        raise ValueError(f"discretised_logistic: levels must be at least 2, got {levels}")
    chex.assert_equal_shape([x, mean])
    log_scale = jnp.clip(jnp.asarray(log_scale), LOGISTIC_LOG_SCALE, LOG_SCALE)
    if log_scale.ndim:
        chex.assert_equal_shape([x, log_scale])
        log_scale = flat(log_scale)
    half = 0.5 / (levels - 1)
    x, sharpness = flat(x), jnp.exp(-log_scale)
    centred = x - flat(mean)
    below_top = jnp.where(x < 1 - half, -softplus((-centred - half) * sharpness), 0.0)
    above_bottom = jnp.where(x > half, -softplus((centred - half) * sharpness), 0.0)
    width = jnp.log(-jnp.expm1(-2 * half * sharpness))
    return (below_top + above_bottom + jnp.where((x > half) & (x < 1 - half), width, 0.0)).sum(-1)


def _known(x: jax.Array, where: jax.Array | None) -> jax.Array:
    """Return x with 0 for what does not count: even a NaN there then reaches neither value nor gradient."""
    if where is None:
        return x
    chex.assert_equal_shape([x, where])
    return jnp.where(where, x, 0.0)


def _total(terms: jax.Array, where: jax.Array | None) -> jax.Array:
    return (terms if where is None else jnp.where(flat(where), terms, 0.0)).sum(-1)
