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


def maps(size: Sequence[int]) -> list[tuple[int, int]]:
    """Return the sides of an image and of its maps: halved, rounded up, until the shorter is 4 or less, twice or more.

    28 -> 14 -> 7 -> 4, 32 -> 16 -> 8 -> 4, 8 -> 4 -> 2. So the head sees few numbers a channel, each of which has seen
    most of the image. Raises ValueError for an image with a side below 4.
    """
    if min(size) < 4:
        raise ValueError(
            f"this network halves an image at least twice: expected 4 pixels a side or more, got {size[0]} x {size[1]}"
        )
    found = [(size[0], size[1])]
    while len(found) < 3 or min(found[-1]) > 4:
        found.append((-(-found[-1][0] // 2), -(-found[-1][1] // 2)))
    return found


class DCGANGenerator(nn.Module):
    """(z [B, D], given [B, K] or None) -> images [B, *shape] in (-1, 1). width: channels of the last hidden map.

    Each map before has twice as many channels as the next. What sticks out of a map of odd size is cut off.
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
        *sizes, (height, wide) = maps(self.shape[:2])
        norm = (lambda x: nn.relu(BatchNorm(**types)(x, train=train))) if self.batch_norm else nn.relu

        x = joined(z, given)
        features = self.width * 2 ** (len(sizes) - 1)
        x = nn.Dense(height * wide * features, kernel_init=self.kernel_init, **types)(x)
        x = norm(x.reshape(len(x), height, wide, features))
        for number, (height, wide) in reversed(list(enumerate(sizes))):
            features = self.width * 2 ** (number - 1) if number else self.shape[-1]
            x = ConvTranspose(features, self.kernel, 2, kernel_init=self.kernel_init, **types)(x)
            x = x[:, :height, :wide]
            x = norm(x) if number else x
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
        for number in range(len(maps(x.shape[1:3])) - 1):
            layer = Conv(self.width * 2**number, self.kernel, 2, kernel_init=self.kernel_init, **types)
            x = nn.SpectralNorm(layer)(x, update_stats=train) if self.spectral else layer(x)
            x = self.activation(BatchNorm(**types)(x, train=train) if self.batch_norm and number else x)
        return Judged(*self.head(x.reshape(len(x), -1), given, train=train))
