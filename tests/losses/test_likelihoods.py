import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.losses.likelihoods import bernoulli, gaussian

KEY = jax.random.key(0)


def test_bernoulli_sums_to_one_over_all_binary_vectors():
    logits = jax.random.normal(KEY, (3,)) * 3
    vectors = jnp.array([[(n >> bit) & 1 for bit in range(3)] for n in range(8)], jnp.float32)
    log_p = bernoulli(vectors, jnp.broadcast_to(logits, (8, 3)))
    np.testing.assert_allclose(jnp.exp(log_p).sum(), 1.0, rtol=1e-5)


def test_bernoulli_equals_the_log_of_the_probability_image_shaped():
    x = jax.random.bernoulli(KEY, 0.5, (4, 2, 3, 1)).astype(jnp.float32)
    logits = jax.random.normal(jax.random.key(1), x.shape)
    p = jax.nn.sigmoid(logits)
    expected = jnp.log(jnp.where(x == 1, p, 1 - p)).sum((1, 2, 3))
    np.testing.assert_allclose(bernoulli(x, logits), expected, rtol=1e-5)


@pytest.mark.parametrize(("x", "logit", "expected"), [(1, 1e4, 0), (0, -1e4, 0), (0, 1e4, -1e4), (1, -1e4, -1e4)])
def test_bernoulli_is_finite_and_right_at_extreme_logits(x, logit, expected):
    x, logits = jnp.full((1, 1), x, jnp.float32), jnp.full((1, 1), logit, jnp.float32)
    np.testing.assert_allclose(bernoulli(x, logits), [expected], atol=1e-6)
    slope = jax.grad(lambda logits: bernoulli(x, logits).sum())(logits)
    np.testing.assert_allclose(slope, x - (logits > 0), atol=1e-6)


@pytest.mark.parametrize("scalar", [True, False])
def test_gaussian_equals_scipy(scalar):
    x, mean = jax.random.normal(KEY, (2, 5, 4))
    log_scale = jnp.float32(-0.7) if scalar else jax.random.normal(jax.random.key(1), (5, 4))
    expected = stats.norm.logpdf(x, mean, np.exp(np.broadcast_to(log_scale, x.shape))).sum(1)
    np.testing.assert_allclose(gaussian(x, mean, log_scale), expected, rtol=1e-4)


@pytest.mark.parametrize("log_scale", [-1e4, -30.0, 30.0, 1e4])
def test_gaussian_is_finite_at_extreme_scales(log_scale):
    x = jnp.ones((2, 3)) * 10
    assert jnp.isfinite(gaussian(x, jnp.zeros((2, 3)), log_scale)).all()


@pytest.mark.parametrize("loss", [bernoulli, lambda x, mean: gaussian(x, mean, 0.0)])
def test_unequal_shapes_are_refused_and_named(loss):
    with pytest.raises(AssertionError, match=r"(?s)\(4, 1\).*\(4,\)|\(4,\).*\(4, 1\)"):
        loss(jnp.zeros((4, 1)), jnp.zeros(4))
