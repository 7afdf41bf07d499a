"""Sums over all devices' examples, for layers that need not know whether they are mapped over any."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.game import AXIS


def bound() -> bool:
    """Say whether this is being traced inside a map over devices."""
    try:
        jax.lax.axis_index(AXIS)
    except NameError:
        return False
    return True


def total(x: jax.Array | float) -> jax.Array | float:
    """Return the sum of each device's x under pmap; elsewhere x, which is then of all examples already."""
    return jax.lax.psum(x, AXIS) if bound() else x


def averaged(tree: Any) -> Any:
    """Return the means of each device's arrays under pmap; elsewhere the tree, which is of all examples already."""
    return jax.lax.pmean(tree, AXIS) if bound() else tree


def dealt(x: jax.Array) -> jax.Array:
    """Return x [K, ...], the same on all devices, whose row k is that of device k mod the number of devices."""
    if not bound():
        return x
    mine = jnp.arange(len(x)) % jax.lax.psum(1, AXIS) == jax.lax.axis_index(AXIS)
    return jax.lax.psum(jnp.where(mine.reshape(-1, *[1] * (x.ndim - 1)), x, 0), AXIS)


def gathered(x: jax.Array) -> jax.Array:
    """Return all devices' examples [devices * B, ...] under pmap; elsewhere x [B, ...], which is all of them."""
    return jax.lax.all_gather(x, AXIS, tiled=True) if bound() else x
