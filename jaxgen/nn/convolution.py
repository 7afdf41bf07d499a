"""Strided convolution and its two adjoints, each the other's derivative, in a form that every backend runs fast.

A convolution y = C(x, w) is linear in both arguments. With T its adjoint in x (the transposed convolution)
and K its adjoint in w, <C(x, w), u> = <x, T(u, w)> = <w, K(x, u)>: the derivatives of each of the three are the
other two, to any order.

JAX's own derivatives of a convolution come with permuted dimensions, which XLA's CPU backend puts in order
outside loops only: inside `scan` or `fori_loop` it falls back to plain loops, up to 80 x slower. On a CPU the
three are therefore written in the one order that its fast kernel takes, in pieces of the size that it is fastest
at, and wide ones with fewer products (`jaxgen.nn.winograd`); GPU and TPU get their native forms.
"""

import math
from functools import partial

import chex
import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.nn import winograd

Array = jax.Array

FORWARD = ("NHWC", "HWIO", "NHWC")

# Measured on a CPU: T in phases takes 0.9 of the time with 64 channels or more, but 1.5 times as long with 3.
# K takes 0.64 to 0.94 of the time where what it contracts fits the cache, here 512 KB of float32 a piece.
# With stride 1 and less than 16 channels on one side one matrix product over all taps is faster than the convolution:
# C and T to few channels take 0.5 to 0.8 of the time, K 0.35 to 0.8; from 24 channels on 0.9 to 1.4. With one tap C
# and T of 64 channels take 0.8 to 0.9 of the time, K 0.3.
# With fewer products (`jaxgen.nn.winograd`) C and T take 0.58 to 0.82 of the time and K 0.68 to 0.86 where both sides
# of each product have 128 channels or more, a tap's phases counted, and where tiles stick out 0.80 to 1.06; with 64
# channels 0.8 to 1.3, and K 1.3 to 1.4 where there are 2^23 sums of x. With few tiles the sums of the weights cost more
# than they save: 256 to 512 channels, 4 tiles, C and K take 3.3 and 1.7 of the time, 32 tiles 0.9 and 1.0.
PHASED, PIECE, PIECES, NARROW, WIDE, TILES, LARGE = 16, 2**17, 8, 16, 128, 32, 2**22


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: Array, w: Array, stride: int) -> Array:
    """Return C(x, w) [B, ceil(H / stride), ceil(W / stride), F], zero-padded alike on both sides ("SAME").

    x: [B, H, W, C]. w: [kernel, kernel, C, F].
    """
    chex.assert_rank([x, w], 4)
    padding = _padding(x.shape[1:3], w.shape[:2], stride)

    def native(x, w):
        return lax.conv_general_dilated(x, w, (stride,) * 2, padding, dimension_numbers=FORWARD)

    def ordered(x, w):
        if _fewer(x.shape[:3], w, stride):
            return winograd.conv(x, w, stride)
        return _added(x, w, padding) if _one_product(stride, w.shape[:2], w.shape[3]) else native(x, w)

    return lax.platform_dependent(x, w, cpu=ordered, default=native)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv_transpose(u: Array, w: Array, stride: int, size: tuple[int, int]) -> Array:
    """Return T(u, w) [B, *size, C], the adjoint of `conv` on images of this size.

    u: [B, H, W, F], where H = ceil(size / stride). w: [kernel, kernel, C, F].
    """
    chex.assert_rank([u, w], 4)
    kernel = w.shape[:2]
    padding = [
        (k - 1 - low, n + low - 1 - (m - 1) * stride)
        for k, n, m, (low, _) in zip(kernel, size, u.shape[1:3], _padding(size, kernel, stride), strict=True)
    ]
    turned = jnp.flip(w, (0, 1))

    def native(u, turned):
        numbers = ("NHWC", "HWOI", "NHWC")
        return lax.conv_general_dilated(u, turned, (1, 1), padding, (stride,) * 2, dimension_numbers=numbers)

    def ordered(u, turned):
        if _fewer((len(u), *size), turned, stride):
            return winograd.conv_transpose(u, turned[::-1, ::-1], stride, size)
        if stride > 1 and turned.shape[2] >= PHASED:
            return _phases(u, turned[::-1, ::-1], stride, size)
        if _one_product(stride, kernel, turned.shape[2]):
            return _added(u, turned.swapaxes(2, 3), padding)
        w = lax.optimization_barrier(turned.swapaxes(2, 3))
        return lax.conv_general_dilated(u, w, (1, 1), padding, (stride,) * 2, dimension_numbers=FORWARD)

    return lax.platform_dependent(u, turned, cpu=ordered, default=native)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def conv_kernel(x: Array, u: Array, stride: int, kernel: tuple[int, int]) -> Array:
    """Return K(x, u) [*kernel, C, F], the adjoint of `conv` in its weights.

    x: [B, H, W, C]. u: [B, ceil(H / stride), ceil(W / stride), F].
    """
    chex.assert_rank([x, u], 4)
    padding = [
        (low, (m - 1) * stride + k - n - low)
        for k, n, m, (low, _) in zip(
            kernel, x.shape[1:3], u.shape[1:3], _padding(x.shape[1:3], kernel, stride), strict=True
        )
    ]

    def native(x, u):
        numbers = ("CHWN", "IHWO", "HWNC")
        return lax.conv_general_dilated(x, u, (1, 1), padding, None, (stride,) * 2, dimension_numbers=numbers)

    def ordered(x, u):
        w = jax.ShapeDtypeStruct((*kernel, x.shape[3], u.shape[3]), x.dtype)
        if _fewer(x.shape[:3], w, stride) and x.size * (kernel[0] // stride + 1) ** 2 <= 4 * LARGE:
            return winograd.conv_kernel(x, u, stride, kernel)
        if _one_product(stride, kernel, u.shape[3]):
            turned = [(k - 1 - low, low) for k, (low, _) in zip(kernel, padding, strict=True)]
            return jnp.flip(_taps(u, x, kernel, turned), (0, 1)).swapaxes(2, 3)
        if _one_product(stride, kernel, x.shape[3]):
            return _taps(x, u, kernel, padding)

        def piece(x, u):
            x, u = lax.optimization_barrier((x.transpose(3, 1, 2, 0), u.transpose(1, 2, 0, 3)))
            return lax.conv_general_dilated(x, u, (1, 1), padding, None, (stride,) * 2, dimension_numbers=FORWARD)

        examples = -(-len(x) // min(PIECES, -(-u.size // PIECE)))
        parts = range(0, len(x), examples)
        w = sum(piece(x[i : i + examples], u[i : i + examples]) for i in parts)
        # In order before it is used, where each use would otherwise read it out of order.
        return lax.optimization_barrier(lax.optimization_barrier(w).transpose(1, 2, 0, 3))

    return lax.platform_dependent(x, u, cpu=ordered, default=native)


conv.defvjp(
    lambda x, w, stride: (conv(x, w, stride), (x, w)),
    lambda stride, kept, g: (
        conv_transpose(g, kept[1], stride, kept[0].shape[1:3]),
        conv_kernel(kept[0], g, stride, kept[1].shape[:2]),
    ),
)
conv_transpose.defvjp(
    lambda u, w, stride, size: (conv_transpose(u, w, stride, size), (u, w)),
    lambda stride, size, kept, g: (conv(g, kept[1], stride), conv_kernel(g, kept[0], stride, kept[1].shape[:2])),
)
conv_kernel.defvjp(
    lambda x, u, stride, kernel: (conv_kernel(x, u, stride, kernel), (x, u)),
    lambda stride, kernel, kept, g: (
        conv_transpose(kept[1], g, stride, kept[0].shape[1:3]),
        conv(kept[0], g, stride),
    ),
)


def _fewer(images: tuple[int, int, int], w: Array | jax.ShapeDtypeStruct, stride: int) -> bool:
    """Say whether fewer products, of sums, are faster for images [B, H, W].

    The sums are rounded before they are multiplied, which half precision cannot afford.
    """
    batch, *size = images
    exact = w.dtype in (jnp.float32, jnp.float64)
    wide = min(stride**2 * w.shape[2], w.shape[3]) >= WIDE
    many = batch * math.prod(winograd.tiles(size, stride)) >= TILES
    return exact and wide and many and winograd.taps(size, w.shape[:2], stride) is not None


def _one_product(stride: int, kernel: tuple[int, int], channels: int) -> bool:
    """Say whether one product over all taps is fastest, where the narrower side that it is formed on has `channels`."""
    return stride == 1 and (channels < NARROW or kernel == (1, 1))


def _added(x: Array, w: Array, padding: list[tuple[int, int]]) -> Array:
    """Return C(x, w) of stride 1 [B, H, W, F]: what x gives through each tap, of one product, shifted and added."""
    (height, width), (rows, columns, channels, features) = x.shape[1:3], w.shape
    full = jnp.promote_types(x.dtype, jnp.float32)  # sums of taps are kept in full, as a convolution's are
    taps = jnp.dot(x.reshape(-1, channels), w.transpose(2, 0, 1, 3).reshape(channels, -1), preferred_element_type=full)
    taps = jnp.pad(taps.reshape(*x.shape[:3], rows, columns, features), [(0, 0), *padding, *[(0, 0)] * 3])
    places = [(i, j) for i in range(rows) for j in range(columns)]
    return sum(taps[:, i : i + height, j : j + width, i, j] for i, j in places).astype(x.dtype)


def _taps(x: Array, u: Array, kernel: tuple[int, int], padding: list[tuple[int, int]]) -> Array:
    """Return K(x, u) of stride 1 [*kernel, C, F]: one product of all taps' views of x with u."""
    (height, width), (rows, columns) = u.shape[1:3], kernel
    x = jnp.pad(x, [(0, 0), *padding, (0, 0)])
    views = jnp.concatenate([x[:, :, j : j + width] for j in range(columns)], -1)
    views = jnp.concatenate([views[:, i : i + height] for i in range(rows)], -1)
    w = views.reshape(-1, views.shape[3]).T @ u.reshape(-1, u.shape[3])
    return w.reshape(*kernel, x.shape[3], u.shape[3])


def _phases(u: Array, w: Array, stride: int, size: tuple[int, int]) -> Array:
    """Return T(u, w) as stride^2 convolutions of stride 1, whose outputs lie between each other.

    y[stride i + a] sums u[i + ahead - t] w[first + stride t] over t, where a + low = stride ahead + first.
    """
    lows = [low for low, _ in _padding(size, w.shape[:2], stride)]

    def axis(a, low, kernel):
        ahead, first = divmod(a + low, stride)
        taps = len(range(first, kernel, stride))
        return first, (taps - 1 - ahead, ahead)

    def phase(a, b):
        (i, above), (j, beside) = (axis(*one) for one in zip((a, b), lows, w.shape[:2], strict=True))
        taps = jnp.flip(w[i::stride, j::stride], (0, 1)).swapaxes(2, 3)
        if not taps.size:  # a kernel below the stride leaves gaps
            return jnp.zeros((*u.shape[:3], w.shape[2]), u.dtype)
        taps = lax.optimization_barrier(taps)
        return lax.conv_general_dilated(u, taps, (1, 1), (above, beside), dimension_numbers=FORWARD)

    y = jnp.stack([jnp.stack([phase(a, b) for b in range(stride)], 3) for a in range(stride)], 2)
    batch, height, _, width, _, channels = y.shape
    return y.reshape(batch, height * stride, width * stride, channels)[:, : size[0], : size[1]]


def _padding(size: tuple[int, int], kernel: tuple[int, int], stride: int) -> list[tuple[int, int]]:
    """Return the zeros before and after each axis that make the output ceil(size / stride) long."""
    total = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(size, kernel, strict=True)]
    return [(t // 2, t - t // 2) for t in total]
