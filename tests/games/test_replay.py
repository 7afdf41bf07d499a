from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from jaxgen.game import AXIS
from jaxgen.games.replay import MOST, Replay, remember

KEY = jax.random.key(0)


def rows(start, count):
    """Return examples [count, 2] that say when they were made."""
    return jnp.stack([start + jnp.arange(count, dtype=jnp.float32)] * 2, axis=1)


def run(key, size, share, batches, each):
    """Return the pool, and what was shown of each batch [batches, each, 2], of examples numbered from 1."""
    replay = Replay(size, share)

    def one(pool, number):
        shown, pool = replay.mix(jax.random.fold_in(key, number), pool, rows(1 + number * each, each))
        return pool, shown

    return jax.lax.scan(one, replay.start(rows(0, each)), jnp.arange(batches))


def test_the_first_examples_are_all_kept():
    pool, _ = jax.jit(lambda: run(KEY, 20, 0.5, 3, 6))()
    assert pool["seen"] == 18
    np.testing.assert_array_equal(pool["examples"][:, 0], [*range(1, 19), 0, 0])


@pytest.mark.parametrize(("size", "batches", "each"), [(8, 12, 5), (8, 3, 20), (30, 20, 4)])
def test_every_example_made_is_kept_with_equal_probability(size, batches, each):
    """Each run holds `size` different ones of all N: counts over many runs have the variance of drawing without return.

    For a sample without return sum((c - m)^2) / (runs p (1 - p)) (N - 1) / N is chi-square with N - 1 degrees.
    """
    runs, number = 4000, batches * each
    pools = jax.jit(jax.vmap(lambda key: run(key, size, 0.5, batches, each)[0]["examples"]))(
        jax.random.split(jax.random.key(2), runs)
    )
    kept = np.asarray(pools)[:, :, 0].astype(int)
    assert (np.diff(np.sort(kept, axis=1)) > 0).all(), "an example is there twice"
    np.testing.assert_array_equal(pools[..., 0], pools[..., 1])
    count = np.bincount(kept.ravel(), minlength=number + 1)
    assert count[0] == 0
    p = size / number
    statistic = ((count[1:] - runs * p) ** 2).sum() / (runs * p * (1 - p)) * (number - 1) / number
    low, high = chi2.ppf([1e-4, 1 - 1e-4], number - 1)
    assert low < statistic < high


def test_only_the_first_rows_are_replaced_and_only_by_older_examples():
    _, shown = jax.jit(lambda: run(KEY, 10, 0.5, 30, 6))()
    for number, x in enumerate(np.asarray(shown)[:, :, 0]):
        first = 1 + 6 * number
        np.testing.assert_array_equal(x[3:], np.arange(first + 3, first + 6))
        if number:
            assert (x[:3] < first).all() and (x[:3] > 0).all()
        else:
            np.testing.assert_array_equal(x, np.arange(1, 7))  # an empty pool shows fresh ones


@pytest.mark.parametrize(("share", "old"), [(0.0, 0), (0.3, 2), (1.0, 6)])
def test_the_share_says_how_many_are_old(share, old):
    _, shown = jax.jit(lambda: run(KEY, 10, share, 4, 6))()
    for number, x in enumerate(np.asarray(shown)[1:, :, 0], 1):
        assert (x < 1 + 6 * number).sum() == old


def test_old_ones_are_drawn_evenly_from_the_filled_part_of_the_pool():
    replay = Replay(10, 1.0)
    pool = {**replay.start(rows(0, 1)), "seen": jnp.int32(4)}
    pool["examples"] = rows(0, 10)
    shown, _ = replay.mix(KEY, pool, rows(100, 8000))
    count = np.bincount(np.asarray(shown)[:, 0].astype(int))
    assert len(count) == 4
    assert ((count - 2000) ** 2 / 2000).sum() < chi2.ppf(1 - 1e-4, 3)


def test_it_follows_from_its_key_alone():
    play = jax.jit(lambda key: run(key, 5, 0.5, 9, 4))
    one, two, other = (play(jax.random.key(seed)) for seed in (1, 1, 2))
    jax.tree.map(np.testing.assert_array_equal, one, two)
    assert (np.asarray(one[1]) != other[1]).any()


def test_what_is_remembered_has_no_gradient_and_what_is_fresh_has_its_own():
    replay = Replay(4, 0.5)
    pool = {"examples": rows(1, 4), "seen": jnp.int32(4)}

    def total(x, which):
        mixed, after = replay.mix(KEY, pool, x)
        return (mixed if which == "mixed" else after["examples"]).sum()

    np.testing.assert_array_equal(jax.grad(total)(rows(5, 4), "mixed")[:, 0], [0, 0, 1, 1])
    np.testing.assert_array_equal(jax.grad(total)(rows(5, 4), "pool"), 0)


def test_the_pool_keeps_the_type_and_shape_of_what_it_is_given():
    x = jnp.ones((4, 3, 2, 1), jnp.bfloat16)
    shown, pool = Replay(6).mix(KEY, Replay(6).start(x), x)
    assert pool["examples"].shape == (6, 3, 2, 1)
    assert pool["examples"].dtype == shown.dtype == jnp.bfloat16


def test_counting_stops_before_it_overflows():
    pool = {"examples": rows(1, 4), "seen": jnp.int32(MOST - 1)}
    for number in range(3):
        pool = remember(jax.random.fold_in(KEY, number), pool, rows(10, 8))
    assert pool["seen"] == MOST
    assert np.isfinite(pool["examples"]).all()


def test_devices_keep_one_equal_pool_of_the_examples_of_all():
    devices, each = 4, 3
    replay = Replay(8)
    pools, shown = [], []

    @partial(jax.pmap, axis_name=AXIS, devices=jax.devices()[:devices])
    def mix(key, pool, x):
        return replay.mix(jax.random.fold_in(key, jax.lax.axis_index(AXIS)), pool, x)

    pool = jax.tree.map(lambda a: jnp.stack([a] * devices), replay.start(rows(0, 1)))
    for number in range(6):
        key = jax.random.fold_in(KEY, number)
        x = rows(1 + number * devices * each, devices * each).reshape(devices, each, 2)
        mixed, pool = mix(jnp.stack([key] * devices), pool, x)
        for leaf in jax.tree.leaves(pool):
            np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape))
        pools.append(np.asarray(pool["examples"])[0, :, 0])
        shown.append(np.asarray(mixed)[:, :, 0])
    assert (pool["seen"] == 6 * devices * each).all()
    # The first pool has the first devices' first examples; later ones have some of every batch's devices.
    assert set(pools[0]) <= set(range(1, 13))
    assert len(set(pools[-1])) == 8
    assert len({tuple(row) for row in shown[-1][:, :2]}) > 1, "devices draw the same old ones"


def test_on_devices_too_every_example_is_kept_with_equal_probability():
    devices, each, batches, size, runs = 3, 2, 5, 6, 3000

    def own(key):
        def one(pool, number):
            mine = jax.random.fold_in(jax.random.fold_in(key, number), jax.lax.axis_index(AXIS))
            first = 1 + number * devices * each + jax.lax.axis_index(AXIS) * each
            return remember(mine, pool, rows(0, each) + first.astype(jnp.float32)), None

        return jax.lax.scan(one, Replay(size).start(rows(0, 1)), jnp.arange(batches))[0]["examples"]

    spread = jax.pmap(
        lambda _, keys: jax.vmap(own)(keys), axis_name=AXIS, in_axes=(0, None), devices=jax.devices()[:devices]
    )
    kept = np.asarray(spread(jnp.arange(devices), jax.random.split(KEY, runs)))[0, :, :, 0].astype(int)
    number = devices * each * batches
    count = np.bincount(kept.ravel(), minlength=number + 1)
    assert count[0] == 0 and (np.diff(np.sort(kept, axis=1)) > 0).all()
    p = size / number
    statistic = ((count[1:] - runs * p) ** 2).sum() / (runs * p * (1 - p)) * (number - 1) / number
    low, high = chi2.ppf([1e-4, 1 - 1e-4], number - 1)
    assert low < statistic < high
