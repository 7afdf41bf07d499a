"""Convolutional layers, and towers that halve an image or grow one back to a size.

The layers take stock Flax's place: the same parameters, the same numbers, and a CPU form that stays fast
inside compiled loops (`jaxgen.nn.convolution`).
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.convolution import conv, conv_transpose

Array = jax.Array


class _Kernel(nn.Module):
    features: int
    kernel: int = 3
    stride: int = 1
    use_bias: bool = True
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    def parameters(self, x: Array) -> list[Array]:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), self.param_dtype) if self.use_bias else None
        return nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)


class Conv(_Kernel):
    """Convolution, zero-padded: [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, H, W, C]."""
        x, kernel, bias = self.parameters(x)
        y = conv(x, kernel, self.stride)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


class ConvTranspose(_Kernel):
    """Transposed convolution, zero-padded: [B, H, W, C] -> [B, H * stride, W * stride, features]."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, H, W, C]."""
        x, kernel, bias = self.parameters(x)
        # Flax's kernel [k, k, in, out] lies the other way round than the convolution's that it is the adjoint of.
        y = conv_transpose(x, jnp.flip(kernel, (0, 1)).swapaxes(2, 3), self.stride, _times(x.shape[1:3], self.stride))
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


class ConvTower(nn.Module):
    """Stride-2 convolutions: [B, H, W, C] -> [B, ceil(H / 2^n), ceil(W / 2^n), features[-1]], then flat."""

    features: Sequence[int]
    activation: Callable[[Array], Array] = nn.relu
    kernel: int = 4
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, H, W, C]."""
        for width in self.features:
            layer = Conv(width, self.kernel, 2, dtype=self.dtype, param_dtype=self.param_dtype)
            x = self.activation(layer(x))
        return x.reshape(len(x), -1)


class DeconvTower(nn.Module):
    """The way back: [B, D] -> dense -> stride-2 transposed convolutions -> [B, H, W, features[-1]].

    The map starts at ceil(size / 2^n) and doubles for each of `features`; what sticks out of `size` is cut off.
    """

    features: Sequence[int]
    size: tuple[int, int]
    activation: Callable[[Array], Array] = nn.relu
    kernel: int = 4
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """z: [B, D]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        height, width = (-(-side // 2 ** len(self.features)) for side in self.size)
        x = self.activation(nn.Dense(height * width * self.features[0], **types)(z))
        x = x.reshape(len(x), height, width, -1)
        for features in self.features:
            x = self.activation(ConvTranspose(features, self.kernel, 2, **types)(x))
        return x[:, : self.size[0], : self.size[1]]


def _times(size: Sequence[int], stride: int) -> tuple[int, int]:
    return size[0] * stride, size[1] * stride
