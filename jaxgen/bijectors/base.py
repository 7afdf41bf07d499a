"""What every invertible layer is: two methods, each the other's inverse, each with its log-determinant."""

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


class Bijector(nn.Module):
    """An invertible layer of one example's shape: vectors [B, D] or images [B, H, W, C].

    By this project's convention a flow's `forward` goes from data to noise. Parameters are made through `forward`,
    because some layers start from the data that they first see. Other batch shapes: jax.vmap.
    """

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y, and log|det dy/dx| [B] in nats. x: [B, ...]; condition: [B, ...] or None."""
        raise NotImplementedError

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x, and log|det dx/dy| [B] in nats. y: [B, ...]; condition: [B, ...] or None."""
        raise NotImplementedError

    def __call__(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Do the same as `forward`."""
        return self.forward(x, condition)


def per_example(x: Array) -> Array:
    """Return [B] from [B, ...]: the sum over all but the first axis."""
    return x.reshape(len(x), -1).sum(-1)


def along_last(parameter: Array, x: Array) -> Array:
    """Return a parameter [C] with as many axes as x [..., C]."""
    return parameter.reshape((1,) * (x.ndim - 1) + parameter.shape)


def constant(log_det: Array, x: Array) -> Array:
    """Return one log-determinant, a scalar, for each example of x: [B]."""
    return jnp.broadcast_to(log_det, (len(x),))


def places(x: Array) -> int:
    """Return how many places, each of C channels, one example has."""
    return x[0].size // x.shape[-1]
