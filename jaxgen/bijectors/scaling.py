"""One learned scale for each number."""

import flax.linen as nn
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, constant


class Scaling(Bijector):
    """y = x * exp(log_scale), number by number (Dinh et al. 2015, "NICE", section 3.3). x: [B, ...]."""

    @nn.compact
    def log_scale(self, x: Array) -> Array:
        """Return the parameter [1, ...], zero at the start."""
        return self.param("log_scale", lambda _: jnp.zeros(x.shape[1:], x.dtype))[None]

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ...] and the log-determinant [B]."""
        log_scale = self.log_scale(x)
        return x * jnp.exp(log_scale), constant(log_scale.sum(), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ...] and the log-determinant [B]."""
        log_scale = self.log_scale(y)
        return y * jnp.exp(-log_scale), constant(-log_scale.sum(), y)
