"""What every bijector owes, as checks of one bijector with random float64 parameters.

Most of a check's time is compilation: each is one program, or one a way, and random numbers are NumPy's.
"""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.logit import Logit

WAYS = ("forward", "inverse")
FIXED = ("order", "sign")
"""Names of parameters that are never learned: those of `Linear`."""


def made(bijector, shape, condition=None, batch=3, spread=0.5):
    """Return variables, x [batch, *shape] and the condition [batch, *condition], all random."""
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(batch, *shape)))
    if isinstance(bijector, Logit):
        x = jnp.asarray(rng.uniform(size=x.shape))
    if condition is not None:
        condition = jnp.asarray(rng.normal(size=(batch, *condition)))
    return shaped(bijector, x, condition, spread=spread), x, condition


def shaped(module, *arguments, spread=0.5):
    """Return random variables of the shapes that the module starts with; nothing is compiled."""
    start = jax.eval_shape(module.init, jax.random.key(0), *arguments)
    return moved(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), start), spread)


def moved(variables, spread):
    """Return the variables with noise of this deviation on each number."""
    rng = np.random.default_rng(5)
    return jax.tree.map(lambda leaf: leaf + jnp.asarray(spread * rng.normal(size=leaf.shape), leaf.dtype), variables)


def starts(bijector, variables, x, condition):
    """Return what each way starts from: x, and other random numbers of the shape of y."""
    y = jax.eval_shape(bijector.apply, variables, x, condition)[0]
    return {"forward": x, "inverse": jnp.asarray(np.random.default_rng(2).normal(size=y.shape), y.dtype)}


def jacobian(function, x, *rest):
    """Return dy/dx [B, D, D] of x [B, ...] -> [B, ...], one example at a time."""

    def one(x, *rest):
        return function(x[None], *(r[None] for r in rest)).reshape(-1)

    return jax.vmap(jax.jacrev(one))(x, *rest).reshape(len(x), x[0].size, x[0].size)


def inverse_undoes_forward(bijector, shape, condition=None, atol=1e-9):
    variables, x, condition = made(bijector, shape, condition)
    run = jax.jit(partial(bijector.apply, variables), static_argnames="method")  # a program a way, run twice
    start = starts(bijector, variables, x, condition)
    for way, other in (WAYS, WAYS[::-1]):
        there, log_det = run(start[way], condition, method=way)
        back, minus = run(there, condition, method=other)
        chex.assert_shape([log_det, minus], (len(x),))
        chex.assert_trees_all_close(back, start[way], atol=atol)
        chex.assert_trees_all_close(minus, -log_det, atol=atol)
        assert shape == (1,) or there.shape != back.shape or np.abs(there - back).max() > 1e-3


def log_det_is_that_of_the_jacobian(bijector, shape, condition=None, atol=1e-8):
    variables, x, condition = made(bijector, shape, condition)

    @jax.jit
    def found(variables, start, condition):
        rest = [] if condition is None else [condition]
        results = {}
        for way in WAYS:
            run = lambda *a, way=way: bijector.apply(variables, *a, method=way)  # noqa: E731
            results[way] = jacobian(lambda *a, run=run: run(*a)[0], start[way], *rest), run(start[way], condition)[1]
        return results

    for slopes, log_det in found(variables, starts(bijector, variables, x, condition), condition).values():
        chex.assert_trees_all_close(log_det, jnp.asarray(np.linalg.slogdet(slopes)[1]), atol=atol)


def every_parameter_gets_a_gradient(bijector, shape, condition=None):
    """Of repeated layers, those of each layer do."""
    variables, x, condition = made(bijector, shape, condition)

    def loss(variables, way, start):
        y, log_det = bijector.apply(variables, start, condition, method=way)
        return (jnp.sin(y) ** 2).sum() + (log_det**2).sum()

    both = jax.jit(lambda variables, start: {way: jax.grad(loss)(variables, way, start[way]) for way in WAYS})
    gradients = jax.tree.leaves_with_path(both(variables, starts(bijector, variables, x, condition)))
    assert gradients
    for path, gradient in gradients:
        names = [step.key for step in path]
        largest = np.abs(gradient).reshape(len(gradient) if "layers" in names else 1, -1).max(1)
        assert (largest == 0 if names[-1] in FIXED else largest > 1e-6).all(), (names, largest)


def both_ways(bijector):
    """Return the function (variables, start, condition) -> each way's result."""
    return lambda variables, start, condition: {
        way: bijector.apply(variables, start[way], condition, method=way) for way in WAYS
    }


def compiled_is_eager(bijector, shape, condition=None):
    variables, x, condition = made(bijector, shape, condition)
    given = variables, starts(bijector, variables, x, condition), condition
    chex.assert_trees_all_close(jax.jit(both_ways(bijector))(*given), both_ways(bijector)(*given), atol=1e-9)


def an_example_is_the_same_alone(bijector, shape, condition=None):
    """Of [B, 1, ...], by vmap over the first axis, what it is of [B, ...]."""
    variables, x, condition = made(bijector, shape, condition)
    start, run = starts(bijector, variables, x, condition), both_ways(bijector)

    @jax.jit
    def together_and_alone(variables, start, condition):
        told, known = jax.tree.map(lambda a: a[:, None], (start, condition))
        alone = jax.vmap(run, (None, 0, 0))(variables, told, known)
        return run(variables, start, condition), jax.tree.map(lambda a: a[:, 0], alone)

    chex.assert_trees_all_close(*together_and_alone(variables, start, condition), atol=1e-9)


def condition_matters(bijector, shape, condition):
    """Each number of it, to its own example alone."""
    variables, x, condition = made(bijector, shape, condition)

    def told(condition, way, start):
        y = bijector.apply(variables, start, condition, method=way)[0]
        return jnp.sin(y).reshape(len(y), -1).sum(-1)

    both = jax.jit(lambda condition, start: {way: jax.jacrev(told)(condition, way, start[way]) for way in WAYS})
    for change in both(condition, starts(bijector, variables, x, condition)).values():
        own = np.eye(len(x), dtype=bool)
        assert (np.abs(change)[own] > 1e-6).all()
        assert (np.asarray(change)[~own] == 0).all()


LAWS = [
    inverse_undoes_forward,
    log_det_is_that_of_the_jacobian,
    every_parameter_gets_a_gradient,
    compiled_is_eager,
    an_example_is_the_same_alone,
]
