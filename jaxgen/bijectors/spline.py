"""Monotone rational-quadratic splines of one number (Durkan et al. 2019, "Neural spline flows")."""

import math
from functools import partial

import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array
from jaxgen.bijectors.elementwise import Elementwise
from jaxgen.nn.apart import apart

LEAST = 1e-3
"""The least slope at a knot, and the least width and height of a bin as parts of the whole (their code)."""

MOST = 128
"""The most bins: the program has a piece for each."""


def rational_quadratic(bins: int = 8, bound: float = 3.0) -> Elementwise:
    """Return a spline of `bins` pieces from [-bound, bound] to itself, and y = x beyond (section 3.1, "linear tails").

    Parameters of a number, 3 * bins - 1: logits of the bins' widths, of their heights, and what the slopes at the
    inner knots follow from; the slope at both ends is 1, so that the derivative is continuous. Zeros are y = x.
    Compile time grows with the bins. Gradients are of reverse mode; `forward` has no `jax.jvp`.
    Raises ValueError for less than one bin or more than `MOST`, or a bound not above 0.
    """
    if not 1 <= bins <= MOST:
        raise ValueError(f"a spline needs from 1 to {MOST} bins, got {bins}")
    if not 0 < bound < math.inf:
        raise ValueError(f"a spline needs a finite bound above 0, got {bound}")

    def inverse(y, p):
        v, _, left, width, bottom, height, low, high = _located(y, p, bins, bound, 1)[2]
        low, high = _slope(low), _slope(high)
        at = solve((v - bottom) / height, height / width, low, high)
        log_slope = log_derivative(at, height / width, low, high)
        inside = jnp.abs(y) < bound
        return jnp.where(inside, 2 * bound * (left + width * at) - bound, y), jnp.where(inside, -log_slope, 0)

    return Elementwise(3 * bins - 1, lambda x, p: transform(x, p, bins, bound), inverse)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def transform(x: Array, p: Array, bins: int, bound: float) -> tuple[Array, Array]:
    """Return y and log|dy/dx|, each [...]. x: [...]; p: [..., 3 * bins - 1].

    The gradient is by hand, and its parts stay apart in the compiled program: left to itself XLA's CPU backend fuses
    what is said once a number into what is done for each of its parameters, and works it out for each again.
    """
    return _transform(x, p, bins, bound)[0]


def _transform(x: Array, p: Array, bins: int, bound: float) -> tuple[tuple[Array, Array], tuple]:
    shares, scales, place = _located(x, p, bins, bound, 0)
    return apart(partial(_values, bound=bound), x, place), (x, shares, scales, place)


def _located(x: Array, p: Array, bins: int, bound: float, axis: int) -> tuple:
    """Return the sizes of bins, and where x (axis 0) or y (axis 1) lies among them."""
    if p.shape[-1] != 3 * bins - 1:
        raise ValueError(f"a spline of {bins} bins takes {3 * bins - 1} parameters, got {p.shape[-1]}")
    shares = apart(partial(_shares, bins=bins), p)
    scales = apart(partial(_scales, bins=bins), shares)
    return shares, scales, apart(partial(_place, bins=bins, bound=bound, axis=axis), x, p, shares, scales)


def _gradient(bins: int, bound: float, kept: tuple, cotangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, shares, scales, place = kept
    of_x, across, up, ends = apart(partial(_pull, bins=bins, bound=bound), x, scales, place, cotangents)
    return of_x, apart(partial(_spread, bins=bins), shares, place[1], across, up, ends)


transform.defvjp(_transform, _gradient)


def _shares(p: Array, *, bins: int) -> Array:
    """Return the bins' widths and heights [..., 2, bins], each but for the factor that makes them sum to their room."""
    logits = p[..., : 2 * bins].reshape(*p.shape[:-1], 2, bins)
    return jnp.exp(logits - logits.max(-1, keepdims=True))


def _scales(shares: Array, *, bins: int) -> tuple[Array, Array]:
    """Return that factor for widths and heights, each [...]."""
    return tuple((1 - LEAST * bins) / sum(shares[..., i, k] for k in range(bins)) for i in range(2))


def _place(
    x: Array, p: Array, shares: Array, scales: tuple[Array, Array], *, bins: int, bound: float, axis: int
) -> tuple:
    """Return x as part of the interval, its bin's number, where the bin begins and its size across and up, and what
    the slopes at its ends follow from; each [...].
    """
    # Cut before the spline, so that what the tails leave out has finite gradients too.
    u = (jnp.clip(x, -bound, bound) + bound) / (2 * bound)
    zero = jnp.zeros_like(u)

    def ends_of(i):
        found = [zero]
        for k in range(bins - 1):
            found.append(found[-1] + (LEAST + scales[i] * shares[..., i, k]))
        return [*found, jnp.ones_like(u)]

    across, up, said = ends_of(0), ends_of(1), [zero, *(p[..., 2 * bins + k] for k in range(bins - 1)), zero]
    here, ends = zero, [each[i] for each in (across, up, said) for i in range(2)]
    for k in range(1, bins):
        beyond = u >= (across, up)[axis][k]
        here = jnp.where(beyond, k, here)
        new = [each[k + i] for each in (across, up, said) for i in range(2)]
        ends = [jnp.where(beyond, one, other) for one, other in zip(new, ends, strict=True)]
    left, right, bottom, top, low, high = ends
    # The size is the difference of its rounded edges: so a number between them is never outside the bin, where the
    # quotient may have a pole.
    return u, here, left, right - left, bottom, top - bottom, low, high


def _piece(u, left, width, bottom, height, low, high) -> tuple[Array, Array]:
    at, mean, ends = (u - left) / width, height / width, (_slope(low), _slope(high))
    return bottom + height * rise(at, mean, *ends), log_derivative(at, mean, *ends)


def _slope(p: Array) -> Array:
    # 1 at a parameter of zero. Without log1p, which XLA's CPU backend does number by number.
    p = p + math.log(math.expm1(1 - LEAST))
    return LEAST + jnp.maximum(p, 0) + jnp.log(1 + jnp.exp(-jnp.abs(p)))


def _values(x: Array, place: tuple, *, bound: float) -> tuple[Array, Array]:
    u, _, *ends = place
    v, log_slope = _piece(u, *ends)
    inside = jnp.abs(x) < bound
    return jnp.where(inside, 2 * bound * v - bound, x), jnp.where(inside, log_slope, 0)


def _pull(x: Array, scales: tuple, place: tuple, cotangents: tuple, *, bins: int, bound: float) -> tuple:
    """Return the gradient of x, [...]; of widths and heights before their exponent, (left of the bin, in it, right of
    it) over their shares; and of what the slopes at both ends follow from.
    """
    u, here, left, width, bottom, height, low, high = place
    inside = jnp.abs(x) < bound
    of_y, of_log = cotangents
    pulled = jax.vjp(_piece, u, left, width, bottom, height, low, high)[1](
        (jnp.where(inside, 2 * bound * of_y, 0), jnp.where(inside, of_log, 0))
    )
    last = here == bins - 1  # which ends at 1, whatever the sizes

    def softmax(begin, size, of_begin, of_size, scale):
        of_begin, of_size = jnp.where(last, of_begin - of_size, of_begin), jnp.where(last, 0, of_size)
        mean = (of_begin * (begin - LEAST * here) + of_size * (size - LEAST)) / (1 - LEAST * bins)
        return scale * (of_begin - mean), scale * (of_size - mean), -scale * mean

    across = softmax(left, width, pulled[1], pulled[2], scales[0])
    up = softmax(bottom, height, pulled[3], pulled[4], scales[1])
    return jnp.where(inside, pulled[0] / (2 * bound), of_y), across, up, pulled[5:]


def _spread(shares: Array, here: Array, across: tuple, up: tuple, ends: tuple, *, bins: int) -> Array:
    """Return the gradient of all parameters, [..., 3 * bins - 1]."""
    here = here[..., None]
    number = jnp.arange(bins, dtype=here.dtype).reshape((1,) * (here.ndim - 1) + (bins,))
    parts = [
        shares[..., i, :]
        * jnp.where(number < here, a[..., None], jnp.where(number == here, b[..., None], c[..., None]))
        for i, (a, b, c) in enumerate((across, up))
    ]
    low, high = (end[..., None] for end in ends)
    knot = number[..., : bins - 1]
    return jnp.concatenate([*parts, jnp.where(knot == here - 1, low, jnp.where(knot == here, high, 0))], axis=-1)


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
