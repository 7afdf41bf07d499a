"""A step compiled: many steps a dispatch, the data resting on the device.

Nothing here knows what the step trains.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxgen.game import Metrics, TrainState
from jaxgen.step import Step

Chunk = Callable[[TrainState, Mapping[str, jax.Array], jax.Array, int], tuple[TrainState, Metrics]]


def take(data: Mapping[str, jax.Array], indices: jax.Array) -> dict[str, jax.Array]:
    """Return the batch of these examples [B], with the indices themselves under "index"."""
    return {**{name: array[indices] for name, array in data.items()}, "index": indices}


def many_steps(step: Step, *, donate: bool = True) -> Chunk:
    """Compile (state, data, indices [N, B], count) -> (state, metrics [N]): `count` <= N steps in one dispatch.

    data: arrays [examples, ...] resting on the device. The step is traced once whatever the count, so a
    last short chunk compiles nothing; rows of indices and of metrics from `count` on are not read or set.
    The state is donated: the one given in must not be used again.
    """
    step = jax.jit(step)  # its trace is kept, so asking for the shapes of the metrics costs no second one

    def chunk(state, data, indices, count):
        shapes = jax.eval_shape(step, state, jax.eval_shape(take, data, indices[0]))[1]
        empty = jax.tree.map(lambda a: jnp.zeros((len(indices), *a.shape), a.dtype), shapes)

        def body(i, carry):
            state, rows = carry
            state, metrics = step(state, take(data, indices[i]))
            return state, jax.tree.map(lambda row, value: row.at[i].set(value), rows, metrics)

        return jax.lax.fori_loop(0, count, body, (state, empty))

    return jax.jit(chunk, donate_argnums=(0,) if donate else ())
