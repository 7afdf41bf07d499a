"""Networks that also see a condition, such as a class (Sohn et al. 2015)."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.vae import VAE

Array = jax.Array


class Given(NamedTuple):
    """A network with its condition [B, K] fixed: it takes the place of the network itself."""

    network: nn.Module
    condition: Array

    def init(self, key: Array, x: Array) -> Any:
        """Return fresh parameters."""
        return self.network.init(key, join(x, self.condition))

    def apply(self, params: Any, x: Array) -> Any:
        """Return what the network makes of x [B, ...] beside its condition."""
        return self.network.apply(params, join(x, self.condition))


def join(x: Array, condition: Array) -> Array:
    """Return x with its condition [B, K] beside it: [B, D + K], or images with K constant maps more."""
    condition = condition.astype(x.dtype)
    if x.ndim == 4:
        condition = jnp.broadcast_to(condition[:, None, None, :], (*x.shape[:3], condition.shape[-1]))
    return jnp.concatenate([x, condition], axis=-1)


def given(vae: VAE, condition: Array) -> VAE:
    """Return the model of p(x|c): encoder q(z|x, c), decoder p(x|z, c), for one batch's condition [B, K]."""
    return vae._replace(encoder=Given(vae.encoder, condition), decoder=Given(vae.decoder, condition))
