"""Residual blocks of convolutions."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.conv import Conv

Array = jax.Array


class ResidualBlock(nn.Module):
    """x + conv 1x1(act(conv 3x3(act(x)))), of one shape [B, H, W, C] (van den Oord et al. 2017, section 4.1)."""

    hidden: int
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, H, W, C]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        y = Conv(self.hidden, 3, **types)(self.activation(x))
        return x + Conv(x.shape[-1], 1, **types)(self.activation(y))
