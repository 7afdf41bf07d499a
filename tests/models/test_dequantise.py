"""Dequantisation against distributions small enough to sum: cells whose probability is known in closed form."""

import itertools
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.bijectors.base import Bijector, per_example
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.logit import Logit
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.metrics.plane import integral
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.models.dequantise import Noise, bits_per_dim, bound, log_weights, uniform
from jaxgen.models.flow import Flow
from jaxgen.nn.conditioner import DenseConditioner
from tests.bijectors.laws import moved

KEY = jax.random.key(0)
LEVELS = 4
X = np.array(list(itertools.product(range(LEVELS), repeat=2)), np.uint8)  # every pair of integers


def log_density(y):
    """log p(y) [B] of a correlated density on the square: a mixture of products of powers."""
    a, b = y[:, 0], y[:, 1]
    return jnp.log(0.5 * (2 * a) * (2 * b) + 0.5 * (3 * (1 - a) ** 2) * (4 * b**3))


def exact():
    """log P(x) [16]: the integrals of the same powers."""
    low, high = X / LEVELS, (X + 1) / LEVELS
    first = (high**2 - low**2).prod(1)
    second = ((1 - low[:, 0]) ** 3 - (1 - high[:, 0]) ** 3) * (high[:, 1] ** 4 - low[:, 1] ** 4)
    return np.log(0.5 * first + 0.5 * second)


class Affine(Bijector):
    """v -> (v - shift) * scale, both from the condition."""

    def setup(self):
        last = nn.Dense(4, kernel_init=nn.initializers.normal(0.05))
        self.network = nn.Sequential([nn.Dense(16), nn.tanh, last])

    def parameters(self, condition):
        shift, log_scale = jnp.split(self.network(condition), 2, axis=-1)
        return shift, log_scale

    def forward(self, x, condition=None):
        shift, log_scale = self.parameters(condition)
        return (x - shift) * jnp.exp(log_scale), per_example(log_scale)

    def inverse(self, y, condition=None):
        shift, log_scale = self.parameters(condition)
        return y * jnp.exp(-log_scale) + shift, -per_example(log_scale)


NOISE = Noise(Affine(), LEVELS)
PARAMS = NOISE.init(KEY, KEY, X)
DEQUANTISERS = {"uniform": partial(uniform, levels=LEVELS), "flow": partial(NOISE.apply, PARAMS)}
each_dequantiser = pytest.mark.parametrize("dequantiser", DEQUANTISERS.values(), ids=DEQUANTISERS)


def test_the_probabilities_sum_to_one():
    np.testing.assert_allclose(np.exp(exact()).sum(), 1, rtol=1e-12)


@each_dequantiser
def test_the_mean_weight_of_every_integer_is_its_probability_and_they_sum_to_one(dequantiser):
    weights = np.exp(np.asarray(log_weights(log_density, dequantiser, X)(KEY, 100_000), np.float64))
    error = weights.std(0) / np.sqrt(len(weights))
    assert (error < 0.03 * np.exp(exact())).all()
    np.testing.assert_array_less(abs(weights.mean(0) - np.exp(exact())), 5 * error)
    assert abs(weights.mean(0).sum() - 1) < 5 * np.sqrt((error**2).sum())


@each_dequantiser
def test_the_bound_is_below_the_log_probability_rises_with_the_samples_and_reaches_it(dequantiser):
    previous, error_before = -np.inf, 0.0
    for samples, draws in ((1, 20_000), (8, 10_000), (500, 400)):
        keys = jax.random.split(jax.random.key(samples), draws)
        one = jax.jit(jax.vmap(lambda key, k=samples: bound(log_density, dequantiser, key, X, samples=k)))
        values = np.asarray(one(keys), np.float64)
        mean, error = values.mean(0), values.std(0) / np.sqrt(draws)
        assert (mean < exact() + 4 * error).all()
        assert (mean > previous - 3 * (error + error_before)).all()
        assert mean.mean() > np.mean(previous)
        previous, error_before = mean, error
    assert (exact() - previous < 0.01).all()
    many = importance_sampled(log_weights(log_density, dequantiser, X), KEY, samples=50_000, chunk=5000)
    np.testing.assert_allclose(many, exact(), atol=0.05)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_the_probabilities_of_a_flow_behind_a_logit_are_the_shares_of_its_samples(alpha):
    """Its mass in the cells is all that it has inside the square: all of it where alpha is 0."""
    flow = Flow(Chain([Logit(alpha), vector_flow(partial(DenseConditioner, hidden=(8,)), affine(), layers=2)]), (2,))
    start = jax.eval_shape(flow.init, KEY, jnp.zeros((2, 2)))
    params = moved(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), start), 0.3)
    density = partial(flow.log_prob, params)
    one = jax.jit(lambda key: log_weights(density, DEQUANTISERS["uniform"], X)(key, 20_000))
    weights = np.exp(np.asarray(one(KEY), np.float64))
    n = 200_000
    drawn = np.floor(np.asarray(jax.jit(lambda key: flow.sample(params, key, n))(KEY)) * LEVELS)
    share = (drawn[:, None] == X).all(-1).mean(0)
    error = np.sqrt(weights.var(0) / len(weights) + share / n)
    np.testing.assert_array_less(abs(weights.mean(0) - share), 5 * error)
    inside = integral(jax.jit(density), (0, 1, 0, 1), points=400, batch_size=40_000).value
    assert abs(weights.mean(0).sum() - inside) < 4 * np.sqrt((weights.var(0) / len(weights)).sum())
    assert abs(inside - 1) < 1e-3 if alpha == 0 else 0.5 < inside < 0.95


class Posterior(Bijector):
    """The noise for which the bound is tight where p(y) = 2 y: u has the distribution function F below, e.g. [B, 1]."""

    def forward(self, x, condition=None):
        u, k = jax.nn.sigmoid(x), self.integer(condition)
        f = ((k + u) ** 2 - k**2) / (2 * k + 1)
        rest = (1 - u) * (2 * k + 1 + u) / (2 * k + 1)  # 1 - f
        log_slope = jnp.log(2 * (k + u) / (2 * k + 1)) + jnp.log(u) + jnp.log1p(-u) - jnp.log(f) - jnp.log(rest)
        return jnp.log(f) - jnp.log(rest), per_example(log_slope)

    def inverse(self, y, condition=None):
        k = self.integer(condition)
        u = jnp.sqrt(k**2 + jax.nn.sigmoid(y) * (2 * k + 1)) - k
        x = jnp.log(u) - jnp.log1p(-u)
        return x, -self.forward(x, condition)[1]

    def integer(self, condition):
        return ((condition + 1) * LEVELS - 1) / 2


def test_one_sample_is_the_log_probability_where_the_noise_is_the_posterior():
    x = np.arange(LEVELS)[:, None]
    dequantiser = partial(Noise(Posterior(), LEVELS).apply, {})
    weights = log_weights(lambda y: jnp.log(2 * y[:, 0]), dequantiser, x)(KEY, 200)
    np.testing.assert_allclose(weights, np.tile(np.log((2 * x[:, 0] + 1) / LEVELS**2), (200, 1)), atol=3e-3)


@pytest.mark.slow
def test_a_trained_flow_has_a_better_bound_than_uniform_noise():
    def steep(y):  # the density 8 y^7 of each number
        return per_example(jnp.log(8.0) + 7 * jnp.log(y))

    log_p = (np.log(((X + 1.0) ** 8 - X**8) / LEVELS**8)).sum(1)
    optimiser = optax.adam(0.02)

    @jax.jit
    def step(carry, key):
        params, state = carry
        grads = jax.grad(lambda p: -bound(steep, partial(NOISE.apply, p), key, X).mean())(params)
        updates, state = optimiser.update(grads, state)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (PARAMS, optimiser.init(PARAMS)), jax.random.split(KEY, 1000))
    score = lambda one: np.asarray(log_weights(steep, one, X)(KEY, 10_000)).mean(0)  # noqa: E731
    of_flow, of_uniform = score(partial(NOISE.apply, params)), score(DEQUANTISERS["uniform"])
    gap, uniform_gap = (log_p - of_flow).mean(), (log_p - of_uniform).mean()
    assert 0 < gap < uniform_gap / 5


def test_the_density_of_the_drawn_noise_is_that_of_its_place():
    y, log_q = NOISE.apply(PARAMS, KEY, X)
    again = NOISE.apply(PARAMS, X, y * LEVELS - X, method="log_density")
    np.testing.assert_allclose(log_q, again + 2 * np.log(LEVELS), atol=1e-3)


def test_the_noise_of_an_identity_is_uniform():
    for log_q in (
        Noise(Identity(), LEVELS).apply({}, KEY, X)[1] - 2 * np.log(LEVELS),
        Noise(Identity(), LEVELS).apply({}, X, jax.random.uniform(KEY, X.shape), method="log_density"),
    ):
        np.testing.assert_allclose(log_q, 0, atol=1e-5)


def test_the_noise_has_integral_one_in_every_cell():
    line = (np.arange(400) + 0.5) / 400
    u = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2).astype(np.float32)
    for x in X[[0, 6, 15]]:
        log_q = NOISE.apply(PARAMS, np.broadcast_to(x, u.shape), u, method="log_density")
        assert abs(np.exp(np.asarray(log_q, np.float64)).mean() - 1) < 1e-3


class Identity(Bijector):
    def forward(self, x, condition=None):
        return x, jnp.zeros(len(x))

    inverse = forward


class Wide(Bijector):
    """Noise so wide that its sigmoid is 0 or 1."""

    def forward(self, x, condition=None):
        return x / 50, jnp.full(len(x), -jnp.log(50.0) * x[0].size)

    def inverse(self, y, condition=None):
        return y * 50, jnp.full(len(y), jnp.log(50.0) * y[0].size)


@pytest.mark.parametrize("levels", [2, 17, 255, 256])
def test_what_is_spread_stays_in_its_cell_and_is_found_again(levels):
    x = np.arange(levels).repeat(300).reshape(-1, 3, 2, 1)  # pictures
    for dequantiser in (partial(uniform, levels=levels), partial(Noise(Wide(), levels).apply, {})):
        y, log_q = jax.jit(dequantiser)(KEY, x)
        np.testing.assert_array_equal(jnp.floor(y * levels), x)
        assert y.min() > 0 and y.max() < 1 and np.isfinite(log_q).all()
        assert y.dtype == jnp.float32 and log_q.shape == (len(x),)


def test_uniform_noise_is_uniform():
    u = np.asarray(uniform(KEY, np.zeros((50_000, 2), np.int32), levels=2)[0]) * 2
    counts = np.histogram(u, 20, (0, 1))[0]
    assert ((counts - 5000) ** 2 / 5000).sum() < 50  # chi-square, 19 degrees of freedom: p < 2e-4
    assert abs(np.corrcoef(u.T)[0, 1]) < 5 / np.sqrt(len(u))


def test_an_encoder_gives_the_condition_and_gets_a_gradient():
    noise = Noise(Affine(), LEVELS, encoder=nn.Dense(5))
    params = noise.init(KEY, KEY, X)
    grads = jax.jit(jax.grad(lambda p: bound(log_density, partial(noise.apply, p), KEY, X, samples=3).mean()))(params)
    assert all(abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))
    assert params["params"]["encoder"]["kernel"].shape == (2, 5)


def test_bits_count_the_scaling_once():
    np.testing.assert_allclose(bits_per_dim(jnp.zeros(3), 10, levels=256), 8.0, rtol=1e-6)  # the uniform density
    np.testing.assert_allclose(bits_per_dim(jnp.full(3, -10 * np.log(256)), 10), 8.0, rtol=1e-6)
    by_bound = bits_per_dim(bound(log_density, DEQUANTISERS["uniform"], KEY, X), 2)
    y, _ = uniform(jax.random.split(KEY, 1)[0], X, levels=LEVELS)
    np.testing.assert_allclose(by_bound, bits_per_dim(log_density(y), 2, levels=LEVELS), rtol=1e-5, atol=1e-6)
    # The entropy of the integers, in bits a dimension, is what the exact probabilities cost on average.
    p = np.exp(exact())
    np.testing.assert_allclose(p @ bits_per_dim(exact(), 2), -(p @ np.log2(p)) / 2, rtol=1e-6)


def test_what_cannot_be_dequantised_is_refused():
    with pytest.raises(ValueError, match=r"expected integers \[B, ...\], got float32 of shape \(16, 2\)"):
        uniform(KEY, X.astype(np.float32), levels=LEVELS)
    for levels in (1, 257):
        with pytest.raises(ValueError, match=f"levels in 2..256, got {levels}"):
            Noise(Wide(), levels).apply({}, KEY, X)
    with pytest.raises(ValueError, match="at least 1 sample, got 0"):
        bound(log_density, DEQUANTISERS["uniform"], KEY, X, samples=0)
    with pytest.raises(ValueError, match="dimensions and levels of at least 1, got 0 and 1"):
        bits_per_dim(0.0, 0)
