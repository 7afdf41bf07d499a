"""Planar and radial flows: their equations, and that any parameters are invertible. Their laws: test_laws.py."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgen.bijectors.planar import Planar, solve
from jaxgen.bijectors.radial import Radial
from jaxgen.nn.conditioner import DenseConditioner
from tests.bijectors.laws import made, moved

KEY = jax.random.key(0)
NET = partial(DenseConditioner, hidden=(4,), activation=nn.tanh, param_dtype=jnp.float64)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("layer", [Planar, Radial])
def test_what_the_network_says_is_added_to_the_parameters_of_each_example(layer, double):
    variables, x, condition = made(layer(NET), (3,), (2,))
    params = dict(variables["params"])
    network = {"params": params.pop("DenseConditioner_0")}
    names = ("w", "u", "b") if layer is Planar else ("centre", "alpha", "stretch")
    ends = np.cumsum([params[name].size for name in names])
    said = np.split(NET(ends[-1]).apply(network, x[:, :0], condition), ends[:-1], axis=-1)
    assert all((part.std(0) > 1e-2).all() for part in said)
    pairs = zip(names, said, strict=True)
    added = {name: params[name][None] + jnp.reshape(part, (-1, *params[name].shape)) for name, part in pairs}
    for way in ("forward", "inverse"):
        found = jax.jit(partial(layer(NET).apply, method=way))(variables, x, condition)
        one = partial(layer().apply, method=way)
        each = jax.jit(jax.vmap(lambda own, x, one=one: one({"params": own}, x[None])))(added, x)
        chex.assert_trees_all_close(found, (each[0][:, 0], each[1][:, 0]), atol=1e-9)


@pytest.mark.parametrize("layer", [Planar, Radial])
def test_a_network_starts_as_no_network_and_a_condition_without_one_is_left_out(layer):
    x, condition = jax.random.normal(KEY, (4, 3)), jnp.ones((4, 2))
    net = partial(DenseConditioner, hidden=(4,))

    @jax.jit
    def both(x, condition):
        params = layer(net).init(KEY, x, condition)["params"]
        own = {name: value for name, value in params.items() if name != "DenseConditioner_0"}
        return layer(net).apply({"params": params}, x, condition), layer().apply({"params": own}, x, condition)

    chex.assert_trees_all_close(*both(x, condition), atol=1e-6)


@pytest.mark.parametrize("layer", [Planar, Radial])
def test_another_condition_than_the_networks_is_refused(layer):
    bijector, x = layer(partial(DenseConditioner, hidden=(4,))), jnp.ones((4, 3))
    variables = bijector.init(KEY, x, jnp.ones((4, 2)))
    for condition, message in (
        (None, f"{layer.__name__}: expected a condition .* got none"),
        (jnp.ones((4, 5)), "one of 2 numbers, got one of 5"),
        (jnp.ones((1, 2)), "for each of 4 examples"),
    ):
        with pytest.raises(ValueError, match=message):
            bijector.apply(variables, x, condition)


@pytest.mark.parametrize("layer", [Planar(), Radial()])
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_any_parameters_are_invertible(layer, spread, double):
    x = 3 * jax.random.normal(jax.random.key(1), (100, 2))
    flat, restore = ravel_pytree(layer.init(KEY, x))

    @jax.jit
    def there_and_back(key):
        other = restore(flat + spread * jax.random.normal(key, flat.shape))
        y, log_det = layer.apply(other, x)
        back, minus = layer.apply(other, y, method="inverse")
        return y, layer.apply(other, back)[0], log_det, minus

    y, again, log_det, minus = jax.vmap(there_and_back)(jax.random.split(KEY, 200))
    chex.assert_tree_all_finite((log_det, minus))
    chex.assert_trees_all_close(again, y, atol=1e-9)


@pytest.mark.parametrize("layer", [Planar(), Radial()])
def test_round_trip_in_single(layer):
    x = jax.random.normal(jax.random.key(1), (100, 3))
    variables = moved(layer.init(KEY, x), 1.0)
    y, log_det = jax.jit(layer.apply)(variables, x)
    back, minus = jax.jit(partial(layer.apply, method="inverse"))(variables, y)
    chex.assert_trees_all_close(back, x, atol=3e-5)
    chex.assert_trees_all_close(minus, -log_det, atol=1e-4)


@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0])
def test_planar_keeps_w_u_above_minus_one(spread, double):
    """From the layer itself: u is where it moves x, over tanh."""
    apply = jax.jit(Planar().apply)
    for key in range(20):
        w, u = spread * jax.random.normal(jax.random.key(key), (2, 3))
        params = {"params": {"w": w, "u": u, "b": jnp.zeros(())}}
        x = (0.3 * w / jnp.abs(w).max())[None]
        y, log_det = apply(params, x)
        bent = jnp.tanh(x @ w)[:, None]
        along = float(((y - x) / bent)[0] @ w)
        assert along > -1 - 1e-12 and jnp.isfinite(log_det).all()
        np.testing.assert_allclose(log_det, jnp.log1p(along * (1 - bent[:, 0] ** 2)), atol=1e-9)


def test_planar_without_u_is_the_identity():
    x = jax.random.normal(KEY, (5, 3))
    params = {"params": {"w": jnp.ones(3), "u": jnp.zeros(3), "b": jnp.ones(())}}
    chex.assert_trees_all_close(Planar().apply(params, x), (x, jnp.zeros(5)), atol=1e-6)


def test_planar_without_w_is_finite_with_its_gradient():
    x = jax.random.normal(KEY, (5, 3))
    params = {"params": {"w": jnp.zeros(3), "u": jnp.ones(3), "b": jnp.ones(())}}
    value, gradient = jax.jit(jax.value_and_grad(lambda p: sum(a.sum() for a in Planar().apply(p, x))))(params)
    chex.assert_tree_all_finite((value, gradient))


@pytest.mark.parametrize("stretch", [1e-6, 0.01, 0.5, 1.0, 3.0, 200.0])
def test_the_root_solves_its_equation_with_its_derivatives(stretch, double):
    a = jnp.linspace(-4, 4, 41)
    target = a + (stretch - 1) * jnp.tanh(a)
    found = jax.jit(solve)(target, jnp.asarray(stretch))
    chex.assert_trees_all_close(found + (stretch - 1) * jnp.tanh(found), target, atol=1e-12)
    a = found[jnp.abs(found) > 0.1]
    target = a + (stretch - 1) * jnp.tanh(a)
    slope = 1 + (stretch - 1) / jnp.cosh(a) ** 2
    first = jax.grad(lambda t: solve(t[None], jnp.asarray(stretch))[0])
    chex.assert_trees_all_close(jax.jit(jax.vmap(first))(target), 1 / slope, rtol=1e-6)
    bend = -2 * (stretch - 1) * jnp.tanh(a) / jnp.cosh(a) ** 2
    chex.assert_trees_all_close(jax.jit(jax.vmap(jax.grad(first)))(target), -bend / slope**3, rtol=1e-5, atol=1e-9)
    by_stretch = jax.jit(jax.vmap(jax.grad(lambda s, t: solve(t[None], s)[0]), (None, 0)))
    chex.assert_trees_all_close(by_stretch(jnp.asarray(stretch), target), -jnp.tanh(a) / slope, rtol=1e-6)


def test_radial_is_equation_14(double):
    variables, x, _ = made(Radial(), (3,))
    p = variables["params"]
    softplus_shifted = {name: jnp.log1p((np.e - 1) * jnp.exp(p[name])) for name in ("alpha", "stretch")}
    alpha, beta = softplus_shifted["alpha"], softplus_shifted["alpha"] * (softplus_shifted["stretch"] - 1)
    away = x - p["centre"][None]
    r = jnp.sqrt((away**2).sum(-1))
    h, slope = 1 / (alpha + r), -1 / (alpha + r) ** 2
    y, log_det = Radial().apply(variables, x)
    chex.assert_trees_all_close(y, x + beta * h[:, None] * away, atol=1e-12)
    expected = 2 * jnp.log(1 + beta * h) + jnp.log(1 + beta * h + beta * slope * r)
    chex.assert_trees_all_close(log_det, expected, atol=1e-12)


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_radial_is_finite_at_its_centre_with_its_gradient(way):
    x = jnp.ones((2, 3))
    params = {"params": {"centre": jnp.ones(3), "alpha": jnp.ones(()), "stretch": jnp.array(-2.0)}}
    apply = partial(Radial().apply, method=way)
    y, log_det = jax.jit(apply)(params, x)
    chex.assert_trees_all_close(y, x, atol=1e-6)
    stretch = np.log1p((np.e - 1) * np.exp(-2.0))
    chex.assert_trees_all_close(log_det, jnp.full(2, (1 if way == "forward" else -1) * 3 * np.log(stretch)), rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda p, x: sum(a.sum() for a in apply(p, x)), (0, 1)))(params, x)
    chex.assert_tree_all_finite(gradient)


@pytest.mark.parametrize("layer", [Planar(), Radial()])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_images_are_refused(layer, way):
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"{name}: expected vectors \[B, D\], got shape \(2, 4, 4, 1\)"):
        layer.init(KEY, jnp.zeros((2, 4, 4, 1)), method=way)
