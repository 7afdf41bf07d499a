import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.matching import feature_matching

REAL = jax.random.normal(jax.random.key(0), (6, 4))
FAKE = jax.random.normal(jax.random.key(1), (6, 4)) + 0.5


def test_it_is_the_mean_distance_of_the_means():
    expected = np.abs(np.mean(REAL, axis=0) - np.mean(FAKE, axis=0)).mean()
    np.testing.assert_allclose(feature_matching(REAL, FAKE), np.full(6, expected), rtol=1e-5)


def test_it_is_zero_for_equal_means_however_the_examples_differ():
    np.testing.assert_allclose(feature_matching(REAL, REAL[::-1]), 0, atol=1e-6)


def test_real_features_are_a_target_and_fake_ones_follow_the_sign_of_the_difference():
    real, fake = jax.grad(lambda r, f: feature_matching(r, f).mean(), argnums=(0, 1))(REAL, FAKE)
    np.testing.assert_array_equal(real, 0)
    sign = np.sign(np.mean(FAKE, axis=0) - np.mean(REAL, axis=0))
    np.testing.assert_allclose(fake, np.broadcast_to(sign / (6 * 4), (6, 4)), rtol=1e-5)


@pytest.mark.parametrize(("real", "fake"), [((6, 4), (6,)), ((6, 4), (5, 4)), ((6, 2, 2), (6, 2, 2))])
def test_features_of_unequal_or_unexpected_shape_are_refused(real, fake):
    with pytest.raises(AssertionError, match=r"shape|rank"):
        feature_matching(jnp.zeros(real), jnp.zeros(fake))
