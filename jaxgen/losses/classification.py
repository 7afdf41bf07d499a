"""Losses of classifiers, each [B]."""

import chex
import jax
import jax.numpy as jnp


def softmax_cross_entropy(label: jax.Array, logits: jax.Array) -> jax.Array:
    """Return -log p(label) [B], nats, with p = softmax(logits).

    label: integers [B] in 0..K-1. logits: [B, K].
    """
    _check(label, logits)
    own = jnp.take_along_axis(logits, label[:, None], axis=1)
    return jax.nn.logsumexp(logits - own, axis=-1)  # not a difference of two large numbers


def error(label: jax.Array, logits: jax.Array) -> jax.Array:
    """Return 1.0 where the largest logit is not the label's, else 0.0, [B]. Arguments as of `softmax_cross_entropy`."""
    _check(label, logits)
    return (logits.argmax(-1) != label).astype(jnp.float32)


def _check(label: jax.Array, logits: jax.Array) -> None:
    chex.assert_rank([label, logits], [1, 2])
    chex.assert_equal_shape_prefix([label, logits], 1)
    chex.assert_type(label, int)
