"""Mixtures of normal distributions as the noise of flows."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import logsumexp
from scipy.stats import norm

from jaxgen.bijectors.scaling import Scaling
from jaxgen.games.flow import flow_game
from jaxgen.models.flow import NORMAL, Flow
from jaxgen.models.mixture import Mixture
from jaxgen.step import init, make_step

KEY = jax.random.key(0)
MIXTURE = Mixture(3, 2)
PARAMS = {
    "logits": jnp.array([0.0, 1.0, -0.5]),
    "mean": jnp.array([[-8.0, 0.0], [0.0, 6.0], [9.0, -2.0]]),
    "log_scale": jnp.array([[-1.0, 0.0], [0.3, -0.5], [-0.2, -2.0]]),
}


def exact(z, temperature=1.0):
    weights = np.asarray(jax.nn.softmax(PARAMS["logits"]))
    scales = temperature * np.exp(np.asarray(PARAMS["log_scale"]))
    each = norm.logpdf(np.asarray(z)[:, None], np.asarray(PARAMS["mean"]), scales).sum(-1)
    return logsumexp(each, b=weights, axis=1)


def test_the_density_is_scipys():
    z = 3 * jax.random.normal(KEY, (50, 2))
    for temperature in (1.0, 0.4):
        ours = MIXTURE.apply({"params": PARAMS}, z, temperature)
        np.testing.assert_allclose(ours, exact(z, temperature), rtol=2e-5)


def test_samples_have_weights_means_and_scales_of_the_components():
    for temperature in (1.0, 0.5):
        z = np.asarray(MIXTURE.apply({"params": PARAMS}, KEY, 100_000, temperature, method="sample"))
        which = np.argmin(((z[:, None] - np.asarray(PARAMS["mean"])) ** 2).sum(-1), axis=1)  # the modes lie far apart
        np.testing.assert_allclose(np.bincount(which) / len(z), jax.nn.softmax(PARAMS["logits"]), atol=0.006)
        for k in range(3):
            np.testing.assert_allclose(z[which == k].mean(0), PARAMS["mean"][k], atol=0.04)
            scale = temperature * np.exp(np.asarray(PARAMS["log_scale"][k]))
            np.testing.assert_allclose(z[which == k].std(0), scale, rtol=0.04)


def test_one_component_is_the_normal_distribution():
    params = {"logits": jnp.zeros(1), "mean": jnp.zeros((1, 2)), "log_scale": jnp.zeros((1, 2))}
    z = jax.random.normal(KEY, (20, 2))
    ours = Mixture(1, 2).apply({"params": params}, z)
    np.testing.assert_allclose(ours, NORMAL.log_prob(z).sum(-1), rtol=1e-5)


def test_it_starts_with_deviation_one():
    params = Mixture(5000, 2).init(KEY, jnp.zeros((1, 2)))
    z = Mixture(5000, 2).apply(params, KEY, 5000, method="sample")
    np.testing.assert_allclose(z.std(0), 1, atol=0.05)


def test_a_flow_on_it_has_the_density_of_its_samples():
    flow = Flow(Scaling(), (2,), MIXTURE)
    params = {"flow": {"log_scale": jnp.array([0.7, -0.4])}, "base": PARAMS}
    x, log_prob = flow.sample_and_log_prob(params, KEY, 64)
    np.testing.assert_allclose(log_prob, flow.log_prob(params, x), rtol=1e-5)
    z = x * jnp.exp(params["flow"]["log_scale"])[None]
    np.testing.assert_allclose(log_prob, exact(z) + 0.3, rtol=1e-4)
    _, cold = flow.sample_and_log_prob(params, KEY, 64, temperature=0.5)
    z_cold = flow.noise(params, KEY, 64, 0.5)
    np.testing.assert_allclose(cold, exact(z_cold, 0.5) + 0.3, rtol=1e-4)


def test_the_game_moves_every_parameter_of_both_up_the_likelihood():
    flow = Flow(Scaling(), (2,), Mixture(4, 2))
    game = flow_game(flow, optax.adam(0.03), ema=0.9)
    batch = {"x": jax.random.normal(KEY, (64, 2)) * jnp.array([[1.0, 0.2]])}
    state = init(game, KEY, batch)
    play = jax.jit(make_step(game))
    first = state
    for _ in range(60):
        state, _ = play(state, batch)
    before, after = jax.tree.leaves_with_path(first.params), jax.tree.leaves(state.params)
    for (path, was), now in zip(before, after, strict=True):
        assert (was != now).all(), jax.tree_util.keystr(path)
    assert set(state.ema) == {"flow", "base"}
    assert flow.log_prob(state.params, batch["x"]).mean() > flow.log_prob(first.params, batch["x"]).mean() + 0.5
    assert nn.softmax(state.params["base"]["logits"]).min() > 0
