"""The spline against its definition: monotone, smooth at the knots, the identity beyond them."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.elementwise import Elementwise
from jaxgen.bijectors.spline import LEAST, MOST, log_derivative, rise
from jaxgen.bijectors.spline import rational_quadratic as uncompiled

KEY = jax.random.key(0)
SETTINGS = [(1, 3.0), (2, 1.0), (8, 3.0), (20, 7.5)]


@functools.cache
def rational_quadratic(bins=8, bound=3.0):
    spline = uncompiled(bins, bound)
    return Elementwise(spline.size, jax.jit(spline.forward), jax.jit(spline.inverse))


def edges(logits):
    """Return where bins of [0, 1] begin and end, [..., bins + 1], from the logits of their sizes [..., bins]."""
    sizes = LEAST + (1 - LEAST * logits.shape[-1]) * jax.nn.softmax(logits)
    ends = jnp.cumsum(sizes, -1).at[..., -1].set(1.0)
    return jnp.concatenate([0 * ends[..., :1], ends], -1)


def plainly(x, p, bins, bound):
    """Return y and log|dy/dx| as sections 3.1 and 3.2 write them, number by number, with a search for the bin."""
    across, up = edges(p[:bins]), edges(p[bins : 2 * bins])
    inner = LEAST + jax.nn.softplus(p[2 * bins :] + jnp.log(jnp.expm1(1 - LEAST)))
    slopes = jnp.concatenate([jnp.ones(1), inner, jnp.ones(1)])
    u = (jnp.clip(x, -bound, bound) + bound) / (2 * bound)
    k = jnp.clip(jnp.searchsorted(across, u, side="right") - 1, 0, bins - 1)
    width, height = across[k + 1] - across[k], up[k + 1] - up[k]
    at, ends = (u - across[k]) / width, (height / width, slopes[k], slopes[k + 1])
    y = 2 * bound * (up[k] + height * rise(at, *ends)) - bound
    inside = jnp.abs(x) < bound
    return jnp.where(inside, y, x), jnp.where(inside, log_derivative(at, *ends), 0)


def drawn(bins, places, spread=1.0, dtype=None):
    return spread * jax.random.normal(KEY, (*places, 3 * bins - 1), dtype or jnp.float32)


def grid(bound, n=4001, reach=1.3):
    return np.linspace(-reach * bound, reach * bound, n)


@pytest.mark.parametrize("bins, bound", SETTINGS)
def test_zeros_are_the_identity(bins, bound):
    spline = rational_quadratic(bins, bound)
    x = jnp.asarray(grid(bound), jnp.float32)
    for function in (spline.forward, spline.inverse):
        y, log_slope = function(x, jnp.zeros((len(x), spline.size)))
        chex.assert_trees_all_close(y, x, atol=3e-7 * bound)
        chex.assert_trees_all_close(log_slope, jnp.zeros(len(x)), atol=2e-6)


@pytest.mark.parametrize("bins, bound", SETTINGS)
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_inverse_undoes_forward_in_double(bins, bound, spread):
    with jax.enable_x64(True):
        spline = rational_quadratic(bins, bound)
        x = jnp.asarray(grid(bound)).reshape(-1, 1)
        p = drawn(bins, (1, 6), spread, jnp.float64)
        x, p = jnp.broadcast_to(x, (len(x), 6)), jnp.broadcast_to(p, (len(x), 6, spline.size))
        y, log_slope = spline.forward(x, p)
        back, other = spline.inverse(y, p)
        # Where the spline is flat, rounding of y is far in x.
        chex.assert_trees_all_close((back - x) * jnp.minimum(1, jnp.exp(log_slope)), 0 * x, atol=1e-14 * bound)
        chex.assert_trees_all_close(spline.forward(back, p)[0], y, atol=1e-14 * bound)
        chex.assert_trees_all_close(other, -log_slope, atol=1e-6 if spread > 1 else 1e-10)


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0, 10.0])
def test_inverse_undoes_forward_in_single(spread):
    """Up to rounding: where the spline is flat, that of y is far in x, and where it is steep, that of x in y."""
    spline = rational_quadratic()
    x = jax.random.uniform(jax.random.key(1), (20000,), minval=-4, maxval=4)
    p = drawn(8, (20000,), spread)
    y, log_slope = spline.forward(x, p)
    back, minus = spline.inverse(y, p)
    chex.assert_trees_all_close((back - x) * jnp.minimum(1, jnp.exp(log_slope)), 0 * x, atol=1e-5 * max(1, spread))
    chex.assert_trees_all_close((spline.forward(back, p)[0] - y) * jnp.minimum(1, jnp.exp(minus)), 0 * y, atol=1e-5)


@pytest.mark.parametrize("bins, bound", SETTINGS)
def test_the_log_slope_is_that_of_the_derivative_both_ways(bins, bound):
    with jax.enable_x64(True):
        spline = rational_quadratic(bins, bound)
        x, p = jnp.asarray(grid(bound, 101)), drawn(bins, (4,), 1.0, jnp.float64)
        for function in (spline.forward, spline.inverse):
            one = jax.value_and_grad(function, has_aux=True)
            (_, log_slope), slope = jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(x, p)
            chex.assert_trees_all_close(log_slope, jnp.log(slope), atol=1e-9)


@pytest.mark.parametrize("bins, bound", SETTINGS)
def test_the_slope_is_that_of_finite_differences(bins, bound):
    with jax.enable_x64(True):
        spline = rational_quadratic(bins, bound)
        p = drawn(bins, (1,), 0.5, jnp.float64)[0]
        x, step = jnp.asarray(grid(bound, 101)), 1e-6
        high, low = (jax.vmap(lambda x: spline.forward(x, p)[0])(x + s) for s in (step, -step))
        log_slope = jax.vmap(lambda x: spline.forward(x, p)[1])(x)
        chex.assert_trees_all_close((high - low) / (2 * step), jnp.exp(log_slope), rtol=1e-4)


@pytest.mark.parametrize("bins, bound", SETTINGS)
@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_it_is_monotone_from_bound_to_bound_and_the_identity_beyond(bins, bound, spread):
    with jax.enable_x64(True):
        spline = rational_quadratic(bins, bound)
        x = grid(bound)
        for p in drawn(bins, (5,), spread, jnp.float64):
            y, log_slope = jax.vmap(spline.forward, (0, None))(jnp.asarray(x), p)
            assert (np.diff(y) > 0).all()
            out = np.abs(x) >= bound
            chex.assert_trees_all_equal(y[out], jnp.asarray(x[out]))
            chex.assert_trees_all_equal(log_slope[out], jnp.zeros(out.sum()))
            assert (np.abs(y[~out]) < bound).all()


@pytest.mark.parametrize("bound", [1.0, 3.0])
def test_the_slope_is_one_just_inside_the_bounds(bound):
    with jax.enable_x64(True):
        spline = rational_quadratic(8, bound)
        p = drawn(8, (2,), 1.0, jnp.float64)
        y, log_slope = spline.forward((1 - 1e-9) * jnp.array([-bound, bound]), p)
        chex.assert_trees_all_close(y, jnp.array([-bound, bound]), atol=1e-8 * bound)
        chex.assert_trees_all_close(log_slope, jnp.zeros(2), atol=1e-6)


def at_the_knots(p, bound):
    return 2 * bound * edges(p[:8]) - bound


def test_it_is_smooth_at_the_knots():
    """Value and slope from the left are those from the right."""
    with jax.enable_x64(True):
        spline = rational_quadratic()
        p = drawn(8, (1,), 1.0, jnp.float64)[0]
        x = at_the_knots(p, 3.0)
        left, right = (jax.vmap(spline.forward, (0, None))(x + step, p) for step in (-1e-9, 1e-9))
        chex.assert_trees_all_close(left, right, atol=1e-6)


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0])
def test_gradients_are_finite_in_the_tails_and_at_knots_and_bounds(spread):
    spline = rational_quadratic()
    p = drawn(8, (1,), spread)[0]
    special = [-1e30, -5.0, -3.0, np.nextafter(-3, 0, dtype=np.float32), -0.75, 0.0, 0.75, 3.0, 5.0, 1e30]
    x = jnp.concatenate([jnp.array(special, jnp.float32), at_the_knots(p, 3.0)])
    for function in (spline.forward, spline.inverse):
        for part in (0, 1):
            gradient = jax.grad(lambda x, p, f=function, i=part: f(x, p)[i], (0, 1))
            gradients = jax.jit(jax.vmap(gradient, (0, None)))(x, p)
            chex.assert_tree_all_finite(gradients)


def test_the_derivative_at_knots_and_bounds_is_the_slope_there():
    """Not half of it, as the gradient of a cut would have it."""
    with jax.enable_x64(True):
        spline = rational_quadratic()
        p = drawn(8, (1,), 1.0, jnp.float64)[0]
        x = at_the_knots(p, 3.0)
        y = jax.vmap(spline.forward, (0, None))(x, p)[0]
        for function, places in ((spline.forward, x), (spline.inverse, y)):
            slope = jax.jit(jax.vmap(jax.grad(lambda x, f=function: f(x, p)[0])))(places)
            chex.assert_trees_all_close(jnp.log(slope), jax.vmap(function, (0, None))(places, p)[1], atol=1e-8)


def test_parameters_have_no_gradient_in_the_tails():
    spline = rational_quadratic()
    p = drawn(8, (3,))
    x = jnp.array([-4.0, 3.0, 99.0])
    gradient = jax.jit(jax.grad(lambda p: sum(a.sum() for a in spline.forward(x, p))))(p)
    chex.assert_trees_all_equal(gradient, jnp.zeros_like(p))


@pytest.mark.parametrize(("bins", "bound"), [(1, 3.0), (2, 1.0), (8, 3.0)])
def test_the_gradient_by_hand_is_that_of_the_definition(bins, bound):
    """Of values and log-slopes, in x and in every parameter, once and twice, in the tails and between them."""
    with jax.enable_x64(True):
        spline = uncompiled(bins, bound)
        p = drawn(bins, (60,), 1.5, jnp.float64)
        x = bound * jnp.linspace(-1.2, 1.2, 60).at[7].set(1.0).at[8].set(-1.0)
        weights = jax.random.normal(jax.random.key(4), (2, 60), jnp.float64)

        def summed(function):
            def value(x, p):
                y, log_slope = function(x, p)
                return (weights[0] * y + weights[1] * jnp.sin(log_slope)).sum()

            return value

        reference = jax.vmap(functools.partial(plainly, bins=bins, bound=bound))
        ours, theirs = summed(spline.forward), summed(reference)
        chex.assert_trees_all_close(jax.jit(spline.forward)(x, p), reference(x, p), atol=1e-11)
        both = [jax.jit(jax.grad(function, (0, 1)))(x, p) for function in (ours, theirs)]
        chex.assert_trees_all_close(*both, atol=1e-8, rtol=1e-8)
        twice = [
            jax.jit(jax.grad(lambda x, p, f=f: jnp.sin(jax.grad(f)(x, p)).sum(), (0, 1)))(x, p) for f in (ours, theirs)
        ]
        chex.assert_trees_all_close(*twice, atol=1e-6, rtol=1e-6)


def test_every_parameter_has_a_gradient():
    spline = rational_quadratic()
    x = jnp.linspace(-2.9, 2.9, 100)

    def loss(p):
        y, log_slope = spline.forward(x, jnp.broadcast_to(p[None], (100, spline.size)))
        return (y**2).sum() + jnp.sin(log_slope).sum()

    assert (jnp.abs(jax.jit(jax.grad(loss))(drawn(8, (1,))[0])) > 1e-3).all()


def test_no_bin_or_slope_falls_below_the_least():
    p = jnp.array([-100.0] * 3 + [100.0] * 5)
    assert (jnp.diff(edges(p)) >= 0.99 * LEAST).all()
    spline = rational_quadratic(2)
    _, log_slope = spline.forward(jnp.zeros(()), jnp.array([0.0, 0.0, 0.0, 0.0, -100.0]))
    np.testing.assert_allclose(jnp.exp(log_slope), LEAST, rtol=1e-4)


@pytest.mark.parametrize("shape", [(), (1,), (4, 3), (2, 5, 5, 3)])
def test_any_leading_shape(shape):
    spline = rational_quadratic(4)
    x, p = 2 * jax.random.normal(KEY, shape), drawn(4, shape)
    y, log_slope = (uncompiled(4) if shape == (4, 3) else spline).forward(x, p)
    chex.assert_shape([y, log_slope], shape)
    one_by_one = jax.jit(jax.vmap(spline.forward))(x.reshape(-1), p.reshape(-1, spline.size))
    chex.assert_trees_all_close((y.reshape(-1), log_slope.reshape(-1)), one_by_one, atol=1e-5)


@pytest.mark.parametrize("bins", [0, -1, MOST + 1])
def test_bins_out_of_range_are_refused(bins):
    with pytest.raises(ValueError, match=f"from 1 to {MOST} bins, got {bins}"):
        rational_quadratic(bins)


@pytest.mark.parametrize("bound", [0.0, -3.0, np.inf, np.nan])
def test_a_bound_not_above_zero_is_refused(bound):
    with pytest.raises(ValueError, match=f"bound above 0, got {bound}"):
        rational_quadratic(bound=bound)


def test_parameters_of_another_size_are_refused():
    with pytest.raises(ValueError, match="8 bins takes 23 parameters, got 24"):
        rational_quadratic().forward(jnp.zeros(2), jnp.zeros((2, 24)))
