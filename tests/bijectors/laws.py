"""What every bijector owes, as checks of one bijector with random float64 parameters, away from their start."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest


def made(bijector, shape, condition=None, batch=3, spread=0.5):
    """Return variables, x [batch, *shape] and the condition [batch, *condition], all float64."""
    x = jax.random.normal(jax.random.key(1), (batch, *shape), jnp.float64)
    if condition is not None:
        condition = jax.random.normal(jax.random.key(2), (batch, *condition), jnp.float64)
    return moved(jax.jit(bijector.init)(jax.random.key(3), x, condition), spread), x, condition


def moved(variables, spread):
    """Return the variables with noise of this deviation on each number."""
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(4), max(len(leaves), 1))
    noise = (jax.random.normal(key, leaf.shape, leaf.dtype) for key, leaf in zip(keys, leaves, strict=False))
    return jax.tree.unflatten(tree, [leaf + spread * step for leaf, step in zip(leaves, noise, strict=False)])


def jacobian(function, x, *rest):
    """Return dy/dx [B, D, D] of x [B, ...] -> [B, ...], one example at a time."""

    def one(x, *rest):
        return function(x[None], *(r[None] for r in rest)).reshape(-1)

    return np.asarray(jax.jit(jax.vmap(jax.jacrev(one)))(x, *rest)).reshape(len(x), x[0].size, x[0].size)


def run(bijector, way):
    """Return (variables, x, condition) -> y, log-determinant; compiled."""
    return jax.jit(lambda variables, x, condition: bijector.apply(variables, x, condition, method=way))


def inverse_undoes_forward(bijector, shape, condition=None, atol=1e-9):
    variables, x, condition = made(bijector, shape, condition)
    for there, back in (("forward", "inverse"), ("inverse", "forward")):
        y, log_det = run(bijector, there)(variables, x, condition)
        again, other = run(bijector, back)(variables, y, condition)
        chex.assert_shape([log_det, other], (len(x),))
        chex.assert_trees_all_close(again, x, atol=atol)
        chex.assert_trees_all_close(other, -log_det, atol=atol)
        assert shape == (1,) or not np.allclose(y, x, atol=1e-2)


def log_det_is_that_of_the_jacobian(bijector, shape, condition=None, atol=1e-8):
    variables, x, condition = made(bijector, shape, condition)
    rest = [] if condition is None else [condition]
    for way in ("forward", "inverse"):
        found = jacobian(lambda *a, way=way: bijector.apply(variables, *a, method=way)[0], x, *rest)
        expected = jnp.asarray(np.linalg.slogdet(found)[1])
        chex.assert_trees_all_close(run(bijector, way)(variables, x, condition)[1], expected, atol=atol)


def every_parameter_gets_a_gradient(bijector, shape, condition=None):
    variables, x, condition = made(bijector, shape, condition)
    for way in ("forward", "inverse"):

        def loss(variables, way=way):
            y, log_det = bijector.apply(variables, x, condition, method=way)
            return (jnp.sin(y) ** 2).sum() + (log_det**2).sum()

        for path, gradient in jax.tree.leaves_with_path(jax.jit(jax.grad(loss))(variables)):
            assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 1e-6, (way, path)


def compiled_is_eager(bijector, shape, condition=None):
    variables, x, condition = made(bijector, shape, condition)
    for way in ("forward", "inverse"):
        eager = bijector.apply(variables, x, condition, method=way)
        chex.assert_trees_all_close(run(bijector, way)(variables, x, condition), eager, atol=1e-9)


def an_example_is_the_same_alone(bijector, shape, condition=None):
    variables, x, condition = made(bijector, shape, condition)
    alone = [a if a is None else a[:1] for a in (x, condition)]
    for way in ("forward", "inverse"):
        y, log_det = run(bijector, way)(variables, x, condition)
        chex.assert_trees_all_close(run(bijector, way)(variables, *alone), (y[:1], log_det[:1]), atol=1e-9)


def condition_matters(bijector, shape, condition):
    variables, x, condition = made(bijector, shape, condition)
    for way in ("forward", "inverse"):
        change = jax.jit(jax.jacrev(lambda c, way=way: bijector.apply(variables, x, c, method=way)[0]))(condition)
        assert (np.abs(change).max(axis=tuple(range(x.ndim, change.ndim))) > 1e-6).all()


LAWS = [
    inverse_undoes_forward,
    log_det_is_that_of_the_jacobian,
    every_parameter_gets_a_gradient,
    pytest.param(compiled_is_eager, marks=pytest.mark.slow),  # the others are compiled, and meet closed forms
    an_example_is_the_same_alone,
]
