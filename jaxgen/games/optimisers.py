"""Optimisers that optax lacks."""

import jax
import jax.numpy as jnp
import optax


def clipped(tx: optax.GradientTransformation, bound: float) -> optax.GradientTransformation:
    """Return `tx` with every parameter kept within -bound and bound after its move (Arjovsky et al. 2017, alg. 1)."""

    def update(gradients, state, params):
        moves, state = tx.update(gradients, state, params)
        # Rounding of p + (q - p) could end a hair outside.
        inside = bound * (1 - 1e-6)
        return jax.tree.map(lambda p, m: jnp.clip(p + m, -inside, inside) - p, params, moves), state

    return optax.GradientTransformation(tx.init, update)
