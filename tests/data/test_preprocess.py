"""Preprocessing: closed forms, and draws that depend on what they should and on nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import preprocess

KEY = jax.random.key(3)


def ramp(levels, repeat=1):
    """Every intensity, as one image a repeat."""
    image = np.arange(levels, dtype=np.uint8).reshape(1, levels, 1, 1)
    return jnp.asarray(np.repeat(np.repeat(image, repeat, 0), 16, 2))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_scale_spans_zero_to_one(levels):
    out = preprocess.scale(ramp(levels), levels=levels)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out[0, :, 0, 0], np.linspace(0, 1, levels), rtol=1e-6)


@pytest.mark.parametrize("levels", [2, 17, 255, 256])
def test_dequantised_values_floor_to_the_integers_and_stay_below_one(levels):
    image = ramp(levels, repeat=500)
    out = preprocess.dequantise(KEY, image, levels=levels)
    np.testing.assert_array_equal(jnp.floor(out * levels).astype(jnp.uint8), image)
    assert out.min() > 0 and out.max() < 1


def test_dequantisation_noise_is_uniform():
    image = jnp.zeros((100, 10, 10, 10), jnp.uint8)
    u = np.asarray(preprocess.dequantise(KEY, image, levels=2)).ravel() * 2
    counts = np.histogram(u, 20, (0, 1))[0]
    assert ((counts - 5000) ** 2 / 5000).sum() < 50  # chi-square, 19 degrees of freedom: p < 2e-4
    halves = u.reshape(2, -1)  # draws made of one word must not follow each other
    assert abs(np.corrcoef(halves)[0, 1]) < 5 / np.sqrt(halves.shape[1])


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_binarised_pixels_are_ones_as_often_as_they_are_bright(levels):
    repeat = 400
    out = np.asarray(preprocess.binarise(KEY, ramp(levels, repeat), levels=levels))
    assert set(np.unique(out)) <= {0.0, 1.0}
    p = np.linspace(0, 1, levels)
    mean = out.mean(axis=(0, 2, 3))
    error = np.sqrt(p * (1 - p) / (16 * repeat))
    assert mean[0] == 0 and mean[-1] == 1
    assert (np.abs(mean - p) <= 5 * error + 1e-6).all()


def test_dynamic_draws_differ_between_keys_and_repeat_with_one():
    image = jnp.full((4, 8, 8, 1), 128, jnp.uint8)
    one, other = (preprocess.binarise(jax.random.key(k), image, levels=256) for k in (0, 1))
    assert 0.3 < (one != other).mean() < 0.7
    np.testing.assert_array_equal(one, preprocess.binarise(jax.random.key(0), image, levels=256))


def test_a_fixed_draw_depends_on_the_index_and_the_seed_alone():
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), np.uint8))
    index = jnp.arange(6)
    whole = preprocess.binarise_fixed(index, image, levels=256)
    order = jnp.array([4, 1, 5])
    np.testing.assert_array_equal(preprocess.binarise_fixed(order, image[order], levels=256), whole[order])
    compiled = jax.jit(lambda i, x: preprocess.binarise_fixed(i, x, levels=256))
    np.testing.assert_array_equal(compiled(index[2:3], image[2:3]), whole[2:3])
    same = jnp.full((6, 8, 8, 1), 128, jnp.uint8)
    draws = preprocess.binarise_fixed(index, same, levels=256)
    assert len({row.tobytes() for row in np.asarray(draws)}) == 6
    assert (preprocess.binarise_fixed(index, same, levels=256, seed=1) != draws).mean() > 0.3


def test_fixed_draws_do_not_follow_the_default_generator():
    image = jnp.full((2, 8, 8, 1), 128, jnp.uint8)
    before = preprocess.binarise_fixed(jnp.arange(2), image, levels=256)
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(preprocess.binarise_fixed(jnp.arange(2), image, levels=256), before)


@pytest.mark.parametrize(("levels", "first"), [(256, 128), (17, 9), (2, 1)])
def test_threshold_starts_at_half(levels, first):
    out = preprocess.threshold(ramp(levels), levels=levels)[0, :, 0, 0]
    np.testing.assert_array_equal(out, np.arange(levels) >= first)


def test_flipping_twice_gives_the_image_back_and_flips_half():
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (400, 3, 4, 2), np.uint8))
    once = preprocess.flip(KEY, image)
    assert once.dtype == image.dtype
    np.testing.assert_array_equal(preprocess.flip(KEY, once), image)
    kept = (once == image).all(axis=(1, 2, 3))
    mirrored = (once == image[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept | mirrored).all() and abs(mirrored.mean() - 0.5) < 5 * 0.5 / 20


def test_wrong_arguments_are_refused():
    image = jnp.zeros((2, 3, 3, 1), jnp.uint8)
    with pytest.raises(ValueError, match=r"levels in 2\.\.256, got 1"):
        preprocess.scale(image, levels=1)
    with pytest.raises(AssertionError):
        preprocess.scale(image[0], levels=256)
    with pytest.raises(AssertionError):
        preprocess.binarise(KEY, image.astype(jnp.float32), levels=256)
    with pytest.raises(AssertionError):
        preprocess.binarise_fixed(jnp.arange(3), image, levels=256)
