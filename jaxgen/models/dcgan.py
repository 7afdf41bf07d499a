"""DCGAN: Radford et al. 2016, "Unsupervised representation learning with deep convolutional GANs", their guidelines.

Strided convolutions instead of pooling, batch normalisation in both networks but for the generator's last and the
discriminator's first layer, no hidden dense layers, relu in the generator, leaky relu in the discriminator.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.gan import Judged, joined
from jaxgen.nn.conv import Conv, ConvTranspose
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


class DCGANGenerator(nn.Module):
    """(z [B, D], given [B, K] or None) -> images [B, *shape] in (-1, 1). width: channels of the last hidden map.

    Each map before has twice as many channels as the next.
    """

    shape: tuple[int, int, int]
    width: int = 64
    kernel: int = 4
    batch_norm: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array, given: Array | None = None, *, train: bool) -> Array:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        height, wide, channels = self.shape
        times = halvings((height, wide))
        norm = (lambda x: nn.relu(BatchNorm(**types)(x, train=train))) if self.batch_norm else nn.relu

        x = joined(z, given)
        features = self.width * 2 ** (times - 1)
        x = nn.Dense((height >> times) * (wide >> times) * features, kernel_init=self.kernel_init, **types)(x)
        x = norm(x.reshape(len(x), height >> times, wide >> times, features))
        for number in range(times - 1, 0, -1):
            x = norm(
                ConvTranspose(self.width * 2 ** (number - 1), self.kernel, 2, kernel_init=self.kernel_init, **types)(x)
            )
        x = ConvTranspose(channels, self.kernel, 2, kernel_init=self.kernel_init, **types)(x)
        return jnp.tanh(x.astype(jnp.promote_types(x.dtype, jnp.float32)))


class DCGANDiscriminator(nn.Module):
    """(images [B, H, W, C], given [B, K] or None) -> `Judged`. width: channels of the first map, then doubling.

    batch_norm: but for the first layer. spectral: weights over their largest singular value instead. head: from
    features to logits. blind: do not look at the condition.
    """

    width: int = 64
    kernel: int = 4
    batch_norm: bool = True
    spectral: bool = False
    activation: Callable[[Array], Array] = lambda x: nn.leaky_relu(x, 0.2)
    head: nn.Module = Logits()
    blind: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, given: Array | None = None, *, train: bool) -> Judged:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        x = x if self.blind or self.head.projects else joined(x, given)
        for number in range(halvings(x.shape[1:3])):
            layer = Conv(self.width * 2**number, self.kernel, 2, kernel_init=self.kernel_init, **types)
            x = nn.SpectralNorm(layer)(x, update_stats=train) if self.spectral else layer(x)
            x = self.activation(BatchNorm(**types)(x, train=train) if self.batch_norm and number else x)
        return Judged(*self.head(x.reshape(len(x), -1), given, train=train))
