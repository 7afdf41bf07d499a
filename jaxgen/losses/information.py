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


def negative_information(logits: Array, *, balance: float = 1.0) -> Array:
    """Return the entropy of softmax(logits [B, K]) less `balance` times what each adds to that of their mean, [B].

    At balance 1 its mean is minus the mutual information between examples and categories (Krause et al. 2010,
    "Regularized information maximization", equation 2); more of it holds the categories to equal sizes (Hu et al. 2017,
    "IMSAT", section 2.2). The batch is what is seen here at once.
    """
    chex.assert_rank(logits, 2)
    log_p = jax.nn.log_softmax(logits)
    log_mean = jax.nn.logsumexp(log_p, 0, keepdims=True) - math.log(len(logits))
    return (jnp.exp(log_p) * (balance * log_mean - log_p)).sum(-1)


def uniform_codes(key: Array, count: int, categories: int, continuous: int) -> Array:
    """Return codes [count, categories + continuous]: a uniform one-hot beside uniform draws in [-1, 1]."""
    keys = jax.random.split(key)
    one_hot = jax.nn.one_hot(jax.random.randint(keys[0], (count,), 0, max(categories, 1)), categories)
    return jnp.concatenate([one_hot, jax.random.uniform(keys[1], (count, continuous), minval=-1.0)], axis=1)
