"""Several generators with a common trunk, as one network."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.mlp import MLP

Array = jax.Array


class MultiGenerator(nn.Module):
    """A trunk and `heads` heads: (z [B, D], given None) -> x [B, heads, *shape] (Ghosh et al. 2018, section 3).

    trunk, features: widths of the common and of each head's own layers. last: the map at the end.
    """

    heads: int
    shape: tuple[int, ...]
    trunk: Sequence[int] = (128,)
    features: Sequence[int] = (128,)
    activation: Callable[[Array], Array] = nn.relu
    last: Callable[[Array], Array] = lambda x: x
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, given: None = None, *, train: bool) -> Array:
        """z: [B, D]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        common = MLP(self.trunk, self.activation, **types)(z)
        many = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}, "out_axes": 1, "axis_size": self.heads}
        own = nn.vmap(MLP, in_axes=None, **many)(self.features, self.activation, **types)(common)
        own = nn.vmap(nn.Dense, in_axes=1, **many)(math.prod(self.shape), **types)(own)  # [B, heads, D]
        return self.last(own.reshape(*own.shape[:2], *self.shape).astype(jnp.promote_types(own.dtype, jnp.float32)))
