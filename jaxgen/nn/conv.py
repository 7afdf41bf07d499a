"""Convolutional towers that halve an image, and that grow one back to a size."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp


class ConvTower(nn.Module):
    """Stride-2 convolutions: [B, H, W, C] -> [B, ceil(H / 2^n), ceil(W / 2^n), features[-1]], then flat."""

    features: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel: int = 4
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: [B, H, W, C]."""
        for width in self.features:
            x = self.activation(nn.Conv(width, (self.kernel,) * 2, strides=2, dtype=self.dtype)(x))
        return x.reshape(len(x), -1)


class DeconvTower(nn.Module):
    """The way back: [B, D] -> dense -> stride-2 transposed convolutions -> [B, H, W, features[-1]].

    The map starts at ceil(size / 2^n) and doubles for each of `features`; what sticks out of `size` is cut off.
    """

    features: Sequence[int]
    size: tuple[int, int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    kernel: int = 4
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """z: [B, D]."""
        height, width = (-(-side // 2 ** len(self.features)) for side in self.size)
        x = self.activation(nn.Dense(height * width * self.features[0], dtype=self.dtype)(z))
        x = x.reshape(len(x), height, width, -1)
        for features in self.features:
            x = nn.ConvTranspose(features, (self.kernel,) * 2, strides=(2, 2), dtype=self.dtype)(x)
            x = self.activation(x)
        return x[:, : self.size[0], : self.size[1]]
