import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from jaxgen.losses.reconstruction import multinomial

KEY = jax.random.key(0)


def test_counts_give_the_multinomial_likelihood_but_for_its_coefficient():
    counts = np.array([[3, 0, 1, 5], [0, 0, 0, 2]])
    logits = 3 * jax.random.normal(KEY, (2, 4))
    p = np.asarray(jax.nn.softmax(logits), np.float64)
    p /= p.sum(1, keepdims=True)
    coefficient = gammaln(counts.sum(1) + 1) - gammaln(counts + 1).sum(1)
    expected = coefficient - stats.multinomial.logpmf(counts, counts.sum(1), p)
    np.testing.assert_allclose(multinomial(jnp.asarray(counts, jnp.float32), logits), expected, rtol=1e-5)


def test_frequencies_give_a_cross_entropy_whose_gradient_vanishes_at_them():
    x = jax.nn.softmax(jax.random.normal(KEY, (3, 6)))
    entropy = -(x * jnp.log(x)).sum(-1)
    np.testing.assert_allclose(multinomial(x, jnp.log(x) + 7.0), entropy, rtol=1e-5)
    gradient = jax.grad(lambda logits: multinomial(x, logits).sum())
    np.testing.assert_allclose(gradient(jnp.log(x)), jnp.zeros_like(x), atol=1e-6)
    np.testing.assert_allclose(gradient(jnp.zeros_like(x)), 1 / 6 - x, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e4, -1e4])
def test_it_is_finite_at_extreme_logits(scale):
    logits = scale * jnp.array([[1.0, -1.0]])
    assert jnp.isfinite(multinomial(jnp.array([[2.0, 3.0]]), logits)).all()
    np.testing.assert_array_equal(multinomial(jnp.zeros((1, 2)), logits), [0.0])


def test_unequal_shapes_are_refused():
    with pytest.raises(AssertionError, match=r"(?s)\(3, 2\).*\(3, 1\)"):
        multinomial(jnp.zeros((3, 2)), jnp.zeros((3, 1)))
