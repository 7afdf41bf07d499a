"""A classifier for categories that nobody named."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.norm import BatchNorm

Array = jax.Array


class Clusterer(nn.Module):
    """Dense layers with batch normalisation: x [B, ...] -> logits of categories [B, K] (Hu et al. 2017, "IMSAT")."""

    categories: int
    hidden: Sequence[int] = (400, 400)
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """x: [B, ...]. train: see `BatchNorm`."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        x = x.reshape(len(x), -1)
        for width in self.hidden:
            x = nn.Dense(width, kernel_init=nn.initializers.he_normal(), **types)(x)
            x = nn.relu(BatchNorm(momentum=0.99, **types)(x, train=train))
        last = nn.initializers.variance_scaling(0.1, "fan_in", "normal")
        return nn.Dense(self.categories, kernel_init=last, **types)(x).astype(jnp.float32)
