"""The key of what is drawn for scores and pictures, the same at each evaluation: they differ by the model alone."""

import jax


def fixed_key() -> jax.Array:
    """Return it. Made at each call: a module's constant would start JAX before the flags have said on which devices."""
    return jax.random.key(0)
