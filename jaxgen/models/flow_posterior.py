"""A VAE whose posterior q(z|x) is a flow's (Rezende and Mohamed 2015, section 4; Kingma et al. 2016, "IAF")."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Bijector
from jaxgen.models.vae import VAE

Array = jax.Array


class FlowPosterior(NamedTuple):
    """A VAE, and a bijector from its Gaussian code to the code that is decoded.

    q(z|x) is the density of z = f(z_0; mean, log scale), z_0 ~ N(mean, scale) by the VAE's encoder, whose output is the
    bijector's condition too. Parameters: {"encoder": {"gaussian", "flow"}, "decoder"}. Any bijector of [B, latent] will
    do whose `forward` is cheap; its inverse is never taken.
    """

    vae: VAE
    bijector: Bijector

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters for data like x [B, ...]."""
        keys = jax.random.split(key, 3)
        params = self.vae.init(keys[0], x)
        z, condition = self._start(params["encoder"], x, jax.random.normal(keys[1], (len(x), self.vae.latent)))
        flow = self.bijector.init(keys[2], z, condition)["params"]
        return {"encoder": {"gaussian": params["encoder"], "flow": flow}, "decoder": params["decoder"]}

    def log_weights(self, params: Any, x: Array, *, beta: Array | float = 1.0) -> Callable[[Array, int], Array]:
        """Return (key, n) -> log p(x|z) + beta (log p(z) - log q(z|x)) [n, B] in nats, for n draws z ~ q(z|x).

        beta: 1 for the importance weights of log p(x).
        """
        parts = params["encoder"]
        gaussian = self.vae.encode({"encoder": parts["gaussian"]}, x)

        def one(noise: Array) -> Array:
            z, log_ratio = self._code(parts["flow"], gaussian, noise)
            return self.vae.output.log_likelihood(x, self.vae.decode(params, z)) + beta * log_ratio

        return lambda key, n: jax.vmap(one)(jax.random.normal(key, (n, *gaussian[0].shape)))

    def reconstruct(self, params: Any, x: Array) -> Array:
        """Return E[x|z] [B, ...] at the code that the Gaussian's mean goes to."""
        parts = params["encoder"]
        gaussian = self.vae.encode({"encoder": parts["gaussian"]}, x)
        return self.vae.expect(params, self._code(parts["flow"], gaussian, jnp.zeros_like(gaussian[0]))[0])

    def _code(self, flow: Any, gaussian: tuple[Array, Array], noise: Array) -> tuple[Array, Array]:
        """Return z [B, latent], and log p(z) - log q(z|x) [B]."""
        mean, log_scale = gaussian
        start = mean + jnp.exp(log_scale) * noise
        z, log_det = self.bijector.apply({"params": flow}, start, jnp.concatenate(gaussian, axis=-1))
        # log N(z; 0, 1) - log N(start; mean, scale): the constants cancel.
        return z, (0.5 * (noise**2 - z**2) + log_scale).sum(-1) + log_det

    def _start(self, encoder: Any, x: Array, noise: Array) -> tuple[Array, Array]:
        mean, log_scale = self.vae.encode({"encoder": encoder}, x)
        return mean + jnp.exp(log_scale) * noise, jnp.concatenate([mean, log_scale], axis=-1)
