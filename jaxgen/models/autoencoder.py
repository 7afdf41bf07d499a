"""The autoencoder: a network into a code and a network back (Hinton and Salakhutdinov 2006)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.vae import Decoder, full
from jaxgen.nn.mlp import MLP

Array = jax.Array


class CodeEncoder(nn.Module):
    """x [B, ...] -> code [B, code], linear in the trunk's features, float32 at least."""

    trunk: nn.Module
    code: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [B, ...]."""
        features = self.trunk(x)
        return full(nn.Dense(self.code, dtype=self.dtype, param_dtype=self.param_dtype)(features))


class Autoencoder(NamedTuple):
    """Networks, and what makes x of the decoder's output; the parameters are {"encoder": ..., "decoder": ...}.

    encoder: x [B, ...] -> code [B, D]. decoder: code -> [B, ...], what the loss sees. mean: output -> x.
    """

    encoder: nn.Module
    decoder: nn.Module
    mean: Callable[[Array], Array] = lambda output: output

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters for data like x [B, ...]."""
        keys = jax.random.split(key)
        code, encoder = self.encoder.init_with_output(keys[0], x)
        return {"encoder": encoder, "decoder": self.decoder.init(keys[1], code)}

    def encode(self, params: Any, x: Array, **options) -> Array:
        """Return the code [B, D] of x [B, ...]. options: of `apply`, such as rngs."""
        return self.encoder.apply(params["encoder"], x, **options)

    def decode(self, params: Any, code: Array, **options) -> Array:
        """Return the decoder's output [B, ...] at a code [B, D]."""
        return self.decoder.apply(params["decoder"], code, **options)

    def reconstruct(self, params: Any, x: Array) -> Array:
        """Return x again [B, ...], as the code remembers it."""
        return self.mean(self.decode(params, self.encode(params, x)))


def mlp_autoencoder(
    shape: Sequence[int],
    hidden: Sequence[int],
    code: int,
    *,
    activation: Callable[[Array], Array] = nn.relu,
    mean: Callable[[Array], Array] = lambda output: output,
    **types,
) -> Autoencoder:
    """Return the fully connected autoencoder of data [B, *shape]: hidden widths, a linear code, and the same back.

    Without hidden layers it is linear, and at its best the projection on as many principal components (Baldi and
    Hornik 1989). types: dtype and param_dtype of the layers.
    """
    there, back = MLP(hidden, activation, **types), MLP(hidden[::-1], activation, **types)
    return Autoencoder(CodeEncoder(there, code, **types), Decoder(back, shape, **types), mean)
