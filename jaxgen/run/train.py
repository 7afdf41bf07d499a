"""Training as a pure function of a key: for sweeps and studies of one's own under jit and vmap."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxgen.data.order import check_batch_size, epoch_order
from jaxgen.game import Game, Metrics, TrainState, repeats
from jaxgen.parallel import take
from jaxgen.step import Prepare, init, make_step


def train_function(
    game: Game,
    data: Mapping[str, jax.Array],
    *,
    steps: int,
    batch_size: int,
    prepare: Prepare = lambda key, batch: batch,
    **options,
) -> Callable[[jax.Array], tuple[TrainState, Metrics]]:
    """Return the pure function (root key) -> (state after `steps` steps, metrics [steps]).

    It starts, orders the data and trains as a run of that key does; `jax.vmap` over keys trains many. A game
    made of traced scalars, inside a function of them, makes it a function of hyper-parameters too.

    data: arrays [N, ...], resting on the device. options: of `make_step`. Raises ValueError for a batch size
    that the data cannot fill.
    """
    size = len(next(iter(data.values())))
    check_batch_size(size, batch_size)
    per_epoch = size // batch_size
    step = make_step(game, prepare=prepare, **options)

    def train(key: jax.Array) -> tuple[TrainState, Metrics]:
        def one(carry, number):
            state, order = carry
            epoch, batch = number // per_epoch, number % per_epoch
            # The number is the same for every key, so that under vmap this stays a branch and no sort is wasted.
            order = jax.lax.cond(batch == 0, lambda: epoch_order(key, epoch, size), lambda: order)
            index = jax.lax.dynamic_slice_in_dim(order, batch * batch_size, batch_size)
            state, metrics = step(state, take(data, index, index))
            return (state, order), metrics

        order = epoch_order(key, 0, size)
        first = order[:batch_size][:: repeats(game)]
        state = init(game, key, prepare(key, take(data, first, first)))
        (state, _), metrics = jax.lax.scan(one, (state, order), jnp.arange(steps))
        return state, metrics

    return train
