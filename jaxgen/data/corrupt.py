"""Corruptions that a denoising autoencoder undoes: pure functions (key, x, *, ...) -> x of the same shape.

Vincent et al. 2010, "Stacked Denoising Autoencoders", section 3.3. x is real-valued, [B, ...]; levels may be traced,
then nobody checks them. A corruption that leaves nothing of x raises ValueError: there is no way back.
"""

import math

import jax
import jax.numpy as jnp

Array = jax.Array


def gaussian(key: Array, x: Array, *, level: Array | float) -> Array:
    """Return x plus normal noise of standard deviation `level`, in units of x; it leaves the range of x."""
    _check("gaussian", level, 0, float("inf"))
    return x + level * jax.random.normal(key, x.shape, x.dtype)


def masking(key: Array, x: Array, *, level: Array | float) -> Array:
    """Return x with each number set to 0 with probability `level`, in [0, 1): at least one is left, in the mean."""
    _check("masking", level, 0, 1)
    _check_left("masking", level, x.shape)
    return jnp.where(jax.random.bernoulli(key, level, x.shape), 0, x)


def salt_and_pepper(key: Array, x: Array, *, level: Array | float, low: float = 0.0, high: float = 1.0) -> Array:
    """Return x with each number replaced, with probability `level`, by `low` or `high` at equal odds.

    level: in [0, 1): at least one number is left, in the mean.
    """
    _check("salt and pepper", level, 0, 1)
    _check_left("salt and pepper", level, x.shape)
    u = jax.random.uniform(key, x.shape, x.dtype)
    return jnp.where(u < level / 2, low, jnp.where(u < level, high, x))


def block(key: Array, x: Array, *, height: int, width: int) -> Array:
    """Return images [B, H, W, C] in which a block of this size is 0, at a place of its own in each: `block_mask`."""
    return jnp.where(block_mask(key, x.shape, height=height, width=width), 0, x)


def block_mask(key: Array, shape: tuple[int, ...], *, height: int, width: int) -> Array:
    """Return [B, H, W, 1], true in one block an image, all places within the image equally likely.

    shape: [B, H, W, C]. Raises ValueError for a block that is empty, sticks out, or hides the whole image.
    """
    if len(shape) != 4:
        raise ValueError(f"block: expected images [B, H, W, C], got shape {tuple(shape)}")
    size = tuple(shape[1:3])
    if not (1 <= height <= size[0] and 1 <= width <= size[1]) or (height, width) == size:
        raise ValueError(f"block: expected a part of the {size[0]} x {size[1]} image, got {height} x {width}")
    keys = jax.random.split(key)
    inside = []
    for axis, (side, length) in enumerate(zip((height, width), size, strict=True)):
        start = jax.random.randint(keys[axis], (shape[0], 1), 0, length - side + 1)
        place = jnp.arange(length).reshape(1, -1)
        inside.append((place >= start) & (place < start + side))
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[..., None]


def _check(name: str, level: Array | float, low: float, high: float) -> None:
    if isinstance(level, int | float) and not low <= level < high:
        raise ValueError(f"{name}: expected a level of at least {low} and below {high}, got {level}")


def _check_left(name: str, level: Array | float, shape: tuple[int, ...]) -> None:
    numbers = math.prod(shape[1:])
    if isinstance(level, int | float) and (1 - level) * numbers < 1:
        raise ValueError(f"{name}: expected to leave at least one of {numbers} numbers, in the mean, got level {level}")
