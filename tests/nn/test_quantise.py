import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxgen.game import AXIS
from jaxgen.nn.quantise import Codebook, counts, follow, nearest, restart, start, straight_through

KEY = jax.random.key(0)


def setting(size=6, shape=(5, 4, 4, 3)):
    z = jax.random.normal(KEY, shape)
    return z, start(jax.random.key(1), z, size)


@pytest.mark.parametrize("shape", [(40, 3), (5, 4, 2, 3)])
def test_nearest_is_the_smallest_distance(shape):
    z, codes = jax.random.normal(KEY, shape), jax.random.normal(jax.random.key(1), (9, 3))
    expected = cdist(z.reshape(-1, 3), codes).argmin(1).reshape(shape[:-1])
    np.testing.assert_array_equal(nearest(z, codes), expected)
    np.testing.assert_array_equal(nearest(codes, codes), np.arange(9))


def test_of_equal_codes_the_first_is_nearest():
    codes = jnp.ones((4, 3)).at[0].set(7.0)
    np.testing.assert_array_equal(nearest(jnp.zeros((5, 3)), codes), np.ones(5))


def test_vectors_of_another_length_are_refused():
    with pytest.raises(AssertionError):
        nearest(jnp.zeros((5, 2)), jnp.zeros((4, 3)))


def test_straight_through_is_the_code_bit_for_bit_and_the_vector_gets_the_gradient_at_the_code():
    z, code = jax.random.normal(KEY, (2, 4, 3)) * jnp.array([1e4, 1e-4]).reshape(2, 1, 1)
    np.testing.assert_array_equal(straight_through(z, code), code)

    def downstream(code):
        return jnp.sin(3 * code).sum() + (code**3).sum()

    slopes = jax.grad(lambda *a: downstream(straight_through(*a)), (0, 1))(z, code)
    np.testing.assert_array_equal(slopes[0], jax.grad(downstream)(code))
    np.testing.assert_array_equal(slopes[1], jnp.zeros_like(code))


def test_the_encoders_gradient_is_the_decoders_at_the_code():
    """Through a linear encoder z = x W: the gradient of W is x^T g, g the decoder's at the code."""
    x, w = jax.random.normal(KEY, (7, 4)), jax.random.normal(jax.random.key(1), (4, 3))
    codes, decoder = jax.random.normal(jax.random.key(2), (5, 3)), jax.random.normal(jax.random.key(3), (3, 2))

    def decode(code):
        return (jnp.tanh(code @ decoder) ** 2).sum()

    def loss(w):
        z = x @ w
        return decode(straight_through(z, codes[nearest(z, codes)]))

    g = jax.grad(decode)(codes[nearest(x @ w, codes)])
    np.testing.assert_allclose(jax.grad(loss)(w), x.T @ g, rtol=1e-4, atol=1e-6)


def test_a_code_book_starts_from_different_vectors():
    z, book = setting(size=20)
    found = {tuple(row) for row in np.asarray(book.codes)}
    assert len(found) == 20
    assert found <= {tuple(row) for row in np.asarray(z.reshape(-1, 3))}
    np.testing.assert_allclose(book.count.sum(), 5 * 4 * 4)
    assert start(KEY, z[:1, :1, :1], 20).codes.shape == (20, 3)  # more codes than vectors


def test_without_memory_a_step_is_one_of_k_means():
    z, book = setting()
    index = nearest(z, book.codes)
    after = follow(book, z, index, decay=0.0)
    flat, labels = np.asarray(z).reshape(-1, 3), np.asarray(index).ravel()
    for k in range(6):
        np.testing.assert_allclose(after.codes[k], flat[labels == k].mean(0), rtol=1e-4, atol=1e-5)
        assert after.count[k] == (labels == k).sum()


def test_means_at_rest_stay_and_others_approach_by_the_decay():
    z, book = setting()
    index = nearest(z, book.codes)
    there = follow(book, z, index, decay=0.0)
    for got, expected in zip(follow(there, z, index, decay=0.7), there, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    after = book
    for _ in range(200):
        after = follow(after, z, index, decay=0.9)
    np.testing.assert_allclose(after.codes, there.codes, rtol=1e-3, atol=1e-4)
    once = follow(book, z, index, decay=0.9)
    np.testing.assert_allclose(once.total, 0.9 * book.total + 0.1 * there.total, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(once.count, 0.9 * book.count + 0.1 * there.count, rtol=1e-5)


def test_smoothing_keeps_a_code_without_vectors_finite():
    z = jnp.ones((8, 3))
    book = Codebook(jnp.zeros((2, 3)), jnp.zeros(2), jnp.zeros((2, 3)))
    after = follow(book, z, jnp.zeros(8, jnp.int32), decay=0.0)
    np.testing.assert_allclose(after.codes[0], jnp.ones(3), rtol=1e-5)
    assert jnp.isfinite(after.codes).all()


def test_dead_codes_start_anew_from_vectors_and_live_ones_stay():
    z, book = setting()
    equal = 5 * 4 * 4 / 6
    book = book._replace(count=jnp.array([0.0, 0.09, 0.11, 1.0, 5.0, 0.0]) * equal)
    after = restart(book, z, KEY, share=0.1)
    vectors = {tuple(row) for row in np.asarray(z.reshape(-1, 3))}
    for k, dead in enumerate([True, True, False, False, False, True]):
        assert (after.codes[k] != book.codes[k]).any() == dead
        assert not dead or tuple(np.asarray(after.codes[k])) in vectors
        np.testing.assert_allclose(after.count[k], equal if dead else book.count[k], rtol=1e-6)
        np.testing.assert_allclose(after.total[k], after.codes[k] * equal if dead else book.total[k], rtol=1e-6)
    np.testing.assert_array_equal(after.codes, restart(book, z, KEY, share=0.1).codes)
    np.testing.assert_array_equal(restart(book, z, KEY, share=0.0).codes, book.codes)


def test_over_devices_sums_are_of_all_and_restarts_are_alike():
    z = jax.random.normal(KEY, (8, 5, 3))
    book = start(jax.random.key(1), z, 6)
    index = nearest(z, book.codes)

    def one(z, index, key):
        after = follow(book, z, index, decay=0.5)
        dead = after._replace(count=jnp.zeros(6))
        return after, counts(index, 6), restart(dead, z, key, share=0.5)

    after, used, anew = jax.pmap(one, axis_name=AXIS)(z, index, jax.random.split(KEY, 8))
    for got, expected in zip(after, follow(book, z, index, decay=0.5), strict=True):
        np.testing.assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(used[3], np.bincount(np.asarray(index).ravel(), minlength=6))
    np.testing.assert_array_equal(anew.codes, np.broadcast_to(anew.codes[0], anew.codes.shape))
    np.testing.assert_allclose(anew.count, np.full((8, 6), 40 / 6), rtol=1e-6)
    for k in range(6):  # code k is one of device k's own vectors
        assert (np.asarray(z[k]) == np.asarray(anew.codes)[0, k]).all(-1).any()
