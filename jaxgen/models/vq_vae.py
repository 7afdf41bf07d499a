"""The vector-quantised autoencoder's networks (van den Oord et al. 2017): an image to a grid of vectors and back."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.vae import Output, full
from jaxgen.nn.conv import Conv, ConvTranspose
from jaxgen.nn.residual import ResidualBlock

Array = jax.Array


class GridEncoder(nn.Module):
    """x [B, H, W, C] -> z [B, ceil(H / 2^n), ceil(W / 2^n), dimension], float32 at least, n the number of channels."""

    channels: Sequence[int]
    dimension: int
    blocks: int = 2
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, H, W, C]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        for number, width in enumerate(self.channels):
            x = Conv(width, 4, 2, **types)(self.activation(x) if number else x)
        for _ in range(self.blocks):
            x = ResidualBlock(x.shape[-1] // 2 or 1, self.activation, **types)(x)
        return full(Conv(self.dimension, 1, **types)(self.activation(x)))


class GridDecoder(nn.Module):
    """z [B, h, w, D] -> one number a dimension of x, [B, *shape], float32 at least: logits or means.

    The grid doubles once for each of the channels; what sticks out of the shape is cut off.
    """

    channels: Sequence[int]
    shape: Sequence[int]
    blocks: int = 2
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """z: [B, h, w, D]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        x = Conv(self.channels[0], 3, **types)(z)
        for _ in range(self.blocks):
            x = ResidualBlock(x.shape[-1] // 2 or 1, self.activation, **types)(x)
        for width in self.channels:
            x = ConvTranspose(width, 4, 2, **types)(self.activation(x))
        x = self.activation(x[:, : self.shape[0], : self.shape[1]])
        return full(Conv(self.shape[2], 3, **types)(x))


class VQVAE(NamedTuple):
    """Networks and output kind; the parameters are {"encoder": ..., "decoder": ...}.

    encoder: x [B, ...] -> z [B, h, w, D]. decoder: grid of codes, alike -> the output's.
    """

    encoder: nn.Module
    decoder: nn.Module
    output: Output

    def init(self, key: Array, x: Array) -> tuple[dict[str, Any], Array]:
        """Return fresh parameters for data like x [B, ...], and its vectors z [B, h, w, D]."""
        keys = jax.random.split(key)
        z, encoder = self.encoder.init_with_output(keys[0], x)
        return {"encoder": encoder, "decoder": self.decoder.init(keys[1], z)}, z

    def encode(self, params: Any, x: Array) -> Array:
        """Return the vectors z [B, h, w, D], not yet quantised."""
        return self.encoder.apply(params["encoder"], x)

    def decode(self, params: Any, code: Array) -> Any:
        """Return the decoder's output at code vectors [B, h, w, D]."""
        return self.decoder.apply(params["decoder"], code)

    def log_likelihood(self, params: Any, x: Array, code: Array) -> Array:
        """Return log p(x | code) [B], nats."""
        return self.output.log_likelihood(x, self.decode(params, code))

    def expect(self, params: Any, code: Array) -> Array:
        """Return E[x | code] [B, ...]."""
        return self.output.mean(self.decode(params, code))
