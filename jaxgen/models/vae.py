"""The variational autoencoder (Kingma and Welling 2014): p(z) = N(0, 1), q(z|x) Gaussian, p(x|z) by a decoder."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.losses import likelihoods
from jaxgen.nn.conv import Conv

Array = jax.Array


def full(x: Array) -> Array:
    """Return x in float32, or in its own type where that is wider: losses and sums are taken there."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


class Encoder(nn.Module):
    """x [B, ...] -> mean and log standard deviation of q(z|x), each [B, latent], float32 at least."""

    trunk: nn.Module
    latent: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        """x: [B, ...], in [0, 1] for images."""
        features = self.trunk(x)
        both = nn.Dense(2 * self.latent, dtype=self.dtype, param_dtype=self.param_dtype)(features)
        mean, log_scale = jnp.split(full(both), 2, axis=-1)
        return mean, log_scale


class Decoder(nn.Module):
    """z [B, latent] -> one number a dimension of x, [B, *shape], float32 at least: logits or means."""

    trunk: nn.Module
    shape: Sequence[int]
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        """z: [B, latent]."""
        features = self.trunk(z)
        if features.ndim == 4:
            return full(Conv(self.shape[-1], dtype=self.dtype, param_dtype=self.param_dtype)(features))
        flat = nn.Dense(math.prod(self.shape), dtype=self.dtype, param_dtype=self.param_dtype)(features)
        return full(flat.reshape(len(z), *self.shape))


class LocationScale(nn.Module):
    """z -> (mean [B, *shape], log scale, a scalar), of a gaussian or a logistic.

    The scale is `scale` where that is given, else learned, from exp(-2) on.
    """

    mean: Decoder
    scale: float | None = None

    @nn.compact
    def __call__(self, z: Array) -> tuple[Array, Array]:
        """z: [B, latent]."""
        if self.scale is None:
            return self.mean(z), self.param("log_scale", nn.initializers.constant(-2.0), (), self.mean.param_dtype)
        return self.mean(z), math.log(self.scale)


class Output(NamedTuple):
    """A kind of p(x|z), of what a decoder returns: its log-density [B] in nats, and its mean [B, ...]."""

    log_likelihood: Callable[[Array, Any], Array]
    mean: Callable[[Any], Array]


BERNOULLI = Output(likelihoods.bernoulli, jax.nn.sigmoid)
GAUSSIAN = Output(lambda x, output: likelihoods.gaussian(x, *output), lambda output: output[0])


def logistic(levels: int) -> Output:
    """Return the discretised logistic output with `levels` values in [0, 1]; its mean is the location, cut there."""
    log_p = partial(likelihoods.discretised_logistic, levels=levels)
    return Output(lambda x, output: log_p(x, *output), lambda output: jnp.clip(output[0], 0.0, 1.0))


class VAE(NamedTuple):
    """Networks and output kind; the parameters are {"encoder": ..., "decoder": ...}."""

    encoder: nn.Module
    decoder: nn.Module
    output: Output
    latent: int

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters for data like x [B, ...]."""
        keys = jax.random.split(key)
        return {
            "encoder": self.encoder.init(keys[0], x),
            "decoder": self.decoder.init(keys[1], jnp.zeros((len(x), self.latent))),
        }

    def encode(self, params: Any, x: Array) -> tuple[Array, Array]:
        """Return mean and log standard deviation of q(z|x), each [B, latent]."""
        return self.encoder.apply(params["encoder"], x)

    def draw(self, params: Any, x: Array, key: Array) -> tuple[Array, Array, Array]:
        """Return z ~ q(z|x), by reparameterisation, beside q's mean and log standard deviation, each [B, latent]."""
        mean, log_scale = self.encode(params, x)
        return mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape), mean, log_scale

    def decode(self, params: Any, z: Array) -> Any:
        """Return the decoder's output at z [B, latent]."""
        return self.decoder.apply(params["decoder"], z)

    def expect(self, params: Any, z: Array) -> Array:
        """Return E[x|z] [B, ...]."""
        return self.output.mean(self.decode(params, z))

    def log_weights(self, params: Any, x: Array, *, beta: Array | float = 1.0) -> Callable[[Array, int], Array]:
        """Return (key, n) -> log p(x|z) + beta (log p(z) - log q(z|x)) [n, B] in nats, for n draws z ~ q(z|x).

        x [B, ...] is encoded once. beta: 1 for the importance weights of log p(x).
        """
        mean, log_scale = self.encode(params, x)

        def one(noise: Array) -> Array:
            z = mean + jnp.exp(log_scale) * noise
            # log N(z; 0, 1) - log N(z; mean, scale): the constants cancel.
            prior_to_posterior = (0.5 * (noise**2 - z**2) + log_scale).sum(-1)
            return self.output.log_likelihood(x, self.decode(params, z)) + beta * prior_to_posterior

        return lambda key, n: jax.vmap(one)(jax.random.normal(key, (n, *mean.shape)))

    def prior_log_weights(self, params: Any, x: Array) -> Callable[[Array, int], Array]:
        """Return (key, n) -> log p(x|z) [n, B] in nats, for n draws z ~ p(z): the weights of naive Monte Carlo."""

        def one(z: Array) -> Array:
            return self.output.log_likelihood(x, self.decode(params, z))

        return lambda key, n: jax.vmap(one)(jax.random.normal(key, (n, len(x), self.latent)))

    def log_weight(self, theta: Any, z: Array) -> Array:
        """Return log p(x, z) - log q(z|x) [B] in nats at z [B, latent].

        theta: (parameters of the decoder, x [B, ...], mean, log standard deviation of q [B, latent]).
        """
        decoder, x, mean, log_scale = theta
        noise = (z - mean) * jnp.exp(-log_scale)
        prior_to_posterior = (0.5 * (noise**2 - z**2) + log_scale).sum(-1)
        return self.output.log_likelihood(x, self.decode({"decoder": decoder}, z)) + prior_to_posterior
