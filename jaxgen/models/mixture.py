"""A learned mixture of normal distributions, the noise of flows of data in separate modes."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


class Mixture(nn.Module):
    """Of normal distributions over [D] with diagonal covariances; the means are `sample`'s, the scales positive.

    A map without folds takes one mode of noise to modes that bridges join; with a mode of noise each, they need none
    (Izmailov et al. 2020, "Semi-supervised learning with normalizing flows", equation 4, there one a class).
    components: more than the data have modes, as some will share one.
    """

    components: int
    size: int
    param_dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        """Start with narrow components, whose means are drawn so that all together have deviation 1."""
        start, shape = 0.15, (self.components, self.size)  # wider ones overlap, and take longer to part
        spread = nn.initializers.normal(math.sqrt(1 - start**2))
        self.logits = self.param("logits", nn.initializers.zeros, (self.components,), self.param_dtype)
        self.mean = self.param("mean", spread, shape, self.param_dtype)
        self.log_scale = self.param("log_scale", nn.initializers.constant(math.log(start)), shape, self.param_dtype)

    def __call__(self, z: Array, temperature: Array | float = 1.0) -> Array:
        """Return log p(z) [B] in nats of z [B, D]. temperature: scales every component about its mean."""
        log_scale = (self.log_scale + jnp.log(temperature))[None]
        away = (z[:, None] - self.mean[None]) * jnp.exp(-log_scale)
        each = (-0.5 * (away**2 + math.log(2 * math.pi)) - log_scale).sum(-1)
        return jax.nn.logsumexp(nn.log_softmax(self.logits)[None] + each, axis=-1)

    def sample(self, key: Array, n: int, temperature: Array | float = 1.0) -> Array:
        """Return n samples [n, D]."""
        keys = jax.random.split(key)
        which = jax.random.categorical(keys[0], self.logits, shape=(n,))
        noise = jax.random.normal(keys[1], (n, self.size), self.mean.dtype)
        return self.mean[which] + temperature * jnp.exp(self.log_scale[which]) * noise
