"""Where a small step of x changes a classifier most: virtual adversarial training's direction."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.losses.divergences import categorical_kl

Array = jax.Array


def adversarial_direction(logits: Callable[[Array], Array], x: Array, key: Array, *, reach: float = 10.0) -> Array:
    """Return steps of length one [B, ...], along which KL(p(x) || p(x + step)) grows most, without a gradient.

    logits: x [B, ...] -> [B, K]. reach: how far from x the change is measured, in units of x. One
    iteration of the power method from a random direction (Miyato et al. 2018, "Virtual adversarial training", section
    3.3).
    """
    start = _unit(jax.random.normal(key, x.shape, x.dtype))
    here = jax.lax.stop_gradient(logits(x))
    slope = jax.grad(lambda step: categorical_kl(here, logits(x + reach * step)).sum())(start)
    return jax.lax.stop_gradient(_unit(slope))


def _unit(x: Array) -> Array:
    """Return x [B, ...], each example of length one, or zero where it is."""
    squared = (x**2).sum(range(1, x.ndim), keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squared, jnp.finfo(x.dtype).tiny))
