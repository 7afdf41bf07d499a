import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.quantisation import codebook_error, commitment, perplexity

KEY = jax.random.key(0)


def test_each_loss_moves_one_side_only_and_by_twice_the_difference():
    z, code = jax.random.normal(KEY, (2, 3, 2, 2, 5))
    for loss, to_z, to_code in [(commitment, 1, 0), (codebook_error, 0, 1)]:
        np.testing.assert_allclose(loss(z, code), ((z - code) ** 2).sum((1, 2, 3)), rtol=1e-5)
        slopes = jax.grad(lambda *a, loss=loss: loss(*a).sum(), (0, 1))(z, code)
        np.testing.assert_allclose(slopes[0], to_z * 2 * (z - code), rtol=1e-5)
        np.testing.assert_allclose(slopes[1], to_code * 2 * (code - z), rtol=1e-5)


@pytest.mark.parametrize("size", [2, 7, 512])
def test_perplexity_counts_the_codes_in_use(size):
    np.testing.assert_allclose(perplexity(jnp.full(size, 3.0)), size, rtol=1e-5)
    np.testing.assert_allclose(perplexity(jnp.zeros(size).at[1].set(9.0)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(perplexity(jnp.zeros(size).at[:2].set(5.0)), 2.0, rtol=1e-6)


def test_perplexity_is_two_to_the_entropy_in_bits():
    p = np.array([0.5, 0.25, 0.125, 0.125])
    np.testing.assert_allclose(perplexity(jnp.array(80 * p)), 2**1.75, rtol=1e-6)


def test_unequal_shapes_are_refused():
    with pytest.raises(AssertionError, match=r"(?s)\(3, 2\).*\(3, 1\)"):
        commitment(jnp.zeros((3, 2)), jnp.zeros((3, 1)))
