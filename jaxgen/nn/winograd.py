"""Strided convolution and its two adjoints with fewer products (Lavin and Gray 2016, "Fast algorithms for
convolutional neural networks", section 4.1).

Two neighbouring outputs of a filter g of r taps on numbers d take r + 1 products instead of 2 r: y = A' [(G g) (B d)],
where A' is A turned round, number by number in between.
Nested over both axes a tile of 2x2 outputs takes (r + 1)^2 instead of 4 r^2: 9 of 16 for two taps, 16 of 36 for three.
Each product is one of matrices, over channels. A kernel of r s taps and stride s is one of r taps and stride 1 on
images whose s^2 phases lie among their channels.

The adjoints are those of `jaxgen.nn.convolution`, of the same tables: T = B' [(G g) (A u)], K = G' [(A u) (B d)].
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.nn.apart import apart

Array = jax.Array

# By the number of taps: the factors of each product, one a row, in the two outputs, in the taps and in the numbers.
A = {2: ((1, 0), (1, 1), (0, 1)), 3: ((1, 0), (1, 1), (1, -1), (0, -1))}
G = {2: ((1, 0), (1, 1), (0, 1)), 3: ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))}
B = {2: ((1, -1, 0), (0, 1, 0), (0, -1, 1)), 3: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))}


MOST = 4 / 3
"""The most outputs of all tiles over those that are wanted."""


def taps(size: Sequence[int], kernel: tuple[int, int], stride: int) -> int | None:
    """Return the number of taps of a phase, None where this form has none for images of this size.

    Or where tiles stick out of what they are for by more than a third: those of 7 outputs each way do by 0.31.
    """
    found, rest = divmod(kernel[0], stride)
    if rest or kernel[0] != kernel[1] or found not in A:
        return None
    out = [-(-side // stride) for side in size]
    covered = tiles(size, stride)
    first = (kernel[0] - stride) // 2  # zeros before an image that the stride divides, and so before each
    before = [((n - 1) * stride + kernel[0] - side) // 2 for n, side in zip(out, size, strict=True)]
    fits = 4 * covered[0] * covered[1] <= MOST * out[0] * out[1]
    return found if fits and before == [first, first] else None


def conv(x: Array, w: Array, stride: int) -> Array:
    """Return C(x, w). x: [B, H, W, C]; w: [kernel, kernel, C, F]."""
    r, count = len(w) // stride, tiles(x.shape[1:3], stride)
    products = [u @ g for u, g in zip(_images(x, r, stride), _weights(w, r, stride), strict=True)]
    y = apart(partial(_outputs, r), [m.reshape(len(x), *count, w.shape[3]) for m in products])
    height, width = (-(-side // stride) for side in x.shape[1:3])
    return y[:, :height, :width]


def conv_transpose(u: Array, w: Array, stride: int, size: tuple[int, int]) -> Array:
    """Return T(u, w) [B, *size, C]. u: [B, ceil(H / stride), ceil(W / stride), F]; w: [kernel, kernel, C, F]."""
    r, count = len(w) // stride, tiles(size, stride)
    products = [m @ g.T for m, g in zip(_cotangents(u, r), _weights(w, r, stride), strict=True)]
    products = [m.reshape(len(u), *count, stride**2 * w.shape[2]) for m in products]
    return apart(partial(_overlapped, r, stride, size), products)


def conv_kernel(x: Array, u: Array, stride: int, kernel: tuple[int, int]) -> Array:
    """Return K(x, u) [*kernel, C, F]. x: [B, H, W, C]; u: [B, ceil(H / stride), ceil(W / stride), F]."""
    r = kernel[0] // stride
    products = [a.T @ m for a, m in zip(_images(x, r, stride), _cotangents(u, r), strict=True)]
    w = apart(partial(_kernel, r), products).reshape(r, r, stride, stride, x.shape[3], u.shape[3])
    return w.transpose(0, 2, 1, 3, 4, 5).reshape(*kernel, x.shape[3], u.shape[3])


def tiles(size: Sequence[int], stride: int) -> list[int]:
    """Return how many tiles of two outputs cover an image each way."""
    return [-(-side // (2 * stride)) for side in size]


def _images(x: Array, r: int, stride: int) -> list[Array]:
    """Return B d for each product: [tiles, stride^2 C], a tile being r + 1 numbers each way."""
    batch, channels, counts = len(x), x.shape[3], tiles(x.shape[1:3], stride)
    low = (r - 1) * stride // 2

    def padded(x):
        for axis, count in enumerate(counts, 1):
            x = _pad(x, axis, low, (2 * count + r - 1) * stride - low - x.shape[axis])
        return x

    def transformed(x):
        both = [down for across in _windows(x, r, 1) for down in _windows(across, r, 3)]
        return [jnp.stack([one[:, :, phase] for phase in range(stride)], 3) for one in both]

    x = apart(padded, x).reshape(batch, 2 * counts[0] + r - 1, stride, -1, stride * channels)
    return [one.reshape(-1, stride**2 * channels) for one in apart(transformed, x)]


def _windows(x: Array, r: int, axis: int) -> list[Array]:
    """Return B d along an axis, whose windows of r + 1 numbers lie 2 apart."""
    last = x.shape[axis] - r - 1
    numbers = [lax.slice_in_dim(x, first, first + last + 1, 2, axis) for first in range(r + 1)]
    return [_sum(factors, numbers) for factors in B[r]]


def _weights(w: Array, r: int, stride: int) -> list[Array]:
    """Return G g for each product: [stride^2 C, F]."""
    channels, features = w.shape[2:]
    w = w.reshape(r, stride, r, stride, channels, features).transpose(0, 2, 1, 3, 4, 5)

    def transformed(w):
        return [_sum(across, _sum(down, w)) for down in G[r] for across in G[r]]

    return apart(transformed, w.reshape(r, r, stride**2 * channels, features))


def _cotangents(u: Array, r: int) -> list[Array]:
    """Return A u for each product: [tiles, F], a tile being 2 numbers each way."""
    batch, height, width, features = u.shape
    counts = tiles((height, width), 1)

    def transformed(u):
        for axis, count in enumerate(counts, 1):
            u = _pad(u, axis, 0, 2 * count - u.shape[axis])
        u = u.reshape(batch, counts[0], 2, counts[1], 2, features)
        rows = [_sum(factors, [u[:, :, i] for i in range(2)]) for factors in A[r]]
        return [_sum(factors, [row[:, :, :, i] for i in range(2)]) for row in rows for factors in A[r]]

    return [one.reshape(-1, features) for one in apart(transformed, u)]


def _outputs(r: int, products: list[Array]) -> Array:
    """Return A' m [B, 2 H, 2 W, F] of products [B, H, W, F]."""
    y = [jnp.stack(row, 3) for row in _sums(A[r], products)]
    batch, height, width, features = products[0].shape
    return jnp.stack(y, 2).reshape(batch, 2 * height, 2 * width, features)


def _kernel(r: int, products: list[Array]) -> Array:
    """Return G' m [r, r, stride^2 C, F]."""
    return jnp.stack([jnp.stack(row) for row in _sums(G[r], products)])


def _overlapped(r: int, stride: int, size: tuple[int, int], products: list[Array]) -> Array:
    """Return B' m [B, *size, C] of products [B, H, W, stride^2 C], a tile each: windows add up where they overlap."""

    def axis(products, axis):
        numbers = [_sum(factors, products) for factors in _turned(B[r])]
        pairs = [_pad(number, axis, 0, 1) for number in numbers[:2]]
        for number, later in enumerate(numbers[2:]):
            pairs[number] = pairs[number] + _pad(later, axis, 1, 0)
        found = jnp.stack(pairs, axis + 1)
        shape = (*found.shape[:axis], 2 * found.shape[axis], *found.shape[axis + 2 :])
        return lax.slice_in_dim(found.reshape(shape), 0, shape[axis] - 3 + r, 1, axis)

    x = axis([axis(column, 1) for column in _columns(products)], 2)
    batch, height, width, _ = x.shape
    x = x.reshape(batch, height, width, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, height * stride, width * stride, -1)
    low = (r - 1) * stride // 2
    return x[:, low : low + size[0], low : low + size[1]]


def _sums(table: Sequence[Sequence[float]], products: list[Array]) -> list[list[Array]]:
    """Return the products' sums by a table turned round, both ways: rows of sums."""
    down = [[_sum(factors, column) for factors in _turned(table)] for column in _columns(products)]
    return [[_sum(factors, row) for factors in _turned(table)] for row in zip(*down, strict=True)]


def _columns(products: list[Array]) -> list[list[Array]]:
    side = math.isqrt(len(products))
    return [products[first::side] for first in range(side)]


def _turned(factors: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    return list(zip(*factors, strict=True))


def _sum(factors: Sequence[float], arrays: Sequence[Array]) -> Array:
    terms = [array if factor == 1 else factor * array for factor, array in zip(factors, arrays, strict=True) if factor]
    return sum(terms[1:], terms[0])


def _pad(x: Array, axis: int, before: int, after: int) -> Array:
    # lax's own, as jnp.pad is a call within the calls of `apart`, which no fusion takes in.
    config = [(before, after, 0) if number == axis else (0, 0, 0) for number in range(x.ndim)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)
