import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import corrupt

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (40, 10, 12, 3), minval=0.2, maxval=0.8)


def test_gaussian_noise_has_the_level_as_deviation_and_no_mean():
    noise = np.asarray(corrupt.gaussian(KEY, X, level=0.3) - X)
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 0.3) < 0.01


@pytest.mark.parametrize("level", [0.0, 0.1, 0.7])
def test_masking_hides_the_share_and_touches_nothing_else(level):
    y = np.asarray(corrupt.masking(KEY, X, level=level))
    hidden = y == 0
    assert abs(hidden.mean() - level) < 0.02
    np.testing.assert_array_equal(y[~hidden], np.asarray(X)[~hidden])


@pytest.mark.parametrize("level", [0.0, 0.1, 0.7])
def test_salt_and_pepper_are_even_and_touch_nothing_else(level):
    y = np.asarray(corrupt.salt_and_pepper(KEY, X, level=level, low=-1.0, high=2.0))
    low, high = y == -1, y == 2
    assert abs(low.mean() - level / 2) < 0.02 and abs(high.mean() - level / 2) < 0.02
    kept = ~(low | high)
    np.testing.assert_array_equal(y[kept], np.asarray(X)[kept])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (10, 4), (4, 12)])
def test_a_block_is_one_whole_rectangle_in_each_image(height, width):
    mask = np.asarray(corrupt.block_mask(KEY, X.shape, height=height, width=width))
    assert mask.shape == (40, 10, 12, 1)
    for one in mask[..., 0]:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert one.sum() == height * width
        assert np.ptp(rows) == height - 1 and np.ptp(columns) == width - 1
    y = np.asarray(corrupt.block(KEY, X, height=height, width=width))
    np.testing.assert_array_equal(y, np.where(mask, 0, X))


def test_blocks_come_at_every_place_alike():
    mask = np.asarray(corrupt.block_mask(KEY, (20_000, 3, 4, 1), height=2, width=2))
    starts = np.stack([mask.any((2, 3)).argmax(1), mask.any((1, 3)).argmax(1)], axis=1)
    counts = np.unique(starts, axis=0, return_counts=True)[1]
    assert len(counts) == 2 * 3
    assert abs(counts / 20_000 - 1 / 6).max() < 0.015


CALLS = {
    "gaussian": lambda key, x: corrupt.gaussian(key, x, level=0.3),
    "masking": lambda key, x: corrupt.masking(key, x, level=0.5),
    "salt_and_pepper": lambda key, x: corrupt.salt_and_pepper(key, x, level=0.5),
    "block": lambda key, x: corrupt.block(key, x, height=3, width=3),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_key_decides_and_compilation_changes_nothing(name):
    call = CALLS[name]
    one, again, other = (np.asarray(call(jax.random.key(i), X)) for i in (0, 0, 1))
    assert one.shape == X.shape and one.dtype == X.dtype
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    np.testing.assert_allclose(jax.jit(call)(jax.random.key(0), X), one, rtol=1e-6, atol=1e-6)
    assert (one[0] - X[0] != one[1] - X[1]).any()  # each example is struck on its own


def test_levels_can_be_traced():
    swept = jax.vmap(lambda level: (corrupt.masking(KEY, X, level=level) == 0).mean())(jnp.array([0.2, 0.6]))
    np.testing.assert_allclose(swept, [0.2, 0.6], atol=0.02)


@pytest.mark.parametrize("name", ["masking", "salt_and_pepper"])
@pytest.mark.parametrize("level", [1.0, -0.1, float("nan")])
def test_a_level_that_hides_all_is_refused(name, level):
    with pytest.raises(ValueError, match=f"expected a level of at least 0 and below 1, got {level}"):
        getattr(corrupt, name)(KEY, X, level=level)
    with pytest.raises(ValueError, match=r"leave at least one of 6 numbers, in the mean, got level 0\.9"):
        getattr(corrupt, name)(KEY, jnp.ones((5, 2, 3, 1)), level=0.9)


@pytest.mark.parametrize("level", [-1.0, float("inf"), float("nan")])
def test_noise_of_no_finite_size_is_refused(level):
    with pytest.raises(ValueError, match="gaussian: expected a level"):
        corrupt.gaussian(KEY, X, level=level)


@pytest.mark.parametrize(("height", "width"), [(10, 12), (0, 3), (3, 0), (11, 3), (3, 13)])
def test_a_block_that_hides_all_or_nothing_or_sticks_out_is_refused(height, width):
    with pytest.raises(ValueError, match=f"a part of the 10 x 12 image, got {height} x {width}"):
        corrupt.block(KEY, X, height=height, width=width)


def test_a_block_needs_images():
    with pytest.raises(ValueError, match=r"expected images \[B, H, W, C\], got shape \(4, 5\)"):
        corrupt.block(KEY, jnp.ones((4, 5)), height=1, width=1)
