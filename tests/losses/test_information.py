import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxgen.losses.information import categorical_surprise, gaussian_surprise, negative_information, uniform_codes

KEY = jax.random.key(0)


def test_surprises_are_the_log_densities():
    code, logits = jax.nn.one_hot(jnp.array([2, 0]), 3), jax.random.normal(KEY, (2, 3))
    p = jax.nn.softmax(logits)
    np.testing.assert_allclose(categorical_surprise(code, logits), -np.log([p[0, 2], p[1, 0]]), rtol=1e-5)
    x, mean = jax.random.normal(KEY, (2, 4, 3))
    expected = [-multivariate_normal(m, np.eye(3)).logpdf(row) for row, m in zip(x, mean, strict=True)]
    np.testing.assert_allclose(gaussian_surprise(x, mean), expected, rtol=1e-5)


def test_a_reader_that_knows_nothing_bounds_the_information_by_zero_and_one_that_knows_all_by_the_entropy():
    codes = uniform_codes(KEY, 1000, 7, 0)
    entropy = np.log(7)
    np.testing.assert_allclose(entropy - categorical_surprise(codes, jnp.zeros((1000, 7))).mean(), 0, atol=1e-5)
    np.testing.assert_allclose(entropy - categorical_surprise(codes, 100 * codes).mean(), entropy, rtol=1e-5)


def test_codes_are_uniform():
    codes = uniform_codes(KEY, 20_000, 4, 2)
    assert codes.shape == (20_000, 6)
    np.testing.assert_allclose(codes[:, :4].mean(0), 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 20_000))
    assert set(np.unique(codes[:, :4])) == {0, 1}
    np.testing.assert_array_equal(codes[:, :4].sum(1), 1)
    np.testing.assert_allclose(codes[:, 4:].mean(0), 0, atol=5 / np.sqrt(3 * 20_000))
    np.testing.assert_allclose((codes[:, 4:] ** 2).mean(0), 1 / 3, atol=5 * np.sqrt(4 / 45 / 20_000))
    assert np.abs(codes[:, 4:]).max() <= 1


def test_unequal_shapes_are_refused():
    for loss in (categorical_surprise, gaussian_surprise):
        with pytest.raises(AssertionError):
            loss(jnp.zeros((2, 3)), jnp.zeros((3, 3)))
        with pytest.raises(AssertionError):
            loss(jnp.zeros(3), jnp.zeros(3))
    chex.assert_tree_all_finite(categorical_surprise(jnp.eye(2), jnp.array([[1e4, -1e4], [1e4, -1e4]])))


def test_negative_information_is_minus_the_information_of_the_joint_distribution():
    logits = 2 * jax.random.normal(KEY, (6, 4))
    joint = np.asarray(jax.nn.softmax(logits), np.float64) / 6
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    np.testing.assert_allclose(negative_information(logits).mean(), -(joint * np.log(joint / apart)).sum(), rtol=1e-5)
    marginal = joint.sum(0)
    heavier = negative_information(logits, balance=3.0).mean() - negative_information(logits).mean()
    np.testing.assert_allclose(heavier, 2 * (marginal * np.log(marginal)).sum(), rtol=1e-5)


def test_sure_and_equal_categories_have_all_the_information_and_equal_examples_none():
    sure = 1e4 * jnp.tile(jnp.eye(3), (2, 1))
    np.testing.assert_allclose(negative_information(sure), -np.log(3), rtol=1e-5)
    np.testing.assert_allclose(negative_information(jnp.ones((5, 1)) * jnp.arange(3.0)[None]), 0, atol=1e-6)
    np.testing.assert_allclose(negative_information(sure[:1], balance=4.0), 0, atol=1e-6)
    assert np.isfinite(jax.grad(lambda x: negative_information(x).sum())(sure)).all()
    with pytest.raises(AssertionError):
        negative_information(jnp.zeros(3))
