"""Bounds and estimator on a linear-Gaussian VAE, whose evidence is known: x = W z + b + noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxgen.losses.bounds import elbo, importance_weighted
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.metrics.baselines import factorised_bernoulli, factorised_gaussian
from jaxgen.metrics.batched import over
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models.vae import GAUSSIAN, VAE, Decoder, Encoder, LocationScale
from jaxgen.nn.mlp import MLP

DIMENSIONS, LATENT, SCALE = 3, 2, 0.8
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def model():
    """The project's own VAE with no hidden layer, its parameters, data, and the exact log p of the data."""
    vae = VAE(Encoder(MLP(()), LATENT), LocationScale(Decoder(MLP(()), (DIMENSIONS,)), SCALE), GAUSSIAN, LATENT)
    params = vae.init(KEY, jnp.zeros((1, DIMENSIONS)))
    kernel = jax.random.normal(KEY, (LATENT, DIMENSIONS))
    offset = jnp.array([0.5, -0.3, 0.1])
    params["decoder"]["params"]["mean"]["Dense_0"] = {"kernel": kernel, "bias": offset}
    # The exact posterior has covariance C and mean C kernel (x - offset) / SCALE^2. The encoder's is shrunk
    # and wider, so that its weights vary, but not without bounds.
    covariance = jnp.linalg.inv(jnp.eye(LATENT) + kernel @ kernel.T / SCALE**2)
    pull = 0.9 * covariance @ kernel / SCALE**2
    params["encoder"]["params"]["Dense_0"] = {
        "kernel": jnp.concatenate([pull.T, jnp.zeros((DIMENSIONS, LATENT))], axis=1),
        "bias": jnp.concatenate([-pull @ offset, 0.5 * jnp.log(jnp.diag(covariance)) + 0.3]),
    }
    x = 1.5 * jax.random.normal(jax.random.key(1), (4, DIMENSIONS))
    evidence = multivariate_normal(offset, kernel.T @ kernel + SCALE**2 * np.eye(DIMENSIONS))
    return vae, params, x, evidence.logpdf(x)


def draws(model, k, n):
    """n independent values of the bound with k samples, [n, B]."""
    vae, params, x, _ = model
    keys = jax.random.split(jax.random.key(k), n)
    return jax.jit(jax.vmap(lambda key: importance_weighted(vae.log_weights(params, x)(key, k))))(keys)


def mean_and_error(values):
    return values.mean(0), values.std(0) / np.sqrt(len(values))


def test_elbo_below_importance_weighted_bound_below_evidence_monotone_in_k(model):
    exact = model[-1]
    previous, error_before = -np.inf, 0.0
    for k in (1, 5, 50):
        mean, error = mean_and_error(draws(model, k, 20_000 if k < 50 else 5_000))
        assert (mean - previous > 3 * (error + error_before)).all(), k
        assert (mean < exact + 3 * error).all()
        previous, error_before = mean, error
    assert (exact - previous < 0.1).all()  # and it is closing in


def test_one_weight_has_the_closed_form_elbo_as_its_mean(model):
    vae, params, x, _ = model
    mean, log_scale = vae.encode(params, x)
    dense = params["decoder"]["params"]["mean"]["Dense_0"]
    # E_q log p(x|z) of a linear decoder: the value at the mean less the spread of q through the kernel.
    at_mean = GAUSSIAN.log_likelihood(x, vae.decode(params, mean))
    spread = 0.5 / SCALE**2 * (jnp.exp(2 * log_scale) @ (dense["kernel"] ** 2).sum(1, keepdims=True))[:, 0]
    expected = elbo(at_mean - spread, gaussian_kl(mean, log_scale))
    mean, error = mean_and_error(draws(model, 1, 100_000))
    assert (abs(mean - expected) < 4 * error).all()
    assert (error < 0.02 * abs(expected)).all()


def test_estimator_is_unbiased_in_p_and_biased_in_log_p(model):
    vae, params, x, exact = model
    keys = jax.random.split(jax.random.key(5), 20_000)
    estimate = jax.jit(jax.vmap(lambda key: importance_sampled(vae.log_weights(params, x), key, samples=4, chunk=2)))(
        keys
    )
    p, p_error = mean_and_error(np.exp(np.asarray(estimate, np.float64)))
    assert (abs(p - np.exp(exact)) < 4 * p_error).all()
    assert (p_error < 0.05 * np.exp(exact)).all()
    log_p, log_error = mean_and_error(estimate)
    assert (exact - log_p > 5 * log_error).all()


def test_estimate_with_many_samples_is_the_evidence_whatever_the_chunk(model):
    vae, params, x, exact = model
    for chunk in (100, 10_000):
        estimate = importance_sampled(vae.log_weights(params, x), KEY, samples=100_000, chunk=chunk)
        np.testing.assert_allclose(estimate, exact, atol=0.03)


def test_the_chunk_only_groups_the_sum():
    weights = jax.random.normal(KEY, (6, 5)) * 30
    keys = jax.random.split(KEY, 3)

    def given(key, n):
        row = jnp.argmax((jax.random.key_data(keys) == jax.random.key_data(key)[None]).all(1))
        return jax.lax.dynamic_slice_in_dim(weights, row * n, n)

    total = importance_sampled(given, KEY, samples=6, chunk=2)
    np.testing.assert_allclose(total, importance_weighted(weights), rtol=1e-6)


@pytest.mark.parametrize(("samples", "chunk"), [(0, 1), (5, 0), (5, 2)])
def test_impossible_numbers_of_samples_are_refused(samples, chunk):
    with pytest.raises(ValueError, match=str(chunk)):
        importance_sampled(lambda key, n: jnp.zeros((n, 1)), KEY, samples=samples, chunk=chunk)


def test_over_gives_every_example_once_in_order_with_one_compilation():
    part = {"x": np.arange(10.0, dtype=np.float32)[:, None]}
    traces = []

    @jax.jit
    def double(key, batch):
        traces.append(1)
        return {"twice": batch["x"][:, 0] * 2, "index": batch["index"]}

    rows = over(double, KEY, part, batch_size=4)
    np.testing.assert_array_equal(rows["twice"], np.arange(10.0) * 2)
    np.testing.assert_array_equal(rows["index"], np.arange(10))
    assert len(traces) == 1


def test_factorised_baselines_against_scipy():
    rng = np.random.default_rng(0)
    train, test = rng.random((50, 4)), (rng.random((20, 4)) < 0.5).astype(float)
    p = (train.sum(0) + 0.5) / 51
    expected = np.log(np.where(test == 1, p, 1 - p)).sum(1).mean()
    np.testing.assert_allclose(factorised_bernoulli(train)(test).mean(), expected)
    normal = multivariate_normal(train.mean(0), np.diag(train.var(0)))
    np.testing.assert_allclose(factorised_gaussian(train)(test).mean(), normal.logpdf(test).mean())
