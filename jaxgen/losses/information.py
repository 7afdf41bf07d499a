"""Losses of the mutual information between a generator's codes and what it makes of them, each [B], nats."""

import math

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def categorical_surprise(code: Array, logits: Array) -> Array:
    """Return -log q(c|x) [B] of one-hot codes [B, K] under a softmax of logits [B, K].

    Minus it, plus the constant entropy of c, is the bound on the mutual information of Chen et al. 2016, "InfoGAN",
    equation 4.
    """
    chex.assert_rank([code, logits], 2)
    chex.assert_equal_shape([code, logits])
    return -(code * jax.nn.log_softmax(logits)).sum(-1)


def gaussian_surprise(code: Array, mean: Array) -> Array:
    """Return -log q(c|x) [B] of codes [B, K] under a Gaussian of this mean [B, K] and deviation one (the same)."""
    chex.assert_rank([code, mean], 2)
    chex.assert_equal_shape([code, mean])
    return 0.5 * ((code - mean) ** 2 + math.log(2 * math.pi)).sum(-1)


def uniform_codes(key: Array, count: int, categories: int, continuous: int) -> Array:
    """Return codes [count, categories + continuous]: a uniform one-hot beside uniform draws in [-1, 1]."""
    keys = jax.random.split(key)
    one_hot = jax.nn.one_hot(jax.random.randint(keys[0], (count,), 0, max(categories, 1)), categories)
    return jnp.concatenate([one_hot, jax.random.uniform(keys[1], (count, continuous), minval=-1.0)], axis=1)
