import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.classification import error, softmax_cross_entropy

KEY = jax.random.key(0)


def test_cross_entropy_is_minus_the_log_of_the_labels_probability():
    logits, label = 3 * jax.random.normal(KEY, (6, 4)), jnp.array([0, 1, 2, 3, 0, 2])
    p = jax.nn.softmax(logits)
    np.testing.assert_allclose(softmax_cross_entropy(label, logits), -jnp.log(p[jnp.arange(6), label]), rtol=1e-5)
    np.testing.assert_allclose(
        softmax_cross_entropy(label, logits + 50.0), softmax_cross_entropy(label, logits), rtol=1e-4, atol=1e-5
    )


def test_its_gradient_is_the_probability_minus_the_label():
    logits, label = jax.random.normal(KEY, (5, 3)), jnp.array([0, 1, 2, 1, 0])
    gradient = jax.grad(lambda logits: softmax_cross_entropy(label, logits).sum())(logits)
    np.testing.assert_allclose(gradient, jax.nn.softmax(logits) - jax.nn.one_hot(label, 3), atol=1e-6)


def test_error_counts_what_is_not_the_largest():
    logits = jnp.array([[1.0, 2.0], [1.0, 2.0], [5.0, -5.0]])
    np.testing.assert_array_equal(error(jnp.array([0, 1, 0]), logits), [1.0, 0.0, 0.0])


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_it_is_finite_and_right_at_extreme_logits(value):
    logits = jnp.array([[value, 0.0]])
    np.testing.assert_allclose(softmax_cross_entropy(jnp.array([0]), logits), [max(-value, 0.0)], atol=1e-6)


@pytest.mark.parametrize("loss", [softmax_cross_entropy, error])
def test_unequal_shapes_are_refused(loss):
    with pytest.raises(AssertionError, match=r"\(3,\), \(2,\)"):
        loss(jnp.zeros(3, int), jnp.zeros((2, 4)))
    with pytest.raises(AssertionError, match="type"):
        loss(jnp.zeros(2), jnp.zeros((2, 4)))
