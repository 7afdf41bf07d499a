"""How far an encoder f carries a small step of its input: ||J_f(x)||_F^2, each [B], in squared units of code over x.

The contractive autoencoder's penalty (Rifai et al. 2011, "Contractive Auto-Encoders", equations 4 and 6). An
encoder is any function x [B, ...] -> code [B, H] that treats each example on its own.
"""

import math
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

Array = jax.Array
Encoder = Callable[[Array], Array]


def one_layer(slopes: Array, kernel: Array) -> Array:
    """Return ||J||_F^2 [B] of h = s(x W + b) in closed form: sum_j s'(a_j)^2 sum_i W_ij^2.

    slopes: s'(a) [B, H] at each example. kernel: W [D, H].
    """
    chex.assert_rank([slopes, kernel], 2)
    chex.assert_equal_shape_suffix([slopes, kernel], 1)
    return slopes**2 @ (kernel**2).sum(0)


def exact(encode: Encoder, x: Array) -> Array:
    """Return ||J||_F^2 [B] of any encoder, from all of its Jacobian. x: [B, ...]."""
    return (jacobian(encode, x) ** 2).sum((1, 2))


def hutchinson(encode: Encoder, x: Array, key: Array, *, samples: int = 1) -> Array:
    """Return an unbiased estimate of ||J||_F^2 [B], the mean of ||J^T v||^2 over random signs v (Hutchinson 1990).

    Each of the `samples` costs one backward pass, whatever the size of the code. x: [B, ...].
    Raises ValueError for less than one sample.
    """
    if samples < 1:
        raise ValueError(f"hutchinson: expected at least 1 sample, got {samples}")
    code, pullback = jax.vjp(encode, x)
    chex.assert_rank(code, 2)
    signs = jax.random.rademacher(key, (samples, *code.shape), code.dtype)
    rows = jax.vmap(lambda v: pullback(v)[0])(signs)
    return (rows.reshape(samples, len(x), -1) ** 2).sum(-1).mean(0)


def jacobian(encode: Encoder, x: Array) -> Array:
    """Return df_j/dx_i [B, H, D] of any encoder, with x [B, ...] flattened to D numbers an example.

    Row by row or column by column, whichever are fewer: as examples do not touch, one pass serves the whole batch.
    """
    code = jax.eval_shape(encode, x)
    chex.assert_rank(code, 2)
    height, width = code.shape[1], math.prod(x.shape[1:])
    if width < height:
        basis = jnp.eye(width, dtype=x.dtype).reshape(width, 1, *x.shape[1:])
        columns = jax.vmap(lambda e: jax.jvp(encode, (x,), (jnp.broadcast_to(e, x.shape),))[1])(basis)
        return columns.transpose(1, 2, 0)
    _, pullback = jax.vjp(encode, x)
    rows = jax.vmap(lambda e: pullback(jnp.broadcast_to(e, code.shape))[0])(
        jnp.eye(height, dtype=code.dtype).reshape(height, 1, height)
    )
    return rows.reshape(height, len(x), width).transpose(1, 0, 2)
