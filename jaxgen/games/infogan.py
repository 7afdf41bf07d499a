"""InfoGAN's further player part: codes that can be read off what is generated (Chen et al. 2016)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.games.clustering import Clustering
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


def codes_of(z: Array, categories: int, continuous: int) -> tuple[Array, Array]:
    """Return the categories [n, categories], one-hot, and the continuous codes [n, continuous] of z; see `coded`."""
    first, end = z.shape[1] - categories - continuous, z.shape[1] - continuous
    return z[:, first:end], z[:, end:]


def information(
    reader: nn.Module,
    categories: int,
    continuous: int,
    *,
    weight: float = 1.0,
    smooth: float = 1.0,
    clustering: Clustering | None = None,
) -> dict[str, Term]:
    """Return the terms by name: -log q(c|x) of both kinds of codes, in both players' losses.

    weight: of the categories. smooth: of the continuous codes.
    clustering: reads the categories in the reader's place, and learns from real examples alone; a bound on the mutual
    information whatever it reads, the term is then the generator's only, and zero until the clustering has settled.
    """
    first = 0 if clustering else categories  # of what the reader reads

    def read(params, played: Played) -> Array:
        return reader.apply({"params": params[READER]}, played.on_fake.features)

    def category(params, played: Played) -> Array:
        code, _ = codes_of(played.z, categories, continuous)
        if not clustering:
            return categorical_surprise(code, read(params, played)[:, :categories])
        surprise = categorical_surprise(code, clustering.logits(params, played.state.extra, played.fake))
        moves = played.state.step + 1  # the clustering moves first in each step
        return jnp.where(clustering.settled(moves), surprise, 0)

    def smooth_codes(params, played: Played) -> Array:
        return gaussian_surprise(codes_of(played.z, categories, continuous)[1], read(params, played)[:, first:])

    terms = {}
    if categories:
        terms["category"] = Term(category, 0.0 if clustering else weight, weight)
    if continuous:
        terms["continuous"] = Term(smooth_codes, smooth, smooth)
    return terms
