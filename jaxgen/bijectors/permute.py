"""Fixed reorderings of the last axis, between layers that treat its numbers differently."""

import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array, Bijector, constant


class Reverse(Bijector):
    """The last axis backwards. x: [B, ..., C]."""

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ..., C], and zeros [B]."""
        return x[..., ::-1], constant(jnp.zeros((), x.dtype), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ..., C], and zeros [B]."""
        return self.forward(y)


class Shuffle(Bijector):
    """The last axis in a random order that `seed` fixes, and no parameter. x: [B, ..., C].

    Under `Repeat`, every layer has the same order.
    """

    seed: int = 0

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ..., C], and zeros [B]."""
        return x[..., self.order(x)], constant(jnp.zeros((), x.dtype), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ..., C], and zeros [B]."""
        return y[..., np.argsort(self.order(y))], constant(jnp.zeros((), y.dtype), y)

    def order(self, x: Array) -> np.ndarray:
        """Return which number goes to each place of the last axis, [C]."""
        return np.random.default_rng(self.seed).permutation(x.shape[-1])
