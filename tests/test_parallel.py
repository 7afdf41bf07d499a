from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.data.order import Batches, epoch_order
from jaxgen.game import AXIS
from jaxgen.parallel import check_devices, compile_steps, many_steps, take
from jaxgen.step import average, init, make_step
from tests import toy_gan
from tests.test_step import assert_same

KEY = jax.random.key(3)


@pytest.fixture(params=[toy_gan.alternating, toy_gan.simultaneous], ids=["alternating", "simultaneous"])
def setting(request):
    game = request.param()
    data = toy_gan.batch(jax.random.key(1), 60)
    return game, data, init(game, KEY, data), Batches(KEY, 60, 20).indices(0, 8)


def test_many_steps_equal_single_steps(setting):
    game, data, state, index = setting
    many, rows = jax.jit(many_steps(make_step(game)))(state, data, index, index, 8)
    step = jax.jit(make_step(game))
    for i, one in enumerate(index):
        state, metrics = step(state, take(data, jnp.asarray(one), one))
        for name, value in metrics.items():
            np.testing.assert_allclose(rows[name][i], value, rtol=1e-5, atol=1e-6)
    assert_same(many, state, rtol=1e-5, atol=1e-6)


def test_how_steps_are_grouped_into_chunks_changes_no_bit(setting):
    game, data, state, index = setting
    chunk = jax.jit(many_steps(make_step(game)))
    whole, rows = chunk(state, data, index, index, 8)
    rest = np.roll(index, -3, axis=0)
    first, rows_1 = chunk(state, data, index, index, 3)
    last, rows_2 = chunk(first, data, rest, rest, 5)
    assert_same(whole, last)
    for name in rows:
        np.testing.assert_array_equal(rows[name], np.concatenate([rows_1[name][:3], rows_2[name][:5]]))


def test_a_step_is_traced_once_whatever_the_count(setting):
    game, data, state, index = setting
    traces = []

    def prepare(key, batch):
        traces.append(1)
        return batch

    run = compile_steps(game, prepare=prepare).run
    for count in (8, 8, 3, 1):
        state, _ = run(state, data, index, index, count)
    assert len(traces) == 1


def test_nothing_goes_to_the_host_inside_a_chunk(setting):
    game, data, state, index = setting
    chunk = jax.jit(many_steps(make_step(game)))
    arguments = jax.device_put((state, data, index, index, np.int32(8)))
    jax.block_until_ready(chunk(*arguments))
    with jax.transfer_guard("disallow"):
        jax.block_until_ready(chunk(*arguments))
    assert "callback" not in str(jax.make_jaxpr(chunk)(*arguments))


def test_the_state_is_donated(setting):
    game, data, state, index = setting
    compile_steps(game).run(state, data, index, index, 8)
    assert state.params["generator"]["w"].is_deleted()


def play(game, data, index, **how):
    compiled = compile_steps(game, **how)
    state = compiled.place(init(game, KEY, data))
    for _ in range(2):
        state, metrics = compiled.run(state, compiled.place(data), index, index, len(index))
    return jax.device_get((state, metrics))


def test_sharded_over_eight_devices_equals_one():
    """The same global batch, randomness, batch statistics, average and metrics included."""
    game = toy_gan.alternating(repeats=2)
    data = toy_gan.batch(jax.random.key(1), 160)
    index = Batches(KEY, 160, 80).indices(0, 6)
    assert_same(play(game, data, index, devices=8), play(game, data, index), rtol=1e-4, atol=1e-5)


def deterministic(game):
    """The same game with one fixed latent a data row, so that no random number depends on the device."""

    def fixed(loss):
        def of_batch(params, state, batch, key):
            noise = jnp.sin(17.0 * batch["x"][:, : toy_gan.LATENT])
            original, toy_gan.jax.random.normal = toy_gan.jax.random.normal, lambda key, shape: noise
            try:
                return loss(params, state, batch, key)
            finally:
                toy_gan.jax.random.normal = original

        return of_batch

    return game._replace(phases=tuple(phase._replace(loss=fixed(phase.loss)) for phase in game.phases))


@pytest.mark.parametrize("make", [lambda: toy_gan.alternating(repeats=2), toy_gan.simultaneous])
def test_pmap_over_eight_devices_equals_one_for_a_deterministic_loss(make):
    game = deterministic(make())
    data = toy_gan.batch(jax.random.key(1), 160)
    index = Batches(KEY, 160, 80).indices(0, 6)
    # In the order that puts the same examples into the same slices.
    assert_same(play(game, data, index, devices=8, how="pmap"), play(game, data, index), rtol=1e-4, atol=1e-5)


def test_devices_exchange_what_they_average_once_a_phase():
    game = toy_gan.simultaneous()
    batch = toy_gan.batch(KEY, 16)
    step = make_step(game, axis_name=AXIS)
    program = jax.make_jaxpr(step, axis_env=[(AXIS, 8)])(init(game, KEY, batch), batch)
    assert str(program).count("psum") == 1 and len(jax.tree.leaves(init(game, KEY, batch).params)) > 1


def test_averages_keep_the_types_of_what_they_are_of():
    tree = {"a": jnp.arange(3.0), "b": jnp.ones((2, 2), jnp.bfloat16), "c": jnp.int32(5), "d": {"e": jnp.float32(7)}}
    tree = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + 2]), tree)
    mean = jax.vmap(partial(average, axis_name=AXIS), axis_name=AXIS)(tree)
    assert jax.tree.map(lambda leaf: leaf.dtype, mean) == jax.tree.map(lambda leaf: leaf.dtype, tree)
    for name in ("a", "b"):
        np.testing.assert_array_equal(mean[name][1], tree[name][0] + 1)
    np.testing.assert_array_equal(mean["d"]["e"], [8, 8])
    np.testing.assert_array_equal(mean["c"], [5, 7])  # a counter, equal on all devices where it is one


def test_pmap_draws_other_numbers_on_each_device():
    seen = []

    def prepare(key, batch):
        return {**batch, "x": batch["x"] * 0 + jax.random.normal(key, (1, 1))}

    def watch(params, state, batch, key):
        losses, aux = toy_gan.losses(params, state, batch, key)
        return losses, aux._replace(metrics={"gan/spread": jax.lax.pmean(batch["x"][0, 0] ** 2, "batch")})

    game = toy_gan.simultaneous()
    game = game._replace(phases=(game.phases[0]._replace(loss=watch),))
    data = toy_gan.batch(jax.random.key(1), 160)
    index = Batches(KEY, 160, 80).indices(0, 1)
    _, metrics = play(game, data, index, devices=8, how="pmap", prepare=prepare)
    key = jax.random.fold_in(jax.random.fold_in(KEY, 1), 1)  # the second step
    for device in range(8):
        own = jax.random.fold_in(jax.random.fold_in(key, device), 1)
        seen.append(float(jax.random.normal(own, (1, 1))[0, 0]))
    assert len(set(seen)) == 8
    np.testing.assert_allclose(metrics["gan/spread"][0], np.mean(np.square(seen)), rtol=1e-5)


@pytest.mark.parametrize(
    "how",
    [
        {},
        pytest.param({"devices": 4}, marks=pytest.mark.slow),
        pytest.param({"devices": 4, "how": "pmap"}, marks=pytest.mark.slow),
    ],
)
def test_members_equal_each_alone(how, setting):
    game, data, _, _ = setting
    keys = [jax.random.key(seed) for seed in range(3)]
    orders = [Batches(key, 60, 20).indices(0, 10) for key in keys]
    compiled = compile_steps(game, members=3, **how)
    states = jax.vmap(lambda key: init(game, key, data))(jnp.stack(keys))
    index = np.stack(orders, axis=1)
    states, _ = compiled.run(compiled.place(states), compiled.place(data), index, index, 10)
    alone = compile_steps(game, **how)
    for i, key in enumerate(keys):
        state, _ = alone.run(alone.place(init(game, key, data)), alone.place(data), orders[i], orders[i], 10)
        assert_same(jax.tree.map(lambda a, i=i: a[i], states), state, rtol=1e-5, atol=1e-5)


def test_members_with_values_play_their_own_games():
    data = toy_gan.batch(jax.random.key(1), 60)
    index = np.stack([Batches(KEY, 60, 20).indices(0, 5)] * 2, axis=1)

    def variant(values):
        return toy_gan.alternating(optax.sgd(values["rate"]), repeats=2)

    rates = np.array([0.1, 0.01], np.float32)
    compiled = compile_steps(variant({"rate": 0.0}), members=2, variant=variant, values={"rate": rates})
    states = jax.vmap(lambda rate: init(variant({"rate": rate}), KEY, data))(rates)
    states, _ = compiled.run(states, data, index, index, 5)
    for i, rate in enumerate(rates):
        game = variant({"rate": float(rate)})
        state, _ = compile_steps(game).run(init(game, KEY, data), data, index[:, i], index[:, i], 5)
        assert_same(jax.tree.map(lambda a, i=i: a[i], states.params), state.params, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("slices", [2, 4])
def test_accumulated_gradients_equal_those_of_the_large_batch(slices):
    game = deterministic(toy_gan.simultaneous(optax.sgd(0.1)))
    batch = toy_gan.batch(KEY, 16)
    state = init(game, KEY, batch)
    whole, metrics = jax.jit(make_step(game, gradient_norms=True))(state, batch)
    parts, measured = jax.jit(make_step(game, accumulate=slices, gradient_norms=True))(state, batch)
    assert_same(parts.params, whole.params, rtol=1e-5, atol=1e-6)
    assert_same(measured, metrics, rtol=1e-5, atol=1e-6)
    assert parts.extra["discriminator"]["seen"] == slices


def test_accumulated_repeats_equal_those_of_the_large_batch():
    game = deterministic(toy_gan.alternating(optax.sgd(0.1), repeats=3))
    batch = toy_gan.batch(KEY, 24)
    state = init(game, KEY, batch)
    whole, _ = jax.jit(make_step(game))(state, batch)
    parts, _ = jax.jit(make_step(game, accumulate=2))(state, batch)
    assert_same(parts.params, whole.params, rtol=1e-5, atol=1e-6)
    assert_same(parts.ema, whole.ema, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("devices", [0, 9])
def test_devices_that_do_not_exist_are_refused(devices):
    with pytest.raises(ValueError, match=f"from 1 to the 8 there are, got {devices}"):
        check_devices(devices)


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
        np.testing.assert_array_equal(Batches(KEY, size, batch_size).indices(start, 2), whole[start : start + 2])
    for epoch in range(3):
        rows = whole[epoch * per_epoch : (epoch + 1) * per_epoch].ravel()
        assert len(set(rows)) == len(rows) == per_epoch * batch_size
        np.testing.assert_array_equal(rows, np.asarray(epoch_order(KEY, epoch, size))[: len(rows)])


@pytest.mark.parametrize(("batch_size", "message"), [(0, "at least 1, got 0"), (11, "at most the 10 .* got 11")])
def test_an_impossible_batch_size_is_refused(batch_size, message):
    with pytest.raises(ValueError, match=message):
        Batches(KEY, 10, batch_size)
