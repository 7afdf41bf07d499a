import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.data.order import Batches
from jaxgen.parallel import compile_steps
from jaxgen.run.train import train_function
from jaxgen.step import init
from tests import toy_gan
from tests.test_step import assert_same

STEPS, BATCH = 8, 20


@pytest.fixture
def data():
    return toy_gan.batch(jax.random.key(1), 60)


def by_run(game, key, data):
    index = Batches(key, 60, BATCH).indices(0, STEPS)
    slices = max(phase.repeats for phase in game.phases)
    start = {**{name: rows[index[0, ::slices]] for name, rows in data.items()}, "index": index[0, ::slices]}
    return compile_steps(game).run(init(game, key, start), data, index, index, STEPS)


@pytest.mark.parametrize("make", [toy_gan.alternating, toy_gan.simultaneous])
def test_training_as_a_function_equals_a_run_across_epochs(make, data):
    game, key = make(), jax.random.key(5)
    state, metrics = jax.jit(train_function(game, data, steps=STEPS, batch_size=BATCH))(key)
    expected, measured = by_run(game, key, data)
    assert_same(state, expected, rtol=1e-5, atol=1e-6)
    assert_same(metrics, measured, rtol=1e-5, atol=1e-6)


def test_it_maps_over_hyper_parameters_and_keys(data):
    def train(rate, key):
        game = toy_gan.alternating(optax.sgd(rate))
        return train_function(game, data, steps=STEPS, batch_size=BATCH)(key)[0].params

    rates, keys = jnp.array([0.1, 0.01]), jax.random.split(jax.random.key(0), 3)
    grid = jax.jit(jax.vmap(jax.vmap(train, in_axes=(None, 0)), in_axes=(0, None)))(rates, keys)
    for i, rate in enumerate(rates):
        for j, key in enumerate(keys):
            expected = by_run(toy_gan.alternating(optax.sgd(float(rate))), key, data)[0].params
            assert_same(jax.tree.map(lambda a, i=i, j=j: a[i, j], grid), expected, rtol=1e-4, atol=1e-5)


def test_an_impossible_batch_size_is_refused(data):
    with pytest.raises(ValueError, match="at most the 60 training examples, got 61"):
        train_function(toy_gan.simultaneous(), data, steps=1, batch_size=61)


def test_the_start_is_the_same_as_of_a_run(data):
    key = jax.random.key(2)
    state, _ = train_function(toy_gan.alternating(), data, steps=1, batch_size=BATCH)(key)
    np.testing.assert_array_equal(jax.random.key_data(state.key), jax.random.key_data(jax.random.fold_in(key, 1)))
