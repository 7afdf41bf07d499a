"""Optimisers that optax lacks."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax


def clipped(
    tx: optax.GradientTransformation, bound: float, of: Callable[[str], bool] | None = None
) -> optax.GradientTransformation:
    """Return `tx` with every parameter kept within -bound and bound after its move (Arjovsky et al. 2017, alg. 1).

    of: which networks, by name, where a player moves several; all unless given.
    """

    def update(gradients, state, params):
        moves, state = tx.update(gradients, state, params)

        def move(p, m):
            # p + (q - p) is q but for the rounding of both: as much room is left, more for weights from far outside.
            room = jnp.finfo(p.dtype).eps * (jnp.abs(p) + bound)
            inside = jnp.maximum(bound - room, 0.0)
            return jnp.clip(p + m, -inside, inside) - p

        if of is None:
            return jax.tree.map(move, params, moves), state
        return {name: jax.tree.map(move, params[name], own) if of(name) else own for name, own in moves.items()}, state

    return optax.GradientTransformation(tx.init, update)
