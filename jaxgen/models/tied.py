"""The autoencoder with tied weights: its decoder uses the encoder's matrices, transposed (Vincent et al. 2010)."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.vae import full
from jaxgen.nn.mlp import MLP

Array = jax.Array


class TiedAutoencoder(NamedTuple):
    """h_k = s(h_{k-1} W_k + b_k) up to the code h_n, and back by the transposes of W_n, ..., W_1 with other biases.

    The output layer is linear; `mean` makes x of it. Tied weights cannot shrink the encoder and grow the decoder,
    which would make any penalty on the encoder's slopes void (Rifai et al. 2011, section 2).

    shape: of one x. widths: of the layers, the code's last. activation: s, elementwise. dtype: computed in.
    """

    shape: tuple[int, ...]
    widths: Sequence[int]
    activation: Callable[[Array], Array] = nn.sigmoid
    mean: Callable[[Array], Array] = lambda output: output
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @property
    def encoder(self) -> MLP:
        """x [B, ...] -> code [B, widths[-1]]."""
        return MLP(self.widths, self.activation, dtype=self.dtype, param_dtype=self.param_dtype)

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters {"encoder": ..., "decoder": biases} for data like x [B, ...]."""
        back = [*self.widths[-2::-1], math.prod(self.shape)]
        biases = {f"bias_{i}": jnp.zeros(width, self.param_dtype) for i, width in enumerate(back)}
        return {"encoder": self.encoder.init(key, x), "decoder": biases}

    def encode(self, params: Any, x: Array, **options) -> Array:
        """Return the code [B, D] of x [B, ...], float32 at least. options: of `apply`, such as rngs."""
        return full(self.encoder.apply(params["encoder"], x, **options))

    def decode(self, params: Any, code: Array) -> Array:
        """Return the output layer's numbers [B, *shape] at a code [B, D]."""
        h, last = code, len(self.widths) - 1
        for i in range(len(self.widths)):
            kernel, bias = self.kernel(params, last - i), params["decoder"][f"bias_{i}"]
            h, kernel, bias = nn.dtypes.promote_dtype(h, kernel, bias, dtype=self.dtype)
            h = h @ kernel.T + bias.reshape(1, -1)
            h = self.activation(h) if i < last else h
        return full(h.reshape(len(code), *self.shape))

    def reconstruct(self, params: Any, x: Array) -> Array:
        """Return x again [B, ...], as the code remembers it."""
        return self.mean(self.decode(params, self.encode(params, x)))

    def kernel(self, params: Any, layer: int) -> Array:
        """Return W_k [inputs, outputs] of a layer, from 0."""
        return params["encoder"]["params"][f"Dense_{layer}"]["kernel"]

    def slopes(self, params: Any, x: Array) -> Array:
        """Return s'(a) [B, D] of the code h = s(a) of x [B, ...], for one layer.

        Raises ValueError for several layers, whose Jacobian has no such form.
        """
        if len(self.widths) != 1:
            raise ValueError(f"slopes: expected one layer, got {len(self.widths)} of widths {tuple(self.widths)}")
        layer = params["encoder"]["params"]["Dense_0"]
        a = full(x.reshape(len(x), -1) @ layer["kernel"] + layer["bias"].reshape(1, -1))
        return jax.jvp(self.activation, (a,), (jnp.ones_like(a),))[1]
