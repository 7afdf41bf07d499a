"""Vector quantisation: the nearest of K codes, gradients past it, and code books that follow what they stand for.

After van den Oord et al. 2017, "Neural Discrete Representation Learning".
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxgen.nn.axis import dealt, total

Array = jax.Array

EPSILON = 1e-5  # what each code's count is smoothed by


def nearest(z: Array, codes: Array) -> Array:
    """Return the index [...] of the code nearest to each vector, the first of equals. z: [..., D]. codes: [K, D].

    By |e|^2 - 2 z . e, one product of matrices in full precision: the term |z|^2 is common to all codes.
    """
    chex.assert_rank(codes, 2)
    chex.assert_axis_dimension(z, -1, codes.shape[1])
    products = jnp.matmul(z.reshape(-1, codes.shape[1]), codes.T, precision=jax.lax.Precision.HIGHEST)
    return ((codes**2).sum(-1).reshape(1, -1) - 2 * products).argmin(-1).astype(jnp.int32).reshape(z.shape[:-1])


def straight_through(z: Array, code: Array) -> Array:
    """Return `code`, bit for bit, with the gradient of z: what reaches it goes on to z unchanged (section 3.1).

    z, code: of one shape. The code gets no gradient.
    """
    chex.assert_equal_shape([z, code])
    return jax.lax.stop_gradient(code) + (z - jax.lax.stop_gradient(z))


class Codebook(NamedTuple):
    """K codes as running means of the vectors nearest to them (appendix A.1).

    codes: [K, D]. count [K], total [K, D]: running number and sum of each code's vectors in a batch.
    """

    codes: Array
    count: Array
    total: Array


def start(key: Array, z: Array, size: int) -> Codebook:
    """Return a code book of `size` codes, each one of the vectors z [..., D], all different where there are enough."""
    z = z.reshape(-1, z.shape[-1])
    codes = z[jax.random.choice(key, len(z), (size,), replace=len(z) < size)]
    count = jnp.full((size,), len(z) / size, z.dtype)
    return Codebook(codes, count, codes * count[:, None])


def counts(index: Array, size: int) -> Array:
    """Return how often each of `size` codes is used by all devices, float32 [size]. index: integers of any shape."""
    return total(jnp.zeros(size).at[index.reshape(-1)].add(1.0))


def follow(book: Codebook, z: Array, index: Array, *, decay: float) -> Codebook:
    """Return the code book one batch on: running counts and sums, and codes as their quotient (equations 6 to 8).

    z: [..., D]. index: [...], the code of each. decay: of what was; at 0 each code becomes the mean of its vectors,
    a step of k-means. Counts are Laplace-smoothed, so that a code without vectors has a quotient.
    """
    size = len(book.count)
    sums = jnp.zeros_like(book.total).at[index.reshape(-1)].add(z.reshape(-1, z.shape[-1]))
    count = decay * book.count + (1 - decay) * counts(index, size).astype(book.count.dtype)
    summed = decay * book.total + (1 - decay) * total(sums)
    whole = count.sum()
    smoothed = (count + EPSILON) / (whole + size * EPSILON) * whole
    return Codebook(summed / smoothed[:, None], count, summed)


def restart(book: Codebook, z: Array, key: Array, *, share: float) -> Codebook:
    """Return the code book with dead codes started anew from vectors of the batch (Dhariwal et al. 2020, section 3.1).

    z: [..., D], what the vectors are drawn from, on all devices. share: a code is dead when its running count is below
    this part of an equal share of a batch's vectors; anew, it counts as an equal share. 0 restarts none.
    """
    z = z.reshape(-1, z.shape[-1])
    equal = total(float(len(z))) / len(book.count)
    fresh = dealt(z[jax.random.randint(key, book.count.shape, 0, len(z))])
    dead = book.count < share * equal
    column = dead[:, None]
    return Codebook(
        jnp.where(column, fresh, book.codes),
        jnp.where(dead, equal, book.count).astype(book.count.dtype),
        jnp.where(column, fresh * equal, book.total).astype(book.total.dtype),
    )
