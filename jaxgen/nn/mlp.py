"""Fully connected networks."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


class MLP(nn.Module):
    """Dense layers with an activation after each: [B, ...] flattened -> [B, features[-1]]."""

    features: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, ...]."""
        x = x.reshape(len(x), -1)
        for width in self.features:
            x = self.activation(nn.Dense(width, dtype=self.dtype, param_dtype=self.param_dtype)(x))
        return x
