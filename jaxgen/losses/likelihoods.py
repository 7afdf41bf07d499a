"""Log-likelihoods of data under a decoder's output, each [B] in nats, summed over an example's dimensions."""

import math

import chex
import jax
import jax.numpy as jnp


def sum_features(values: jax.Array) -> jax.Array:
    """Sum [B, ...] over all but the first axis."""
    return values.reshape(len(values), -1).sum(-1)


def bernoulli(x: jax.Array, logits: jax.Array) -> jax.Array:
    """Return log p(x) [B] of independent Bernoulli variables, in nats.

    x: [B, ...] in [0, 1] (a value between is the expectation over its binarisation). logits: [B, ...],
    log odds. Exact at any finite logit: x l - softplus(l).
    """
    chex.assert_equal_shape([x, logits])
    return sum_features(x * logits - jax.nn.softplus(logits))


def gaussian(x: jax.Array, mean: jax.Array, log_scale: jax.Array | float) -> jax.Array:
    """Return log p(x) [B] of independent Gaussian variables, in nats.

    x, mean: [B, ...]. log_scale: logarithm of the standard deviation, [B, ...] or a scalar.
    """
    chex.assert_equal_shape([x, mean])
    log_scale = jnp.asarray(log_scale)
    if log_scale.ndim:
        chex.assert_equal_shape([x, log_scale])
    residual = (x - mean) * jnp.exp(-log_scale)
    return sum_features(-0.5 * residual**2 - log_scale - 0.5 * math.log(2 * math.pi))
