"""Losses of vector quantisation (van den Oord et al. 2017, equation 3), each [B], and how evenly codes are used."""

import chex
import jax
import jax.numpy as jnp

from jaxgen.losses.reconstruction import squared_error


def commitment(z: jax.Array, code: jax.Array) -> jax.Array:
    """Return |z - sg(code)|^2 [B], which draws the encoder's vectors to their codes. z, code: [B, ...]."""
    return squared_error(z, jax.lax.stop_gradient(code))


def codebook_error(z: jax.Array, code: jax.Array) -> jax.Array:
    """Return |sg(z) - code|^2 [B], which draws the codes to their vectors. z, code: [B, ...]."""
    return squared_error(jax.lax.stop_gradient(z), code)


def perplexity(counts: jax.Array) -> jax.Array:
    """Return exp(entropy) of how often each code is used: K when all are alike, 1 when one is all. counts: [K]."""
    chex.assert_rank(counts, 1)
    p = counts / counts.sum()
    return jnp.exp(-jax.scipy.special.xlogy(p, p).sum())
