"""Sprites with known factors, drawn on demand: for disentanglement, after dSprites (Matthey et al. 2017)."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.dataset import Dataset

Array = jax.Array

SIDE = 32
FACTORS = ("shape", "scale", "rotation", "x", "y", "colour")
FACTOR_SIZES = (3, 6, 8, 8, 8, 6)
SHAPES = ("square", "ellipse", "heart")
RADII = np.linspace(3.0, 8.0, 6, dtype=np.float32)  # of the circle around the sprite, in pixels
CENTRES = np.linspace(9.0, 23.0, 8, dtype=np.float32)  # the largest sprite stays inside the picture
# A square looks the same after a quarter turn and an ellipse after half of one: each shape's eight rotations
# divide its own period, so that all of them look different.
PERIODS = np.array([np.pi / 2, np.pi, 2 * np.pi], np.float32)
COLOURS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], np.float32)
SIZES = {"train": 20_000, "validation": 2_000, "test": 2_000}


def render(factor: Array) -> Array:
    """Draws sprites, antialiased, on black.

    Args:
      factor: integers ``[B, 6]``, the columns as `FACTORS`, each in ``0..FACTOR_SIZES - 1``: shape (square,
        ellipse, heart), scale (radius 3 to 8 pixels), rotation (eighths of the shape's period: a quarter, a
        half, a whole turn), x and y of the centre (rightwards, downwards), colour (six hues).

    Returns:
      uint8 ``[B, 32, 32, 3]``. Pure and jittable.
    """
    chex.assert_shape(factor, (None, len(FACTORS)))
    shape, scale, rotation, column, row, colour = jnp.moveaxis(factor, 1, 0)
    radius = jnp.asarray(RADII)[scale][:, None, None]
    angle = (jnp.asarray(PERIODS)[shape] * rotation / FACTOR_SIZES[2])[:, None, None]
    pixel = jnp.arange(SIDE, dtype=jnp.float32) + 0.5
    dx = pixel[None, None, :] - jnp.asarray(CENTRES)[column][:, None, None]
    dy = pixel[None, :, None] - jnp.asarray(CENTRES)[row][:, None, None]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    # In the sprite's own axes, and in units of its radius; v points up.
    u, v = (cos * dx + sin * dy) / radius, (sin * dx - cos * dy) / radius
    distances = jnp.stack([_square(u, v), _ellipse(u, v), _heart(u, v)])
    distance = jnp.take_along_axis(distances, shape[None, :, None, None], axis=0)[0] * radius
    cover = jnp.clip(0.5 - distance, 0, 1)  # of each pixel, by its centre's distance to the outline
    tint = jnp.asarray(COLOURS)[colour][:, None, None, :]
    return jnp.round(255 * cover[..., None] * tint).astype(jnp.uint8)


def load() -> Dataset:
    """24,000 different sprites: no combination of factors is in two parts."""
    combination = np.random.RandomState(0).permutation(np.prod(FACTOR_SIZES))[: sum(SIZES.values())]
    factor = np.stack(np.unravel_index(combination, FACTOR_SIZES), axis=1).astype(np.int32)
    draw = jax.jit(render)
    image = np.concatenate([np.asarray(draw(chunk)) for chunk in np.split(factor, len(factor) // 2_000)])
    cuts = np.cumsum(list(SIZES.values()))[:-1]
    parts = zip(SIZES, np.split(image, cuts), np.split(factor, cuts), strict=True)
    return Dataset(
        name="shapes",
        **{part: {"image": images, "factor": factors} for part, images, factors in parts},
        source="procedural sprites, 24,000 of the 55,296 combinations of factors drawn with seed 0, none in two parts",
        levels=256,
        factors=FACTORS,
    )


# Signed distances to the outline of shapes that touch the unit circle, negative inside (Quilez, "2D distance
# functions", iquilezles.org/articles/distfunctions2d). Inside a pixel of the outline they are all that counts.


def _square(u: Array, v: Array) -> Array:
    half = np.float32(np.sqrt(0.5))
    du, dv = jnp.abs(u) - half, jnp.abs(v) - half
    outside = jnp.hypot(jnp.maximum(du, 0), jnp.maximum(dv, 0))
    return outside + jnp.minimum(jnp.maximum(du, dv), 0)


def _ellipse(u: Array, v: Array, flat: float = 0.5) -> Array:
    # To first order at the outline: the level set's value over its slope. The floors matter at the centre.
    level = jnp.hypot(u, v / flat)
    slope = jnp.hypot(u, v / flat**2)
    return (level - 1) * jnp.maximum(level, 1e-6) / jnp.maximum(slope, 1e-6)


def _heart(u: Array, v: Array) -> Array:
    size = 0.675  # of the circle around the textbook heart, whose tip is at the origin and middle at 0.55
    u, v = jnp.abs(u) * size, v * size + 0.55
    lobe = jnp.hypot(u - 0.25, v - 0.75) - np.float32(np.sqrt(2) / 4)
    along = jnp.maximum(u + v, 0) / 2
    flank = jnp.minimum(jnp.hypot(u, v - 1), jnp.hypot(u - along, v - along)) * jnp.sign(u - v)
    return jnp.where(u + v > 1, lobe, flank) / size
