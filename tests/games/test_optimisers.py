import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.optimisers import clipped

BOUND = 0.01


def params(scale):
    return {"w": scale * jax.random.normal(jax.random.key(0), (50, 40)), "b": jnp.zeros(7)}


def moved(tx, params, steps, scale=1.0):
    """Return the parameters after each step, down gradients that push everywhere."""

    @jax.jit
    def one(params, state, key):
        leaves, tree = jax.tree.flatten(params)
        slopes = [
            scale * jax.random.normal(k, a.shape, a.dtype)
            for k, a in zip(jax.random.split(key, len(leaves)), leaves, strict=True)
        ]
        updates, state = tx.update(jax.tree.unflatten(tree, slopes), state, params)
        return optax.apply_updates(params, updates), state

    state, after = tx.init(params), []
    for number in range(steps):
        params, state = one(params, state, jax.random.fold_in(jax.random.key(1), number))
        after.append(params)
    return after


@pytest.mark.parametrize("tx", [optax.sgd(0.1), optax.rmsprop(0.05), optax.adam(0.05)], ids=["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("start", [0.005, 1.0, 1e4])
def test_every_parameter_is_within_the_bound_after_each_step(tx, start):
    """From within, and from however far outside: not by a hair, for a critic's Lipschitz constant is a promise."""
    for after in moved(clipped(tx, BOUND), params(start), 5):
        largest = max(np.abs(np.asarray(a, np.float64)).max() for a in jax.tree.leaves(after))
        assert largest <= np.float32(BOUND)
    assert largest > 0.99 * BOUND


def test_half_precision_stays_within_too():
    start = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params(3.0))
    for after in moved(clipped(optax.sgd(0.1), 0.25), start, 3):
        assert max(np.abs(np.asarray(a, np.float64)).max() for a in jax.tree.leaves(after)) <= 0.25


def test_weights_inside_move_as_without_it():
    start = params(1e-3)
    ours, theirs = (moved(tx, start, 4, 1e-3) for tx in (clipped(optax.adam(1e-4), BOUND), optax.adam(1e-4)))
    for a, b in zip(ours, theirs, strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-9), a, b)


def test_it_keeps_the_state_of_the_optimiser_it_wraps():
    start = params(1.0)
    ours, theirs = clipped(optax.adam(0.1), BOUND), optax.adam(0.1)
    slopes = jax.tree.map(jnp.ones_like, start)
    states = [tx.update(slopes, tx.init(start), start)[1] for tx in (ours, theirs)]
    jax.tree.map(np.testing.assert_array_equal, *states)
