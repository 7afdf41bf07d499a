"""Divergences between distributions, each [B] in nats."""

import chex
import jax
import jax.numpy as jnp

from jaxgen.losses.likelihoods import LOG_SCALE


def gaussian_kl(mean: jax.Array, log_scale: jax.Array, *, free_nats: jax.Array | float = 0.0) -> jax.Array:
    """Return KL(N(mean, exp(log_scale)^2) || N(0, 1)) [B] in nats, in closed form.

    mean, log_scale: [B, D]. free_nats: "free bits" of each latent (Kingma et al. 2016, equation 15): a
    latent whose KL, averaged over the batch, is below this many nats counts as this many and has no gradient. The
    batch is what is seen here at once: under pmap a device's own part, and a slice where gradients are accumulated.
    """
    chex.assert_rank([mean, log_scale], 2)
    chex.assert_equal_shape([mean, log_scale])
    log_scale = jnp.clip(log_scale, -LOG_SCALE, LOG_SCALE)
    kl = 0.5 * (mean**2 + jnp.expm1(2 * log_scale)) - log_scale
    if not isinstance(free_nats, float | int) or free_nats > 0:  # a traced number is a sweep's
        kl = jnp.where(kl.mean(0, keepdims=True) > free_nats, kl, free_nats)
    return kl.sum(-1)


def categorical_kl(logits: jax.Array, other: jax.Array) -> jax.Array:
    """Return KL(softmax(logits) || softmax(other)) [B] in nats, of logits [B, K]."""
    chex.assert_rank([logits, other], 2)
    chex.assert_equal_shape([logits, other])
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(other)
    return (jnp.exp(log_p) * (log_p - log_q)).sum(-1)
