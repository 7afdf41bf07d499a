"""Normalizing flows: densities that integrate to one and are those of their samples."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.bijectors.chain import Chain, Repeat, layers
from jaxgen.bijectors.continuous import Continuous, Drift
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.permute import Reverse
from jaxgen.games.flow import flow_game
from jaxgen.metrics.plane import integral
from jaxgen.models.coupling_flows import glow, nice, vector_flow
from jaxgen.models.dequantise import Noise, bound, uniform
from jaxgen.models.flow import LOGISTIC, NORMAL, Flow, solver_steps
from jaxgen.models.mixture import Mixture
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner
from jaxgen.step import init, make_step

KEY = jax.random.key(0)
NET = partial(DenseConditioner, hidden=(16,), activation=nn.tanh)


def moved(params, scale=0.3):
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(9), len(leaves))
    return jax.tree.unflatten(
        tree, [a + scale * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    )


@pytest.fixture(scope="module", params=["normal", "logistic"])
def plane(request):
    """A flow of the plane with random parameters."""
    base = {"normal": NORMAL, "logistic": LOGISTIC}[request.param]
    flow = Flow(vector_flow(NET, affine(), layers=4, mix=True), (2,), base)
    return flow, moved(jax.jit(flow.init)(KEY, jax.random.normal(KEY, (64, 2))))


def test_the_density_integrates_to_one(plane):
    flow, params = plane
    log_prob = partial(jax.jit(flow.log_prob), params)
    x = np.asarray(jax.jit(flow.sample, static_argnums=2)(params, KEY, 4000))
    low, high = x.min(0), x.max(0)
    margin = 0.5 * (high - low)
    box = (low[0] - margin[0], high[0] + margin[0], low[1] - margin[1], high[1] + margin[1])
    assert abs(integral(log_prob, box).value - 1) < 2e-3


def test_samples_have_the_density(plane):
    flow, params = plane
    n, cells, fine = 100_000, 6, 40
    x = np.asarray(jax.jit(flow.sample, static_argnums=2)(params, KEY, n))
    low, high = np.quantile(x, [0.02, 0.98], axis=0)
    edges = [np.linspace(a, b, cells + 1) for a, b in zip(low, high, strict=True)]
    share = np.histogram2d(*x.T, bins=edges)[0] / n
    places = [a + (b - a) * (np.arange(cells * fine) + 0.5) / (cells * fine) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*places, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    p = np.exp(np.asarray(jax.jit(flow.log_prob)(params, grid), np.float64)).reshape(cells, fine, cells, fine)
    expected = p.mean((1, 3)) * np.prod((high - low) / cells)
    assert expected.max() > 3 * expected.min()  # a density with something to get wrong
    assert (abs(share - expected) < 5 * np.sqrt(expected / n)).all()


def test_samples_come_with_the_density_they_were_drawn_from(plane):
    flow, params = plane
    drawn = jax.jit(lambda temperature: flow.sample_and_log_prob(params, KEY, 32, temperature=temperature))
    x, log_prob = drawn(1.0)
    chex.assert_trees_all_close(jax.jit(flow.log_prob)(params, x), log_prob, atol=1e-4)
    x, log_prob = drawn(0.5)
    z, log_det = jax.jit(flow.encode)(params, x)
    expected = (flow.base.log_prob(z / 0.5) - np.log(0.5)).sum(-1) + log_det
    chex.assert_trees_all_close(log_prob, expected, atol=1e-3)
    chex.assert_trees_all_close(jax.jit(flow.decode)(params, z)[0], x, atol=1e-4)


def test_another_condition_than_the_parameters_were_made_with_is_refused():
    flow = Flow(Coupling(NET, affine()), (2,))
    x, condition = jnp.ones((4, 2)), jnp.ones((4, 3))
    params = flow.init(KEY, x, condition)
    log_prob, sample = partial(flow.log_prob, params, x), partial(flow.sample, params, KEY)
    for other, message in (
        (None, "one of 3 numbers, got none"),
        (jnp.ones((4, 5)), "one of 3 numbers, got one of 5"),
        (jnp.ones((2, 6)), r"for each of 4 examples, got shape \(2, 6\)"),
    ):
        with pytest.raises(ValueError, match=message):
            log_prob(other)
    with pytest.raises(ValueError, match="one of 3 numbers, got none"):
        sample(4)
    with pytest.raises(ValueError, match=r"for each of n=6 samples, got shape \(4, 3\)"):
        sample(6, condition)
    assert sample(4, condition).shape == (4, 2)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_known_values_that_are_not_finite_are_refused_and_traced_ones_pass(value):
    flow = Flow(Coupling(NET, affine()), (2,))
    x = jnp.ones((4, 2)).at[2, 1].set(value).at[3, 0].set(jnp.nan)
    params = flow.init(KEY, jnp.ones((4, 2)))
    for method in (flow.encode, flow.log_prob):
        with pytest.raises(ValueError, match=rf"finite x, got {value} at index \(2, 1\) of shape \(4, 2\), .* 2 such"):
            method(params, x)
    log_prob = jax.jit(flow.log_prob)(params, x)
    np.testing.assert_array_equal(np.isfinite(log_prob), [True, True, False, False])


def test_noise_and_conditions_and_the_data_of_the_start_are_refused_too():
    flow = Flow(Coupling(NET, affine()), (2,))
    x, condition = jnp.ones((4, 2)), jnp.ones((4, 3))
    params = flow.init(KEY, x, condition)
    with pytest.raises(ValueError, match=r"finite x, got nan at index \(1, 0\)"):
        flow.init(KEY, x.at[1, 0].set(jnp.nan), condition)
    for method in (flow.log_prob, flow.decode):
        with pytest.raises(ValueError, match=r"finite condition, got inf at index \(3, 2\)"):
            method(params, x, condition.at[3, 2].set(jnp.inf))
    with pytest.raises(ValueError, match=r"finite noise, got nan at index \(0, 1\)"):
        flow.decode(params, x.at[0, 1].set(jnp.nan), condition)


@pytest.mark.parametrize("shape", [(4, 3), (4,), (0, 2), (2, 2, 2)])
def test_examples_of_another_size_are_refused(shape):
    flow = Flow(Coupling(NET, affine()), (2,))
    params = flow.init(KEY, jnp.ones((4, 2)))
    for name, method in (("x", flow.log_prob), ("noise", flow.decode)):
        with pytest.raises(ValueError, match=rf"expected {name} \[B, ...\] of 2 numbers an example, got shape"):
            jax.jit(method)(params, jnp.ones(shape))


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature):
    flow = Flow(Reverse(), (2,))
    with pytest.raises(ValueError, match="expected a temperature above 0"):
        flow.sample({"flow": {}}, KEY, 3, temperature=temperature)


def test_a_singular_map_is_refused_in_repeated_layers_too():
    flow = Flow(glow(partial(ConvConditioner, width=4), (4, 4, 1), levels=1, depth=3), (16,))
    x = jax.random.normal(KEY, (3, 4, 4, 1))
    params = jax.jit(flow.init)(KEY, x)

    def singular(path, leaf):
        return leaf.at[2, 1].set(-200.0) if "log_diagonal" in jax.tree_util.keystr(path) else leaf

    broken = jax.tree_util.tree_map_with_path(singular, params)
    for method, value in ((flow.log_prob, x), (flow.decode, jnp.ones((3, 16)))):
        with pytest.raises(ValueError, match=r"W is singular in float32, got -200.0 at channel 1 of layer 2"):
            method(broken, value)


def test_a_solver_of_repeated_layers_that_does_not_arrive_is_told():
    short = Continuous(Drift((8,), nn.tanh, nn.initializers.normal(2.0)), tolerance=1e-6, max_steps=2)
    flow = Flow(Repeat(short, 2), (4,))
    x = jax.random.normal(KEY, (6, 4))
    params = jax.jit(flow.init)(KEY, x)
    for method in (flow.log_prob, flow.decode):
        with pytest.raises(ValueError, match=r"did not arrive within its max_steps, .* steps accepted, .* rejected"):
            method(params, x)
    assert jnp.isnan(jax.jit(flow.log_prob)(params, x)).all()


@pytest.mark.parametrize("base", ["normal", "mixture"])
def test_a_flow_whose_bijector_has_no_parameters_is_its_base(base):
    flow = Flow(Chain([Reverse(), Repeat(Reverse(), 2)]), (4,), NORMAL if base == "normal" else Mixture(3, 4))
    x = jax.random.normal(KEY, (5, 4))
    params = flow.init(KEY, x)
    chex.assert_trees_all_close(flow.log_prob(params, x), flow.noise_log_prob(params, x[:, ::-1]), atol=1e-5)


def test_temperature_scales_the_noise():
    for base in (NORMAL, LOGISTIC):
        flow = Flow(Reverse(), (3,), base)
        cold, warm = (flow.noise({"flow": {}}, KEY, 5, temperature) for temperature in (0.25, 1.0))
        chex.assert_trees_all_close(cold, 0.25 * warm)


def test_a_flow_that_estimates_its_log_determinant_samples_too():
    flow = Flow(Continuous(Drift((8,)), trace="hutchinson"), (3,))
    exact = flow._replace(bijector=Continuous(Drift((8,))))
    params = moved(jax.jit(flow.init)(KEY, jnp.ones((4, 3))))
    x, log_prob = jax.jit(lambda key: flow.sample_and_log_prob(params, key, 4))(KEY)
    drawn, exactly = jax.jit(lambda key: exact.sample_and_log_prob(params, key, 4))(KEY)
    chex.assert_trees_all_close(x, drawn, atol=1e-3)
    assert 1e-2 < jnp.abs(log_prob - exactly).max() < 3
    with pytest.raises(ValueError, match='"trace": key'):
        flow.decode(params, x)


def test_bases_are_densities():
    z = np.linspace(-60, 60, 200_001)
    for base in (NORMAL, LOGISTIC):
        p = np.exp(np.asarray(base.log_prob(z), np.float64))
        assert abs(np.trapezoid(p, z) - 1) < 1e-5
        drawn = np.asarray(base.sample(KEY, (100_000,)), np.float64)
        variance = np.trapezoid(p * z**2, z)
        assert abs(drawn.var() / variance - 1) < 0.03


def test_layers_of_a_flow_are_the_flow():
    bijector = Chain([vector_flow(NET, affine(), layers=4), nice(NET)])
    x = jax.random.normal(KEY, (5, 4))
    params = moved(jax.jit(bijector.init)(KEY, x)["params"])
    parts = layers(bijector, params)
    assert len(parts) == 2 * 4 + 2 * 2 + 1
    y, total = x, 0.0
    for layer, own in parts:
        y, log_det = jax.jit(layer.apply)({"params": own}, y)
        total = total + log_det
    chex.assert_trees_all_close((y, total), jax.jit(bijector.apply)({"params": params}, x), atol=1e-5)


def test_a_game_finds_a_gaussian():
    flow = Flow(vector_flow(NET, affine(), layers=2), (2,))
    x = jax.random.normal(KEY, (4096, 2)) * jnp.array([[1.0, 0.3]]) + jnp.array([[2.0, -1.0]])
    x = x + jnp.array([[0.0, 1.0]]) * x[:, :1]
    game = flow_game(flow, optax.adam(1e-2))
    state, step = init(game, KEY, {"x": x}), jax.jit(make_step(game))
    for _ in range(300):
        state, metrics = step(state, {"x": x})
    exact = -(1 + np.log(2 * np.pi)) - 0.5 * np.linalg.slogdet(np.cov(np.asarray(x, np.float64).T))[1]
    assert abs(float(metrics["flow/log_prob"]) - exact) < 0.02


def test_a_game_of_integers_starts_as_uniform_noise_does_and_trains_the_noise():
    flow = Flow(Chain([Logit(0.05), vector_flow(NET, affine(), layers=2)]), (4,))
    noise = Noise(Chain([Coupling(NET, affine()), Coupling(NET, affine(), flip=True)]), levels=4)
    x = jax.random.randint(KEY, (4096, 4), 0, 4)
    game = flow_game(flow, optax.sgd(0.01), noise=noise, ema=0.5)
    state = init(game, KEY, {"x": x})
    assert set(state.ema) == {"flow", "noise"}
    after, metrics = jax.jit(make_step(game))(state, {"x": x})
    plain = jax.jit(lambda x: bound(partial(flow.log_prob, state.params), partial(uniform, levels=4), KEY, x).mean())(x)
    assert abs(float(metrics["flow/log_prob"] - plain)) < 0.05
    moves = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), state.params["noise"], after.params["noise"])
    assert max(jax.tree.leaves(moves)) > 0


def test_a_game_says_how_many_steps_its_solvers_took():
    drift = Drift((8,), nn.tanh, nn.initializers.normal(1.0))
    x = {"x": jax.random.normal(KEY, (16, 2))}

    def metrics(parts):
        game = flow_game(Flow(Chain(parts), (2,)), optax.sgd(0.1))
        return jax.jit(lambda key: make_step(game)(init(game, key, x), x)[1])(KEY)

    short = Continuous(drift, tolerance=1e-6, max_steps=3)
    told = metrics([short])
    assert jnp.isnan(told["flow/loss"])
    assert told["flow/steps_accepted"] + told["flow/steps_rejected"] == 3
    assert not any("steps" in name for name in metrics([Coupling(NET, affine())]))


def test_the_steps_are_the_mean_over_all_solves():
    sown = {"a": {"solves": ({"accepted": jnp.array(3), "rejected": jnp.array(0)},), "other": (jnp.ones(7),)}}
    sown["b"] = {"layers": {"solves": ({"accepted": jnp.array([5, 10]), "rejected": jnp.array([1, 2])},)}}
    assert solver_steps({"intermediates": sown}) == {"accepted": 6, "rejected": 1}
    assert solver_steps({}) == {}
