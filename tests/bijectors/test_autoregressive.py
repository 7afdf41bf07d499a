"""Autoregressive flows and permutations: the triangle, and D passes against number by number."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.permute import Deal, Reverse, Shuffle
from jaxgen.bijectors.spline import rational_quadratic
from jaxgen.nn.masked import MADE
from tests.bijectors.laws import jacobian, made

KEY = jax.random.key(0)
SMALL = partial(MADE, (12, 12), activation=nn.tanh, param_dtype=jnp.float64)
LARGE = partial(MADE, (64, 64))


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("order", ["natural", "reversed"])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("function", [affine(), rational_quadratic(3)], ids=["affine", "spline"])
def test_the_jacobian_is_triangular_in_the_order(function, order, inverted, way, double):
    flow = Autoregressive(partial(SMALL, order=order), function, inverted)
    variables, x, _ = made(flow, (5,))
    found = jax.jit(lambda x: jacobian(lambda x: flow.apply(variables, x, method=way)[0], x))(x)
    triangle = np.tril(np.ones((5, 5))) if order == "natural" else np.triu(np.ones((5, 5)))
    np.testing.assert_array_equal((np.abs(found) > 1e-12).any(0), triangle)


@pytest.mark.parametrize("order", [range(5), range(4, -1, -1)])
def test_the_passes_find_one_number_after_another(order, double):
    net = partial(SMALL, order="natural" if order[0] == 0 else "reversed")
    flow = Autoregressive(net, affine())
    variables, y, _ = made(flow, (5,))
    network, function, x = net(2), affine(), jnp.zeros_like(y)
    for place in order:
        said = network.apply({"params": variables["params"]["made"]}, x)
        x = x.at[:, place].set(function.inverse(y, said)[0][:, place])
    chex.assert_trees_all_close(flow.apply(variables, y, method="inverse")[0], x, atol=1e-12)


def test_inverted_is_the_other_way_round_with_the_same_parameters(double):
    one, other = (Autoregressive(SMALL, affine(), inverted) for inverted in (False, True))
    variables, x, _ = made(one, (4,))
    chex.assert_trees_all_equal_shapes(variables, other.init(KEY, x))
    for here, there in (("forward", "inverse"), ("inverse", "forward")):
        chex.assert_trees_all_close(
            one.apply(variables, x, method=here), other.apply(variables, x, method=there), atol=1e-12
        )


def passes(function, *arguments):
    """Return how often a compiled function multiplies matrices, outside of loops."""
    return str(jax.make_jaxpr(function)(*arguments)).count("dot_general")


@pytest.mark.parametrize("inverted, way", [(False, "forward"), (True, "inverse")])
def test_one_direction_is_one_pass(inverted, way):
    flow = Autoregressive(LARGE, affine(), inverted)
    x = jnp.zeros((2, 5))
    variables = flow.init(KEY, x)
    assert passes(lambda x: flow.apply(variables, x, method=way), x) == 3


def test_the_passes_have_the_gradient_of_the_implicit_function(double):
    """dx/dtheta = -(df/dx)^-1 df/dtheta of f(x; theta) = y."""
    flow = Autoregressive(SMALL, affine())
    variables, y, _ = made(flow, (4,), batch=1)
    flat, restore = ravel_pytree(variables)

    @jax.jit
    def slopes(flat):
        x = flow.apply(restore(flat), y, method="inverse")[0]
        found = jax.jacrev(lambda flat: flow.apply(restore(flat), y, method="inverse")[0][0])(flat)
        by_theta = jax.jacrev(lambda flat: flow.apply(restore(flat), x)[0][0])(flat)
        return found, by_theta, jax.jacrev(lambda x: flow.apply(restore(flat), x[None])[0][0])(x[0])

    found, by_theta, by_x = slopes(flat)
    chex.assert_trees_all_close(found, jnp.asarray(-np.linalg.solve(by_x, by_theta)), atol=1e-9)


def test_it_starts_as_the_identity_with_a_last_layer_of_zeros():
    flow = Autoregressive(partial(LARGE, kernel_init=nn.initializers.zeros), rational_quadratic())
    x = jax.random.normal(KEY, (7, 5))
    chex.assert_trees_all_close(flow.apply(flow.init(KEY, x), x), (x, jnp.zeros(7)), atol=1e-5)


@pytest.mark.parametrize("function", [affine(), rational_quadratic()])
def test_round_trip_in_single(function):
    flow = Autoregressive(LARGE, function)
    x = jax.random.normal(KEY, (64, 10))
    variables = flow.init(KEY, x)
    y, log_det = flow.apply(variables, x)
    back, other = flow.apply(variables, y, method="inverse")
    chex.assert_trees_all_close(back, x, atol=1e-5)
    chex.assert_trees_all_close(other, -log_det, atol=1e-4)


def test_permutations_are_permutations():
    x = jnp.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(Reverse().apply({}, x)[0], x[:, ::-1])
    np.testing.assert_array_equal(Deal().apply({}, x[:1])[0][0], [0, 2, 4, 1, 3, 5])
    np.testing.assert_array_equal(Deal().apply({}, x[:1, :3])[0][0], [1, 0, 2])
    np.testing.assert_array_equal(Deal().apply({}, x[:1, :3], method="inverse")[0][0], [1, 0, 2])
    y = Shuffle(1).apply({}, x)[0]
    np.testing.assert_array_equal(jnp.sort(y, axis=-1), x)
    assert (y != x).any() and (y != Shuffle(2).apply({}, x)[0]).any()
    np.testing.assert_array_equal(y, Shuffle(1).apply({}, x)[0])


@pytest.mark.parametrize("size", range(3, 40))
def test_dealt_again_and_again_any_two_numbers_are_parted_soon(size):
    x, apart = np.arange(size, dtype=np.float32)[None], np.eye(size, dtype=bool)
    for _ in range(8):
        first = np.isin(np.arange(size), x[0, : size // 2])
        apart |= first[:, None] != first
        y = Deal().apply({}, x)[0]
        np.testing.assert_array_equal(Deal().apply({}, y, method="inverse")[0], x)
        x = np.asarray(y)
    assert apart.all() and sorted(x[0]) == list(range(size))


def test_a_condition_that_is_missing_is_refused():
    flow = Autoregressive(LARGE, affine())
    variables = flow.init(KEY, jnp.zeros((2, 4)), jnp.zeros((2, 3)))
    for way in ("forward", "inverse"):
        with pytest.raises(ValueError, match="one of 3 numbers, got none"):
            flow.apply(variables, jnp.zeros((2, 4)), method=way)


@pytest.mark.parametrize("inverted", [False, True])
def test_images_are_refused(inverted):
    with pytest.raises(ValueError, match=r"Autoregressive: expected vectors \[B, D\], got shape \(2, 4, 4, 1\)"):
        Autoregressive(LARGE, affine(), inverted).init(KEY, jnp.zeros((2, 4, 4, 1)))


def test_a_network_of_another_size_is_refused():
    with pytest.raises(ValueError, match="takes 2 parameters for each number, the network gives 5"):
        Autoregressive(lambda size: MADE((8,), 5), affine()).init(KEY, jnp.zeros((2, 4)))
