import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.bounds import capacity_bound, elbo

KEY = jax.random.key(0)


def setting():
    log_likelihood, kl = jax.random.normal(KEY, (2, 20))
    return 10 * log_likelihood, abs(5 * kl)


@pytest.mark.parametrize("weight", [0.5, 1.0, 7.0])
def test_no_capacity_is_a_weight_of_the_kl(weight):
    log_likelihood, kl = setting()
    found = capacity_bound(log_likelihood, kl, gamma=weight, capacity=0.0)
    np.testing.assert_allclose(found, elbo(log_likelihood, kl, beta=weight), rtol=1e-6)


def test_a_beta_of_one_is_the_evidence_lower_bound():
    log_likelihood, kl = setting()
    np.testing.assert_array_equal(elbo(log_likelihood, kl, beta=1.0), log_likelihood - kl)


def test_the_kl_is_drawn_to_the_capacity_from_either_side():
    log_likelihood, kl = setting()
    slope = jax.grad(lambda kl: capacity_bound(log_likelihood, kl, gamma=3.0, capacity=4.0).sum())(kl)
    np.testing.assert_array_equal(slope, jnp.where(kl > 4, -3.0, 3.0))
    at = capacity_bound(log_likelihood, jnp.full(20, 4.0), gamma=3.0, capacity=4.0)
    np.testing.assert_array_equal(at, log_likelihood)


def test_unequal_shapes_are_refused():
    with pytest.raises(AssertionError, match="rank"):
        capacity_bound(jnp.zeros(3), jnp.zeros((3, 1)), gamma=1.0, capacity=0.0)
