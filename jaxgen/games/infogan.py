"""InfoGAN's further player part: codes that can be read off what is generated (Chen et al. 2016)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.games.gan import Played, Term
from jaxgen.losses.information import categorical_surprise, gaussian_surprise, uniform_codes
from jaxgen.models.gan import Prior

Array = jax.Array
READER = "reader"  # the network q(c|x)


def coded(noise: int, categories: int, continuous: int) -> Prior:
    """Return the prior of z [n, noise + categories + continuous]: normal noise, then the codes."""

    def prior(key, n):
        keys = jax.random.split(key)
        codes = uniform_codes(keys[1], n, categories, continuous)
        return jnp.concatenate([jax.random.normal(keys[0], (n, noise)), codes], axis=1)

    return prior


class Reader(nn.Module):
    """q(c|x) on the discriminator's features: [B, F] -> logits of the categories, then means, [B, codes]."""

    codes: int
    hidden: int = 128
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Array) -> Array:
        """features: [B, F]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        hidden = nn.leaky_relu(nn.Dense(self.hidden, **types)(features), 0.1)
        return nn.Dense(self.codes, **types)(hidden).astype(jnp.float32)


def information(reader: nn.Module, categories: int, continuous: int, *, weight: float = 1.0, smooth: float = 1.0):
    """Return the terms by name: -log q(c|x) of both kinds of codes, in both players' losses.

    weight: of the categories. smooth: of the continuous codes.
    """

    def term(loss: Callable[[Array, Array], Array], begin: int, end: int, factor: float) -> Term:
        def surprise(params, played: Played) -> Array:
            read = reader.apply({"params": params[READER]}, played.on_fake.features)
            codes = played.z[:, played.z.shape[1] - categories - continuous :]
            return loss(codes[:, begin:end], read[:, begin:end])

        return Term(surprise, factor, factor)

    terms = {}
    if categories:
        terms["category"] = term(categorical_surprise, 0, categories, weight)
    if continuous:
        terms["continuous"] = term(gaussian_surprise, categories, categories + continuous, smooth)
    return terms
