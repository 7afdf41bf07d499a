import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.reconstruction import cross_entropy, squared_error

KEY = jax.random.key(0)


def test_squared_error_sums_over_an_example_and_is_the_norm_of_the_difference():
    x, y = jax.random.normal(KEY, (2, 5, 4, 3, 1))
    expected = np.linalg.norm(np.asarray(x - y).reshape(5, -1), axis=1) ** 2
    np.testing.assert_allclose(squared_error(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(lambda y: squared_error(x, y).sum())(y), 2 * (y - x), rtol=1e-5)


def test_cross_entropy_is_the_kl_plus_the_entropy_of_x():
    x = jax.random.uniform(KEY, (6, 7), minval=0.01, maxval=0.99)
    logits = jax.random.normal(KEY, (6, 7))
    p = np.asarray(jax.nn.sigmoid(logits), np.float64)
    q = np.asarray(x, np.float64)
    kl = (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).sum(1)
    entropy = -(q * np.log(q) + (1 - q) * np.log(1 - q)).sum(1)
    np.testing.assert_allclose(cross_entropy(x, logits), kl + entropy, rtol=1e-5)


def test_cross_entropy_is_least_where_the_output_is_x():
    x = jax.random.uniform(KEY, (3, 4), minval=0.1, maxval=0.9)
    gradient = jax.grad(lambda logits: cross_entropy(x, logits).sum())(jnp.log(x) - jnp.log1p(-x))
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_cross_entropy_is_finite_with_its_gradient_at_extreme_logits(size):
    logits = jnp.full((2, 3), size)
    value, gradient = jax.value_and_grad(lambda logits: cross_entropy(jnp.ones((2, 3)), logits).sum())(logits)
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all()
    np.testing.assert_allclose(value, 0 if size > 0 else 6e4, rtol=1e-6)


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_unequal_shapes_are_refused(loss):
    with pytest.raises(AssertionError, match="shape"):
        loss(jnp.zeros((2, 3)), jnp.zeros((2, 4)))
