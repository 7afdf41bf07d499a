import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import rel_entr

from jaxgen.losses.bounds import elbo, importance_weighted
from jaxgen.losses.divergences import categorical_kl, gaussian_kl

KEY = jax.random.key(0)


def stats_of(key, shape=(3, 4)):
    mean, log_scale = jax.random.normal(key, (2, *shape))
    return mean, 0.5 * log_scale


def test_kl_equals_monte_carlo():
    mean, log_scale = stats_of(KEY)
    noise = jax.random.normal(jax.random.key(1), (100_000, *mean.shape))
    z = mean[None] + jnp.exp(log_scale)[None] * noise
    draws = (-0.5 * noise**2 - log_scale[None] + 0.5 * z**2).sum(-1)  # log q - log p
    error = draws.std(0) / np.sqrt(len(draws))
    assert (abs(gaussian_kl(mean, log_scale) - draws.mean(0)) < 4 * error).all()


def test_kl_equals_the_integral_in_one_dimension():
    mean, log_scale = 0.7, -0.4
    z = np.linspace(-12, 12, 200_001)
    scale = np.exp(log_scale)
    log_q = -0.5 * ((z - mean) / scale) ** 2 - log_scale - 0.5 * np.log(2 * np.pi)
    log_p = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    expected = np.trapezoid(np.exp(log_q) * (log_q - log_p), z)
    kl = gaussian_kl(jnp.array([[mean]]), jnp.array([[log_scale]]))
    np.testing.assert_allclose(kl, [expected], rtol=1e-5)


def test_kl_is_zero_at_the_prior_and_accurate_beside_it():
    zero = jnp.zeros((1, 3))
    np.testing.assert_array_equal(gaussian_kl(zero, zero), [0.0])
    small = jnp.full((1, 1), 1e-4)
    np.testing.assert_allclose(gaussian_kl(jnp.zeros((1, 1)), small), [1e-8], rtol=1e-2, atol=1e-8)


def test_free_nats_change_nothing_above_and_hold_the_floor_below():
    mean, log_scale = stats_of(KEY)
    per_latent = [gaussian_kl(mean[:, [j]], log_scale[:, [j]]) for j in range(4)]
    least = float(min(kl.mean() for kl in per_latent))
    np.testing.assert_allclose(
        gaussian_kl(mean, log_scale, free_nats=0.99 * least), gaussian_kl(mean, log_scale), rtol=1e-6
    )
    floored = gaussian_kl(mean, log_scale, free_nats=1e3)
    np.testing.assert_allclose(floored, jnp.full(3, 4e3))
    slope = jax.grad(lambda m: gaussian_kl(m, log_scale, free_nats=1e3).sum())(mean)
    np.testing.assert_array_equal(slope, jnp.zeros_like(mean))


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_kl_is_finite_at_extreme_inputs(value):
    assert jnp.isfinite(gaussian_kl(jnp.full((2, 2), value), jnp.full((2, 2), -30.0))).all()
    assert jnp.isfinite(gaussian_kl(jnp.zeros((2, 2)), jnp.full((2, 2), value))).all()


def test_unequal_shapes_are_refused():
    with pytest.raises(AssertionError, match=r"(?s)\(3, 2\).*\(3, 1\)"):
        gaussian_kl(jnp.zeros((3, 2)), jnp.zeros((3, 1)))
    with pytest.raises(AssertionError, match=r"\(3, 1\)|\{2\}|rank"):
        elbo(jnp.zeros(3), jnp.zeros((3, 1)))


def test_importance_weighted_bound_of_one_sample_is_the_weight_and_of_equal_weights_is_theirs():
    weights = jax.random.normal(KEY, (1, 5)) * 100
    np.testing.assert_allclose(importance_weighted(weights), weights[0], rtol=1e-6)
    np.testing.assert_allclose(importance_weighted(jnp.broadcast_to(weights, (7, 5))), weights[0], rtol=1e-6)


def test_importance_weighted_bound_is_the_log_of_the_mean():
    weights = jax.random.normal(KEY, (6, 5))
    np.testing.assert_allclose(importance_weighted(weights), jnp.log(jnp.exp(weights).mean(0)), rtol=1e-5, atol=1e-6)
    assert jnp.isfinite(importance_weighted(weights * 1e4)).all()


def test_the_kl_of_categories_is_scipys_and_refuses_unequal_shapes():
    logits, other = jax.random.normal(KEY, (2, 5, 4))
    expected = rel_entr(*(np.asarray(jax.nn.softmax(x), np.float64) for x in (logits, other))).sum(-1)
    np.testing.assert_allclose(categorical_kl(logits, other), expected, rtol=1e-4)
    np.testing.assert_array_equal(categorical_kl(logits, logits), 0)
    assert np.isfinite(categorical_kl(1e4 * logits, -1e4 * other)).all()
    with pytest.raises(AssertionError):
        categorical_kl(logits, other[:3])
