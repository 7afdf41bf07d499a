"""Activation normalisation: a scale and a shift of every channel, started from data."""

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, along_last, constant, places


class ActNorm(Bijector):
    """y = (x - location) * exp(log_scale), channel by channel (Kingma and Dhariwal 2018, "Glow", section 3.1).

    Location and scale start from the batch that the parameters are made with, so that its y has mean 0 and
    deviation 1 in each channel; from then on they are parameters like any other, and nothing hangs on the batch. x:
    [B, ..., C].
    """

    @nn.compact
    def parameters(self, x: Array, start: bool) -> tuple[Array, Array]:
        """Return location and log scale, each [C]; with `start`, x [B, ..., C] may be what they start from."""
        if self.is_initializing() and not start:
            raise ValueError("actnorm starts from data: make its parameters through forward, not inverse")
        flat = x.reshape(-1, x.shape[-1])
        location = self.param("location", lambda _: flat.mean(0))
        return location, self.param("log_scale", lambda _: -jnp.log(flat.std(0) + 1e-6))

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ..., C] and the log-determinant [B]."""
        location, log_scale = self.parameters(x, True)
        y = (x - along_last(location, x)) * along_last(jnp.exp(log_scale), x)
        return y, constant(places(x) * log_scale.sum(), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ..., C] and the log-determinant [B]."""
        location, log_scale = self.parameters(y, False)
        x = y * along_last(jnp.exp(-log_scale), y) + along_last(location, y)
        return x, constant(-places(y) * log_scale.sum(), y)
