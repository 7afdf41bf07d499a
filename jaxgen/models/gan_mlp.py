"""Fully connected generators and discriminators: for points of the plane, tables and small images."""

import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.gan import Judged, joined
from jaxgen.nn.heads import Logits
from jaxgen.nn.norm import BatchNorm

Array = jax.Array


class MLPGenerator(nn.Module):
    """Dense layers: (z [B, D], given [B, K] or None) -> x [B, *shape].

    batch_norm: after every hidden layer. last: the map at the end, such as tanh for images in [-1, 1].
    """

    features: Sequence[int]
    shape: tuple[int, ...]
    activation: Callable[[Array], Array] = nn.relu
    last: Callable[[Array], Array] = lambda x: x
    batch_norm: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, given: Array | None = None, *, train: bool) -> Array:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        x = joined(z, given)
        for width in self.features:
            x = nn.Dense(width, kernel_init=self.kernel_init, **types)(x)
            x = self.activation(BatchNorm(**types)(x, train=train) if self.batch_norm else x)
        x = nn.Dense(math.prod(self.shape), kernel_init=self.kernel_init, **types)(x)
        return self.last(x.reshape(-1, *self.shape).astype(jnp.promote_types(x.dtype, jnp.float32)))


class MLPDiscriminator(nn.Module):
    """Dense layers: (x [B, ...], given [B, K] or None) -> `Judged`.

    maxout: pieces of each hidden unit, the largest of which it is (Goodfellow et al. 2013); 1 for none. spectral:
    weights over their largest singular value. head: from features [B, F] to logits. blind: do not look at
    the condition.
    """

    features: Sequence[int]
    activation: Callable[[Array], Array] = lambda x: nn.leaky_relu(x, 0.2)
    maxout: int = 1
    spectral: bool = False
    head: nn.Module = Logits()
    blind: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, given: Array | None = None, *, train: bool) -> Judged:
        """See the class."""
        x = x.reshape(len(x), -1)
        x = x if self.blind or self.head.projects else joined(x, given)
        for width in self.features:
            layer = nn.Dense(
                width * self.maxout, kernel_init=self.kernel_init, dtype=self.dtype, param_dtype=self.param_dtype
            )
            x = nn.SpectralNorm(layer)(x, update_stats=train) if self.spectral else layer(x)
            x = x.reshape(len(x), width, self.maxout).max(-1) if self.maxout > 1 else self.activation(x)
        return Judged(*self.head(x, given, train=train))
