"""Augmentations that leave an image's meaning alone: pure functions (key, x [B, H, W, C], ...) -> x of its shape."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

Array = jax.Array


def affine(
    key: Array, x: Array, *, rotate: float = 0.0, scale: float = 0.0, shear: float = 0.0, shift: float = 0.0
) -> Array:
    """Return images [B, H, W, C], each turned, scaled, sheared and shifted at random about its middle.

    rotate: largest angle, radians. scale: largest logarithm of the size's factor. shear: largest shift of x with y.
    shift: largest way along each axis, as a share of the side. All uniform between minus this and this, between pixels
    linear; what comes in from outside is as the border is. Raises ValueError for anything but images.
    """
    if x.ndim != 4:
        raise ValueError(f"affine: expected images [B, H, W, C], got shape {x.shape}")
    draw = jax.random.uniform(key, (5, len(x)), minval=-1.0)
    angle, factor, slant = rotate * draw[0], jnp.exp(scale * draw[1]), shear * draw[2]
    side = jnp.array(x.shape[1:3])
    middle, way = (side - 1) / 2, shift * draw[3:].T * side[None]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    sheared = jnp.array([[jnp.ones_like(slant), jnp.zeros_like(slant)], [slant, jnp.ones_like(slant)]])
    matrix = jnp.einsum("ijb,jkb->bik", jnp.array([[cos, -sin], [sin, cos]]), sheared) / factor[:, None, None]
    grid = jnp.stack(jnp.meshgrid(*(jnp.arange(n) for n in x.shape[1:3]), indexing="ij"))

    def one(image, matrix, way):
        source = jnp.einsum("ij,jhw->ihw", matrix, grid - (middle + way)[:, None, None]) + middle[:, None, None]
        read = partial(map_coordinates, coordinates=list(source), order=1, mode="nearest")
        return jax.vmap(read, in_axes=-1, out_axes=-1)(image)

    return jax.vmap(one)(x, matrix, way).astype(x.dtype)
