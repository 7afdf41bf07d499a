"""Space into channels."""

import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, constant


class Squeeze(Bijector):
    """[B, H, W, C] -> [B, H/2, W/2, 4C]: each 2x2 square of pixels becomes one (Dinh et al. 2017, section 3.6).

    The four pixels of a square lie side by side in the channels, [row, column, channel] from slow to fast.
    """

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, H/2, W/2, 4C] and zeros [B]. Raises ValueError for an odd height or width."""
        return squeezed(x), constant(jnp.zeros((), x.dtype), x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, H, W, C] and zeros [B]. Raises ValueError for channels that four does not divide."""
        if y.ndim != 4 or y.shape[3] % 4:
            raise ValueError(f"unsqueeze needs images [B, H, W, C] with channels that 4 divides, got {y.shape}")
        b, h, w, c = y.shape
        x = y.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(b, 2 * h, 2 * w, c // 4), constant(jnp.zeros((), y.dtype), y)


def squeezed(x: Array) -> Array:
    """Return x [B, H, W, C] as `Squeeze` has it, [B, H/2, W/2, 4C]. Raises ValueError for an odd height or width."""
    if x.ndim != 4 or x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"squeeze needs images [B, H, W, C] of even height and width, got {x.shape}")
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, 4 * c)
