"""Losses that bring statistics of generated features to those of real ones."""

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def feature_matching(real: Array, fake: Array) -> Array:
    """Return the mean over features of |mean of real - mean of fake|, the same number [B] for every example.

    Salimans et al. 2016, section 3.1, with the absolute difference of their code. real, fake: features [B, F]; the
    real ones are a target, without a gradient.
    """
    chex.assert_rank([real, fake], 2)
    chex.assert_equal_shape([real, fake])
    apart = jnp.abs(jax.lax.stop_gradient(real).mean(0) - fake.mean(0)).mean()
    return jnp.broadcast_to(apart, (len(fake),))
