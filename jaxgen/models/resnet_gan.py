"""Residual generator and discriminator (Gulrajani et al. 2017, appendix F; Miyato et al. 2018, table 4)."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.gan import Judged, joined
from jaxgen.nn.conv import Conv
from jaxgen.nn.heads import Logits
from jaxgen.nn.norm import BatchNorm

Array = jax.Array


def halvings(size: Sequence[int]) -> int:
    """Return how often both sides of an image are halved, until the shorter is below 8: 8 -> 4 -> 2, 28 -> 14 -> 7.

    Raises ValueError for a size that cannot be halved at all or so often.
    """
    count = next(n for n in range(32) if min(size) >> n < 8)
    count = 2 if min(size) == 8 else max(count, 1)
    if min(size) >> count < 2 or any(side % 2**count for side in size):
        raise ValueError(
            "this network doubles a map of 2 to 7 pixels a side some times: expected images such as 8, 28, 32 or 64 "
            f"pixels high and wide, got {size[0]} x {size[1]}"
        )
    return count


def doubled(x: Array) -> Array:
    """Return [B, 2 H, 2 W, C], each pixel four times."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def halved(x: Array) -> Array:
    """Return [B, H / 2, W / 2, C], the means of four pixels."""
    height, width = x.shape[1] // 2, x.shape[2] // 2
    return x.reshape(len(x), height, 2, width, 2, x.shape[-1]).mean((2, 4))


class ResNetGenerator(nn.Module):
    """(z [B, D], given [B, K] or None) -> images [B, *shape] in (-1, 1), each block of `width` channels doubling."""

    shape: tuple[int, int, int]
    width: int = 64
    batch_norm: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, given: Array | None = None, *, train: bool) -> Array:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        height, wide, channels = self.shape
        times = halvings((height, wide))

        def before(x):
            return nn.relu(BatchNorm(**types)(x, train=train) if self.batch_norm else x)

        def conv(x, features, kernel=3):
            return Conv(features, kernel, kernel_init=self.kernel_init, **types)(x)

        size = (height >> times, wide >> times, self.width)
        x = nn.Dense(size[0] * size[1] * size[2], kernel_init=self.kernel_init, **types)(joined(z, given))
        x = x.reshape(len(x), *size)
        for _ in range(times):
            y = conv(doubled(before(x)), self.width)
            x = doubled(conv(x, self.width, 1)) + conv(before(y), self.width)
        x = conv(before(x), channels)
        return jnp.tanh(x.astype(jnp.promote_types(x.dtype, jnp.float32)))


class ResNetDiscriminator(nn.Module):
    """(images [B, H, W, C], given [B, K] or None) -> `Judged`: halving blocks, then two of one size, then a sum.

    batch_norm: before every activation. Other options as of `jaxgen.models.dcgan.DCGANDiscriminator`.
    """

    width: int = 64
    batch_norm: bool = False
    spectral: bool = True
    activation: Callable[[Array], Array] = nn.relu
    head: nn.Module = Logits()
    blind: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.glorot_uniform()
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, given: Array | None = None, *, train: bool) -> Judged:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}

        def before(x):
            return self.activation(BatchNorm(**types)(x, train=train) if self.batch_norm else x)

        def conv(x, kernel=3):
            layer = Conv(self.width, kernel, kernel_init=self.kernel_init, **types)
            return nn.SpectralNorm(layer)(x, update_stats=train) if self.spectral else layer(x)

        x = x if self.blind or self.head.projects else joined(x, given)
        for number in range(halvings(x.shape[1:3])):
            y = conv(before(conv(before(x) if number else x)))
            x = conv(halved(x), 1) + halved(y)
        for _ in range(2):
            x = x + conv(before(conv(before(x))))
        return Judged(*self.head(before(x).sum((1, 2)), given, train=train))
