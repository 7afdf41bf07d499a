"""Which pixels of images are observed: pure functions (key, shape [B, H, W, C], ...) -> [B, H, W, 1], true where seen.

Each image has a mask of its own, alike for all channels. A mask that hides everything leaves nothing to tell the
rest by, and one that hides nothing has nothing to tell: both raise ValueError.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxgen.data import corrupt

Array = jax.Array
Shape = tuple[int, ...]
Mask = Callable[[Array, Shape], Array]


def random(key: Array, shape: Shape, *, hidden: float) -> Array:
    """Hide each pixel with probability `hidden`: at least one of an image, and not all, in the mean."""
    _check(shape)
    if not 0 < hidden < 1:
        raise ValueError(f"random mask: expected to hide a share above 0 and below 1, got {hidden}")
    pixels = shape[1] * shape[2]
    if not 1 <= hidden * pixels <= pixels - 1:
        raise ValueError(
            f"random mask: expected to hide at least one pixel of {shape[1]} x {shape[2]} and not all, in the mean, "
            f"got a share of {hidden}, {hidden * pixels:.2g} pixels"
        )
    return jax.random.bernoulli(key, 1 - hidden, (*shape[:3], 1))


def left(key: Array, shape: Shape) -> Array:
    """Hide the left half of every image; the middle column of an odd number is seen."""
    return _beyond(shape, 2)


def right(key: Array, shape: Shape) -> Array:
    """Hide the right half of every image; the middle column of an odd number is seen."""
    return _beyond(shape, 2)[:, :, ::-1]


def top(key: Array, shape: Shape) -> Array:
    """Hide the top half of every image; the middle row of an odd number is seen."""
    return _beyond(shape, 1)


def bottom(key: Array, shape: Shape) -> Array:
    """Hide the bottom half of every image; the middle row of an odd number is seen."""
    return _beyond(shape, 1)[:, ::-1]


def half(key: Array, shape: Shape) -> Array:
    """Hide the left, right, top or bottom half of each image, all four equally likely."""
    return any_of(key, shape, (left, right, top, bottom))


def block(key: Array, shape: Shape, *, height: int, width: int) -> Array:
    """Hide a block of this size, at a place of its own in each image: `corrupt.block_mask`."""
    return ~corrupt.block_mask(key, shape, height=height, width=width)


def any_of(key: Array, shape: Shape, masks: Sequence[Mask]) -> Array:
    """Give each image the mask of one of these kinds, all equally likely. Raises ValueError for none."""
    if not masks:
        raise ValueError("any_of: expected at least one kind of mask, got none")
    which, *keys = jax.random.split(key, len(masks) + 1)
    each = jnp.stack([mask(own, shape) for mask, own in zip(masks, keys, strict=True)])
    chosen = jax.random.randint(which, (1, shape[0], 1, 1, 1), 0, len(masks))
    return jnp.take_along_axis(each, chosen, axis=0)[0]


def fixed(index: Array, shape: Shape, mask: Mask, *, seed: int = 0) -> Array:
    """Return the masks [B, H, W, 1] of examples that are hidden once and for all: example i's follows from (seed, i).

    index: integers [B], each example's place in its part. shape: [B, H, W, C].
    """
    # A named implementation: what is hidden must not follow the process's default generator.
    base = jax.random.key(seed, impl="threefry2x32")
    return jax.vmap(lambda i: mask(jax.random.fold_in(base, i), (1, *shape[1:]))[0])(index)


def _beyond(shape: Shape, axis: int) -> Array:
    """Return a mask that is true from half of this axis on."""
    _check(shape)
    length = shape[axis]
    if length < 2:
        raise ValueError(f"half mask: expected images of at least 2 pixels along the half, got {shape[1]} x {shape[2]}")
    seen = (jnp.arange(length) >= length // 2).reshape(*(length if i == axis else 1 for i in range(4)))
    return jnp.broadcast_to(seen, (*shape[:3], 1))


def _check(shape: Shape) -> None:
    if len(shape) != 4:
        raise ValueError(f"mask: expected images [B, H, W, C], got shape {tuple(shape)}")
