import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.order import Batches, epoch_order
from jaxgen.parallel import many_steps, take
from jaxgen.step import init, make_step
from tests import toy_gan
from tests.test_step import same

KEY = jax.random.key(3)


@pytest.fixture(params=[toy_gan.alternating, toy_gan.simultaneous], ids=["alternating", "simultaneous"])
def setting(request):
    game = request.param()
    data = toy_gan.batch(jax.random.key(1), 60)
    return game, data, init(game, KEY, data), Batches(KEY, 60, 20).indices(0, 8)


def test_many_steps_equal_single_steps(setting):
    game, data, state, indices = setting
    many, rows = many_steps(make_step(game), donate=False)(state, data, indices, 8)
    step = jax.jit(make_step(game))
    for i, index in enumerate(indices):
        state, metrics = step(state, take(data, jnp.asarray(index)))
        for name, value in metrics.items():
            np.testing.assert_allclose(rows[name][i], value, rtol=1e-5, atol=1e-6)
    same(many, state, rtol=1e-5, atol=1e-6)


def test_how_steps_are_grouped_into_chunks_changes_no_bit(setting):
    game, data, state, indices = setting
    chunk = many_steps(make_step(game), donate=False)
    whole, rows = chunk(state, data, indices, 8)
    first, rows_1 = chunk(state, data, indices, 3)
    rest, rows_2 = chunk(first, data, np.roll(indices, -3, axis=0), 5)
    same(whole, rest)
    for name in rows:
        np.testing.assert_array_equal(rows[name], np.concatenate([rows_1[name][:3], rows_2[name][:5]]))


def test_a_step_is_traced_once_whatever_the_count(setting):
    game, data, state, indices = setting
    traces = []

    def prepare(key, batch):
        traces.append(1)
        return batch

    chunk = many_steps(make_step(game, prepare=prepare))
    for count in (8, 8, 3, 1):
        state, _ = chunk(state, data, indices, count)
    assert len(traces) == 1


def test_nothing_goes_to_the_host_inside_a_chunk(setting):
    game, data, state, indices = setting
    chunk = many_steps(make_step(game), donate=False)
    arguments = jax.device_put((state, data, indices, np.int32(8)))
    jax.block_until_ready(chunk(*arguments))
    with jax.transfer_guard("disallow"):
        jax.block_until_ready(chunk(*arguments))
    assert "callback" not in str(jax.make_jaxpr(chunk)(*arguments))


def test_the_state_is_donated(setting):
    game, data, state, indices = setting
    many_steps(make_step(game))(state, data, indices, 8)
    assert state.params["generator"]["w"].is_deleted()


def test_each_epoch_is_a_permutation_of_its_own_made_from_seed_and_epoch_alone():
    orders = [np.asarray(epoch_order(KEY, epoch, 1000)) for epoch in range(3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert (orders[0] != orders[1]).mean() > 0.99
    assert (orders[0] != epoch_order(jax.random.key(4), 0, 1000)).mean() > 0.99
    np.testing.assert_array_equal(orders[2], jax.jit(epoch_order, static_argnums=2)(KEY, 2, 1000))


@pytest.mark.parametrize(("size", "batch_size"), [(10, 3), (1000, 10), (40000, 7)])
def test_batches_are_the_same_from_whatever_step_they_are_asked(size, batch_size):
    per_epoch = size // batch_size
    whole = Batches(KEY, size, batch_size).indices(0, 3 * per_epoch)
    for start in (0, 1, per_epoch - 1, per_epoch, 2 * per_epoch + 1):
        np.testing.assert_array_equal(Batches(KEY, size, batch_size).indices(start, 2), whole[start : start + 2][:2])
    for epoch in range(3):
        rows = whole[epoch * per_epoch : (epoch + 1) * per_epoch].ravel()
        assert len(set(rows)) == len(rows) == per_epoch * batch_size
        np.testing.assert_array_equal(rows, np.asarray(epoch_order(KEY, epoch, size))[: len(rows)])


@pytest.mark.parametrize(("batch_size", "message"), [(0, "at least 1, got 0"), (11, "at most the 10 .* got 11")])
def test_an_impossible_batch_size_is_refused(batch_size, message):
    with pytest.raises(ValueError, match=message):
        Batches(KEY, 10, batch_size)
