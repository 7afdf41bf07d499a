"""Pure functions from stored arrays to what a model sees, for use inside a compiled step.

Images rest on the device as uint8 ``0..levels-1``; each step scales, dequantises, binarises or mirrors
its own batch. Randomness comes from an explicit key, always the first argument.
"""

import math

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def scale(image: Array, *, levels: int) -> Array:
    """Intensities to [0, 1]: ``k / (levels - 1)``.

    Args:
      image: uint8 ``[B, H, W, C]``.
      levels: number of intensities.

    Returns:
      float32 ``[B, H, W, C]``.
    """
    _check(image, levels)
    return image.astype(jnp.float32) / (levels - 1)


def dequantise(key: Array, image: Array, *, levels: int) -> Array:
    """Uniform dequantisation: ``(image + u) / levels`` in (0, 1), with u ~ U(0, 1).

    The log-density of the result, plus ``D log(1 / levels)``, bounds the log-probability of the integers
    from below (Theis et al. 2016, "A note on the evaluation of generative models", section 3.1).

    Args:
      key: of the noise.
      image: uint8 ``[B, H, W, C]``.
      levels: number of intensities.

    Returns:
      float32 ``[B, H, W, C]``; ``floor(levels * result)`` is the image again.
    """
    _check(image, levels)
    # 255 + u holds only 16 of u's bits in float32 and would round up to 256 now and then. Midpoints of
    # 2^14 cells are held exactly and far enough from the integers that neither the division by levels nor a
    # multiplication back moves a draw into the next bin; their mean is exactly one half.
    cell = _bits(key, image.shape) >> 2
    u = (cell.astype(jnp.float32) + 0.5) / 2**14
    return (image.astype(jnp.float32) + u) / levels


def binarise(key: Array, image: Array, *, levels: int) -> Array:
    """Dynamic binarisation: each pixel a Bernoulli draw with the scaled intensity as its probability.

    Drawn anew with every key (Burda et al. 2016, "Importance weighted autoencoders", section 5).

    Args:
      key: of the draw.
      image: uint8 ``[B, H, W, C]``.
      levels: number of intensities.

    Returns:
      float32 zeros and ones ``[B, H, W, C]``.
    """
    _check(image, levels)
    return _bernoulli(key, image, levels)


def binarise_fixed(index: Array, image: Array, *, levels: int, seed: int = 0) -> Array:
    """Static binarisation: example i is drawn once, by ``(seed, i)``, wherever and whenever it is met.

    The draw does not depend on the batch, the epoch or the run's seed: use it for a frozen training set or
    for the one fixed draw a test set is scored on.

    Args:
      index: integers ``[B]``, each example's place in its part.
      image: uint8 ``[B, H, W, C]``.
      levels: number of intensities.
      seed: names the frozen set; give training and test sets different ones.

    Returns:
      float32 zeros and ones ``[B, H, W, C]``.
    """
    _check(image, levels)
    chex.assert_rank(index, 1)
    chex.assert_equal_shape_prefix([index, image], 1)
    # A named implementation: the frozen draw must not follow the process's default generator.
    base = jax.random.key(seed, impl="threefry2x32")
    return jax.vmap(lambda i, one: _bernoulli(jax.random.fold_in(base, i), one, levels))(index, image)


def threshold(image: Array, *, levels: int) -> Array:
    """Deterministic binarisation: one where the scaled intensity is above one half.

    Args:
      image: uint8 ``[B, H, W, C]``.
      levels: number of intensities.

    Returns:
      float32 zeros and ones ``[B, H, W, C]``.
    """
    _check(image, levels)
    return (2 * image.astype(jnp.int32) > levels - 1).astype(jnp.float32)


def flip(key: Array, image: Array) -> Array:
    """Mirrors each example left to right with probability one half.

    Args:
      key: of the coins; the same key twice gives the image back.
      image: ``[B, H, W, C]`` of any dtype.

    Returns:
      ``[B, H, W, C]``, same dtype.
    """
    chex.assert_rank(image, 4)
    coin = jax.random.bernoulli(key, 0.5, (image.shape[0], 1, 1, 1))
    return jnp.where(coin, image[:, :, ::-1], image)


def _bernoulli(key: Array, image: Array, levels: int) -> Array:
    # An integer j uniform over 0..levels-2 lies below k with probability k / (levels - 1). Integers, unlike
    # a rounded quotient, give the same bits compiled or not, on every device: a frozen draw stays frozen.
    j = (_bits(key, image.shape) * jnp.uint32(levels - 1)) >> 16
    return (j < image.astype(jnp.uint32)).astype(jnp.float32)


def _bits(key: Array, shape: tuple[int, ...]) -> Array:
    """Sixteen random bits each, as uint32: two of a drawn word, and drawn flat, which a CPU does 3 x faster."""
    size = math.prod(shape)
    words = jax.random.bits(key, (-(-size // 2),), jnp.uint32)
    return jnp.concatenate([words & 0xFFFF, words >> 16])[:size].reshape(shape)


def _check(image: Array, levels: int) -> None:
    chex.assert_rank(image, 4)
    chex.assert_type(image, jnp.uint8)
    if not 2 <= levels <= 256:
        raise ValueError(f"expected levels in 2..256, got {levels}")
