import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.losses.likelihoods import bernoulli, discretised_logistic, gaussian

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


@pytest.mark.parametrize(
    "loss",
    [
        bernoulli,
        lambda x, mean: gaussian(x, mean, 0.0),
        lambda x, mean: discretised_logistic(x, mean, 0.0, levels=2),
    ],
)
def test_unequal_shapes_are_refused_and_named(loss):
    with pytest.raises(AssertionError, match=r"(?s)\(4, 1\).*\(4,\)|\(4,\).*\(4, 1\)"):
        loss(jnp.zeros((4, 1)), jnp.zeros(4))


def grid(levels):
    """All values of one dimension, [levels, 1]."""
    return jnp.arange(levels, dtype=jnp.float32).reshape(-1, 1) / (levels - 1)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_discretised_logistic_sums_to_one_over_the_levels(levels):
    x = grid(levels)
    for mean in (-3.0, -0.01, 0.0, 0.3, 0.5, 0.999, 1.0, 40.0):
        for log_scale in (-20.0, -7.0, -5.0, -2.0, 0.0, 3.0):
            log_p = discretised_logistic(x, jnp.full_like(x, mean), log_scale, levels=levels)
            np.testing.assert_allclose(np.exp(np.float64(log_p)).sum(), 1.0, rtol=1e-4)


@pytest.mark.parametrize("levels", [17, 256])
@pytest.mark.parametrize("scalar", [True, False])
def test_discretised_logistic_equals_differences_of_the_distribution_function(levels, scalar):
    with jax.enable_x64(True):
        k = jax.random.randint(KEY, (200, 3), 0, levels).at[:4].set(0).at[4:8].set(levels - 1)
        x = k / (levels - 1)
        mean = jax.random.uniform(jax.random.key(1), x.shape, minval=-0.5, maxval=1.5)
        log_scale = jnp.float64(-1.3) if scalar else jax.random.uniform(jax.random.key(2), x.shape, minval=-3)
        found = discretised_logistic(x, mean, log_scale, levels=levels)
        k = np.asarray(k)
        assert found.dtype == jnp.float64
    edge = 0.5 / (levels - 1)
    low = np.where(k == 0, -np.inf, np.asarray(x) - edge)
    high = np.where(k == levels - 1, np.inf, np.asarray(x) + edge)
    distribution = stats.logistic(np.asarray(mean), np.exp(np.asarray(log_scale)))
    np.testing.assert_allclose(found, np.log(distribution.cdf(high) - distribution.cdf(low)).sum(1), rtol=1e-7)


def test_discretised_logistic_is_the_density_times_the_bin_in_the_far_tail():
    """Where the two distribution functions are equal numbers."""
    x, mean = jnp.full((1, 1), 100 / 255), jnp.full((1, 1), 0.9)
    expected = stats.logistic.logpdf(100 / 255, 0.9, np.exp(-5.0)) + np.log(1 / 255)
    half = 0.5 / 255 * np.exp(5.0)  # the density falls as exp(x / s) over the bin
    found = discretised_logistic(x, mean, -5.0, levels=256)
    np.testing.assert_allclose(found, [expected + np.log(np.sinh(half) / half)], rtol=1e-5)
    slope = jax.grad(lambda m: discretised_logistic(x, m, -5.0, levels=256).sum())(mean)
    np.testing.assert_allclose(slope, [[-np.exp(5.0)]], rtol=1e-4)


def test_discretised_logistic_is_symmetric():
    x = jax.random.randint(KEY, (50, 4), 0, 17) / 16
    mean, log_scale = jax.random.normal(jax.random.key(1), (2, 50, 4))
    np.testing.assert_allclose(
        discretised_logistic(x, mean, log_scale - 2, levels=17),
        discretised_logistic(1 - x, 1 - mean, log_scale - 2, levels=17),
        rtol=1e-4,
    )


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("mean", [-1e4, 0.0, 0.4, 1.0, 1e4])
@pytest.mark.parametrize("log_scale", [-1e4, -7.7, -2.0, 30.0, 1e4])
def test_discretised_logistic_and_its_gradients_are_finite_at_extreme_inputs(levels, mean, log_scale):
    x = grid(levels)

    def log_p(mean, log_scale):
        return discretised_logistic(x, mean, log_scale, levels=levels)

    point = jnp.full_like(x, mean), jnp.full_like(x, log_scale)
    assert jnp.isfinite(log_p(*point)).all()
    assert all(jnp.isfinite(slope).all() for slope in jax.grad(lambda *a: log_p(*a).sum(), (0, 1))(*point))


@pytest.mark.parametrize("x", [0.0, 100 / 255, 1.0])
def test_discretised_logistic_gradients_equal_finite_differences(x):
    with jax.enable_x64(True):
        x = jnp.full((1, 1), x, jnp.float64)

        def log_p(mean, log_scale):
            return discretised_logistic(x, mean.reshape(1, 1), log_scale.reshape(1, 1), levels=256).sum()

        for point in [(0.35, -3.0), (0.9, -6.0)]:
            jax.test_util.check_grads(log_p, tuple(jnp.float64(value) for value in point), 1, modes=["rev"])


def test_a_logistic_narrower_than_the_bound_counts_as_the_bound():
    x = mean = jnp.full((1, 1), 0.5)
    bound = -7 - np.log(2)
    at = [float(discretised_logistic(x, mean, value, levels=3).sum()) for value in (bound - 5, bound, bound + 5)]
    assert at[0] == at[1] > at[2]


def test_fewer_than_two_levels_are_refused():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        discretised_logistic(jnp.zeros((1, 1)), jnp.zeros((1, 1)), 0.0, levels=1)
