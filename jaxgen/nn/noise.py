"""A fully connected network that noise strikes before each layer, in training only."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


class NoisyMLP(nn.Module):
    """`MLP` whose every layer reads a corrupted input, where an rng "noise" is given; without one it is an `MLP`.

    corrupt: (key, h [B, D]) -> [B, D]. The parameters are those of an MLP of the same widths.
    """

    features: Sequence[int]
    corrupt: Callable[[Array, Array], Array]
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, ...]."""
        x = x.reshape(len(x), -1)
        for width in self.features:
            x = self.corrupt(self.make_rng("noise"), x) if self.has_rng("noise") else x
            x = self.activation(nn.Dense(width, dtype=self.dtype, param_dtype=self.param_dtype)(x))
        return x
