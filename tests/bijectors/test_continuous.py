"""Continuous flows: the laws up to the solver's tolerance, the trace estimator, linear drifts in closed form."""

import builtins

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from jaxgen.bijectors.chain import Chain, Inverse
from jaxgen.bijectors.continuous import Continuous, Drift, divergence
from tests.bijectors.laws import (
    condition_matters,
    every_parameter_gets_a_gradient,
    inverse_undoes_forward,
    log_det_is_that_of_the_jacobian,
    made,
    moved,
)

KEY = jax.random.key(0)
RNGS = {"trace": jax.random.key(7)}
FINE = Continuous(Drift((8,), nn.tanh), tolerance=1e-9)
LINEAR = jnp.array([[0.3, -1.0, 0.2], [0.8, -0.4, 0.1], [0.0, 0.5, 0.9]])


class Linear(nn.Module):
    """dx/dt = A x."""

    @nn.compact
    def __call__(self, t, x, condition=None):
        return x @ self.param("A", lambda _: LINEAR.astype(x.dtype)).T


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("condition", [(2,), pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("law", [inverse_undoes_forward, log_det_is_that_of_the_jacobian])
def test_laws(law, condition, double):
    law(FINE, (2,), condition, atol=1e-6)


def test_every_parameter_gets_a_gradient(double):
    every_parameter_gets_a_gradient(FINE, (2,), (2,))


def test_condition_matters(double):
    condition_matters(FINE, (2,), (2,))


def test_a_linear_drift_is_the_exponential_of_its_matrix(double):
    flow = Continuous(Linear(), tolerance=1e-9)
    x = jax.random.normal(KEY, (4, 3), jnp.float64)
    y, log_det = jax.jit(flow.apply)(jax.jit(flow.init)(KEY, x), x)
    chex.assert_trees_all_close(y, x @ expm(np.asarray(LINEAR, np.float64)).T, atol=1e-7)
    chex.assert_trees_all_close(log_det, jnp.full(4, jnp.trace(LINEAR.astype(x.dtype))), atol=1e-7)


@pytest.mark.parametrize(
    ("solver", "adjoint"),
    [
        ("tsit5", "checkpointed"),
        ("dopri5", "backsolve"),
        pytest.param("tsit5", "backsolve", marks=pytest.mark.slow),
        pytest.param("dopri5", "checkpointed", marks=pytest.mark.slow),
    ],
)
def test_the_gradient_is_that_of_the_closed_form(solver, adjoint, double):
    flow = Continuous(Linear(), solver=solver, adjoint=adjoint, tolerance=1e-8)
    x = jax.random.normal(KEY, (4, 3), jnp.float64)
    variables = jax.jit(flow.init)(KEY, x)

    def found(variables, x):
        y, log_det = flow.apply(variables, x)
        return jnp.sin(y).sum() + (log_det**2).sum()

    def expected(variables, x):
        matrix = variables["params"]["drift"]["A"]
        return jnp.sin(x @ jax.scipy.linalg.expm(matrix).T).sum() + len(x) * jnp.trace(matrix) ** 2

    gradients = (jax.jit(jax.grad(f, (0, 1)))(variables, x) for f in (found, expected))
    chex.assert_trees_all_close(*gradients, atol=1e-5)


def nonlinear(x):
    return jnp.sin(x @ jnp.asarray(LINEAR, x.dtype)) * x[:, ::-1]


def test_the_exact_divergence_is_the_trace_of_the_jacobian(double):
    x = jax.random.normal(KEY, (5, 3), jnp.float64)
    moved_to, trace = divergence(nonlinear, x)
    jacobian = jax.vmap(jax.jacfwd(lambda x: nonlinear(x[None])[0]))(x)
    chex.assert_trees_all_close(moved_to, nonlinear(x), atol=1e-12)
    chex.assert_trees_all_close(trace, jnp.trace(jacobian, axis1=1, axis2=2), atol=1e-12)


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_the_estimated_divergence_has_the_exact_one_as_its_mean(noise):
    flow = Continuous(trace="hutchinson", noise=noise)
    x = jax.random.normal(KEY, (5, 3))
    keys = jax.random.split(jax.random.key(1), 20000)
    draws = jax.jit(jax.vmap(lambda key: flow.apply({}, x, method="draw", rngs={"trace": key})))(keys)
    found = jax.jit(jax.vmap(lambda v: divergence(nonlinear, x, v)[1]))(draws)
    error = found.std(0) / len(keys) ** 0.5
    assert (error > 1e-4).all()
    assert (jnp.abs(found.mean(0) - divergence(nonlinear, x)[1]) < 4 * error).all()


def test_the_estimated_log_det_has_the_exact_one_as_its_mean():
    drift = Drift((16,), nn.tanh)
    x = jax.random.normal(KEY, (4, 3))
    variables = moved(jax.jit(Continuous(drift).init)(KEY, x), 0.3)
    flow = Continuous(drift, "hutchinson")
    keys = jax.random.split(jax.random.key(1), 2000)
    found = jax.jit(jax.vmap(lambda key: flow.apply(variables, x, rngs={"trace": key})[1]))(keys)
    error = found.std(0) / len(keys) ** 0.5
    exact = jax.jit(Continuous(drift).apply)(variables, x)[1]
    assert (jnp.abs(found.mean(0) - exact) < 4 * error + 1e-4).all() and (error < 0.1).all()


def test_the_same_noise_makes_the_estimated_log_dets_opposite():
    flow = Continuous(Drift((16,)), "hutchinson")
    x = jax.random.normal(KEY, (4, 3))
    variables = moved(jax.jit(flow.init)(KEY, x), 0.2)
    there = jax.jit(lambda x, rngs: flow.apply(variables, x, rngs=rngs))
    y, log_det = there(x, RNGS)
    back, other = jax.jit(lambda y: flow.apply(variables, y, method="inverse", rngs=RNGS))(y)
    chex.assert_trees_all_close(back, x, atol=1e-3)
    chex.assert_trees_all_close(other, -log_det, atol=1e-3)
    assert jnp.abs(there(x, {"trace": KEY})[1] - log_det).max() > 1e-3


def test_images_are_flattened_and_one_example_is_enough():
    flow = Continuous(Drift((8,)))
    x = jax.random.normal(KEY, (1, 2, 2, 1))
    variables = moved(jax.jit(flow.init)(KEY, x), 0.3)
    y, log_det = jax.jit(flow.apply)(variables, x)
    chex.assert_shape([y, log_det], [(1, 2, 2, 1), (1,)])
    flat, same = jax.jit(flow.apply)(variables, x.reshape(1, 4))
    chex.assert_trees_all_close((flat.reshape(x.shape), same), (y, log_det), atol=1e-5)


def test_it_starts_as_the_identity_and_works_in_chains():
    x = jax.random.normal(KEY, (4, 3))
    chain = Chain([Continuous(Drift((8,))), Inverse(Continuous(Drift((8,))))])
    chex.assert_trees_all_close(jax.jit(chain.apply)(jax.jit(chain.init)(KEY, x), x), (x, jnp.zeros(4)), atol=1e-6)


def test_steps_are_returned_on_request():
    flow = Continuous(Drift((8,)))
    x = jax.random.normal(KEY, (4, 3))
    variables = jax.jit(flow.init)(KEY, x)
    assert list(variables) == ["params"]
    _, changed = flow.apply(moved(variables, 0.3), x, mutable="intermediates")
    (steps,) = changed["intermediates"]["solves"]
    assert steps["accepted"] > 1 and steps["rejected"] >= 0


def test_a_solve_that_does_not_arrive_says_so():
    flow = Continuous(Linear(), tolerance=1e-6, max_steps=2)
    x = jax.random.normal(KEY, (4, 3))
    params = {"params": {"drift": {"A": LINEAR}}}
    with pytest.raises(ValueError, match=r"max_steps=2 at tolerance=1e-06: \d steps accepted, \d rejected"):
        flow.apply(params, x)
    y, log_det = jax.jit(flow.apply)(params, x)
    assert jnp.isnan(y).all() and jnp.isnan(log_det).all()


def test_a_missing_stream_of_noise_is_refused():
    flow = Continuous(Drift((8,)), "hutchinson")
    x = jnp.zeros((2, 3))
    with pytest.raises(ValueError, match=r'rngs=\{"trace": key\}'):
        flow.apply(flow.init(KEY, x), x)


def test_another_condition_than_the_first_is_refused(double):
    variables, x, _ = made(FINE, (2,), (3,))
    for condition, message in (
        (None, "one of 3 numbers, got none"),
        (jnp.zeros((3, 4)), "one of 3 numbers, got one of 4"),
        (jnp.zeros((1, 3)), r"Drift: expected a condition for each of 3 examples, got shape \(1, 3\)"),
        (jnp.zeros((9, 1)), r"got shape \(9, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            FINE.apply(variables, x, condition)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"trace": "none"}, "trace: expected one of exact, hutchinson, got 'none'"),
        ({"noise": "uniform"}, "noise: expected one of rademacher, gaussian, got 'uniform'"),
        ({"solver": "euler"}, "solver: expected one of tsit5, dopri5, got 'euler'"),
        ({"adjoint": "direct"}, "adjoint: expected one of checkpointed, backsolve, got 'direct'"),
        ({"tolerance": 0.0}, "tolerance: expected a number above 0, got 0.0"),
        ({"max_steps": 0}, "max_steps: expected at least 1, got 0"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Continuous(**options)


def test_without_diffrax_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "diffrax":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install jaxgen\[flows\]"):
        Continuous().init(KEY, jnp.zeros((2, 3)))
