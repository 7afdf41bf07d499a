"""Images as vectors."""

import math

import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, constant


class Flatten(Bijector):
    """[B, *shape] -> [B, D], and back."""

    shape: tuple[int, ...]

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, D] and zeros [B]. Raises ValueError for examples of another shape."""
        if x.shape[1:] != tuple(self.shape):
            raise ValueError(f"expected examples of shape {tuple(self.shape)}, got {x.shape}")
        return x.reshape(len(x), -1), constant(jnp.zeros((), x.dtype), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, *shape] and zeros [B]. Raises ValueError for vectors of another length."""
        if y.shape[1:] != (math.prod(self.shape),):
            raise ValueError(f"expected vectors [B, {math.prod(self.shape)}], got {y.shape}")
        return y.reshape(-1, *self.shape), constant(jnp.zeros((), y.dtype), y)
