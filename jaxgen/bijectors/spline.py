"""Monotone rational-quadratic splines of one number (Durkan et al. 2019, "Neural spline flows")."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array
from jaxgen.bijectors.elementwise import Elementwise

LEAST = 1e-3
"""The least slope at a knot, and the least width and height of a bin as parts of the whole (their code)."""


def rational_quadratic(bins: int = 8, bound: float = 3.0) -> Elementwise:
    """Return a spline of `bins` pieces from [-bound, bound] to itself, and y = x beyond (section 3.1, "linear tails").

    Parameters of a number, 3 * bins - 1: logits of the bins' widths, of their heights, and what the slopes at the
    inner knots follow from; the slope at both ends is 1, so that the derivative is continuous. Zeros are y = x.
    Raises ValueError for less than one bin, as many that the least width leaves no room, or a bound not above 0.
    """
    if not 1 <= bins < 1 / LEAST:
        raise ValueError(f"a spline needs from 1 to {round(1 / LEAST) - 1} bins, got {bins}")
    if not 0 < bound < math.inf:
        raise ValueError(f"a spline needs a finite bound above 0, got {bound}")

    def forward(x, p):
        across, up, slopes = knots(p, bins)
        # Cut before the spline, so that what the tails leave out has finite gradients too.
        inside, u = jnp.abs(x) < bound, (jnp.clip(x, -bound, bound) + bound) / (2 * bound)
        here = locate(u, across)
        (left, width), (bottom, height), ends = piece(here, across), piece(here, up), pick(here, slopes)
        at = (u - left) / width
        v = bottom + height * rise(at, height / width, *ends)
        log_slope = log_derivative(at, height / width, *ends)
        return jnp.where(inside, 2 * bound * v - bound, x), jnp.where(inside, log_slope, 0)

    def inverse(y, p):
        across, up, slopes = knots(p, bins)
        inside, v = jnp.abs(y) < bound, (jnp.clip(y, -bound, bound) + bound) / (2 * bound)
        here = locate(v, up)
        (left, width), (bottom, height), ends = piece(here, across), piece(here, up), pick(here, slopes)
        at = solve((v - bottom) / height, height / width, *ends)
        log_slope = log_derivative(at, height / width, *ends)
        return jnp.where(inside, 2 * bound * (left + width * at) - bound, y), jnp.where(inside, -log_slope, 0)

    return Elementwise(3 * bins - 1, forward, inverse)


def knots(p: Array, bins: int) -> tuple[Array, Array, Array]:
    """Return the knots' places across and up, from 0 to 1, and the slopes there, each [..., bins + 1].

    p: [..., 3 * bins - 1].
    """
    if p.shape[-1] != 3 * bins - 1:
        raise ValueError(f"a spline of {bins} bins takes {3 * bins - 1} parameters, got {p.shape[-1]}")
    # A slope of 1 at a parameter of zero.
    inner = LEAST + jax.nn.softplus(p[..., 2 * bins :] + math.log(math.expm1(1 - LEAST)))
    end = jnp.ones_like(p[..., :1])
    return edges(p[..., :bins]), edges(p[..., bins : 2 * bins]), jnp.concatenate([end, inner, end], axis=-1)


def edges(logits: Array) -> Array:
    """Return where bins of [0, 1] begin and end, [..., bins + 1], from the logits of their sizes [..., bins]."""
    bins = logits.shape[-1]
    sizes = LEAST + (1 - LEAST * bins) * jax.nn.softmax(logits)
    summing = np.triu(np.ones((bins, bins - 1))).astype(logits.dtype)
    inner = jnp.matmul(sizes, summing, precision=jax.lax.Precision.HIGHEST)
    end = jnp.ones_like(logits[..., :1])
    return jnp.concatenate([0 * end, inner, end], axis=-1)


def locate(u: Array, edges: Array) -> Array:
    """Return in which bin u [...] in [0, 1] lies: booleans [..., bins], one of them true. edges: [..., bins + 1].

    Comparisons, and sums over bins, stand in for a search and gathers.
    """
    beyond = u[..., None] >= edges[..., 1:-1]
    always = jnp.ones((*u.shape, 1), bool)
    return jnp.concatenate([always, beyond], axis=-1) & ~jnp.concatenate([beyond, ~always], axis=-1)


def pick(here: Array, values: Array) -> tuple[Array, Array]:
    """Return the values [..., bins + 1] at the left and right end of the bin, each [...]."""
    return jnp.where(here, values[..., :-1], 0).sum(-1), jnp.where(here, values[..., 1:], 0).sum(-1)


def piece(here: Array, edges: Array) -> tuple[Array, Array]:
    """Return where the bin begins and its size, each [...].

    The size is the difference of its rounded edges: so a number between them is never outside the bin, where the
    quotient may have a pole.
    """
    begin, end = pick(here, edges)
    return begin, end - begin


def rise(at: Array, mean: Array, low: Array, high: Array) -> Array:
    """Return the part of its height that a piece has risen by at a part of its width in [0, 1] (equation 4).

    mean: height over width, s_k. low, high: slopes at its ends, delta_k and delta_k+1.
    """
    both = at * (1 - at)
    return (mean * at**2 + low * both) / (mean + (low + high - 2 * mean) * both)


def log_derivative(at: Array, mean: Array, low: Array, high: Array) -> Array:
    """Return the logarithm of the piece's slope (equation 5)."""
    both = at * (1 - at)
    above = high * at**2 + 2 * mean * both + low * (1 - at) ** 2
    return jnp.log(above * (mean / (mean + (low + high - 2 * mean) * both)) ** 2)


def solve(risen: Array, mean: Array, low: Array, high: Array) -> Array:
    """Return where a piece has risen by that part of its height: equations 6 to 8, divided by the height.

    Of the root's two formulas the one that subtracts no nearly equal numbers.
    """
    bend = (low + high - 2 * mean) * risen
    a, b, c = mean - low + bend, low - bend, -mean * risen
    # Never negative but for rounding; a root of 0 would have no gradient.
    discriminant = jnp.maximum(b**2 - 4 * a * c, jnp.finfo(a.dtype).tiny)
    large = jnp.abs(b) + jnp.sqrt(discriminant)
    down = b < 0
    root = jnp.where(down, large / jnp.where(down, 2 * a, 1), -2 * c / large)
    # Where the piece is almost flat, rounding may put the root outside of it. The gradient knows nothing of the cut.
    return root + jax.lax.stop_gradient(jnp.clip(root, 0, 1) - root)
