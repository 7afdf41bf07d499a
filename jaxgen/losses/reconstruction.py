"""Errors of reconstructions, each [B], summed over an example's dimensions."""

import chex
import jax

from jaxgen.losses.likelihoods import bernoulli, flat


def squared_error(x: jax.Array, mean: jax.Array) -> jax.Array:
    """Return sum_i (x_i - mean_i)^2 [B], in the squared units of x. x, mean: [B, ...]."""
    chex.assert_equal_shape([x, mean])
    return ((flat(x) - flat(mean)) ** 2).sum(-1)


def cross_entropy(x: jax.Array, logits: jax.Array) -> jax.Array:
    """Return -sum_i x_i log p_i + (1 - x_i) log(1 - p_i) [B], nats, with p = sigmoid(logits).

    x: [B, ...] in [0, 1] (Hinton and Salakhutdinov 2006, supporting text). logits: [B, ...].
    """
    return -bernoulli(x, logits)


def multinomial(x: jax.Array, logits: jax.Array) -> jax.Array:
    """Return -sum_i x_i log p_i [B], nats, with p = softmax(logits): of each word of a document, added up.

    x: [B, V], not negative: counts give the negative log-likelihood of the words in their order, counts divided by
    their sum the cross-entropy a word (Hinton and Salakhutdinov 2006, supporting text). logits: [B, V].
    """
    chex.assert_rank([x, logits], 2)
    chex.assert_equal_shape([x, logits])
    # Apart from x log p: a word that is not there costs nothing, even where its log p is minus infinity.
    return x.sum(-1) * jax.nn.logsumexp(logits, axis=-1) - (x * logits).sum(-1)
