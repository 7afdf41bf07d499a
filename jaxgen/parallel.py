"""A step compiled: many steps a dispatch, the data resting on the device, over seeds and over devices.

Nothing here knows what the step trains; nothing that defines a model knows of devices.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.game import AXIS, Game, Metrics, TrainState
from jaxgen.step import Prepare, Step, make_step

Data = Mapping[str, jax.Array]
Chunk = Callable[[TrainState, Data, np.ndarray, np.ndarray, int], tuple[TrainState, Metrics]]


def take(data: Data, rows: jax.Array, index: jax.Array) -> dict[str, jax.Array]:
    """Return the batch data[rows], rows [..., B]; "index" says which example of the set each is."""
    return {**{name: array[rows] for name, array in data.items()}, "index": index}


def many_steps(step: Step, *, spread: Callable = lambda batch: batch) -> Chunk:
    """Return the pure function (state, data, rows, index, count) -> (state, metrics [N]) of `count` <= N steps.

    data: arrays [examples, ...] on the device. rows, index: [N, ..., B], where in `data` each batch is, and
    which examples of the whole set these are. spread: places a batch, such as over devices.

    The step is traced once whatever the count, so a last short chunk compiles nothing; rows of index and of
    metrics from `count` on are not read or set.
    """
    step = jax.jit(step)  # its trace is kept, so asking for the shapes of the metrics costs no second one

    def chunk(state, data, rows, index, count):
        shapes = jax.eval_shape(step, state, jax.eval_shape(take, data, rows[0], index[0]))[1]
        empty = jax.tree.map(lambda a: jnp.zeros((len(index), *a.shape), a.dtype), shapes)

        def body(i, carry):
            state, measured = carry
            state, metrics = step(state, spread(take(data, rows[i], index[i])))
            return state, jax.tree.map(lambda all, value: all.at[i].set(value), measured, metrics)

        return jax.lax.fori_loop(0, count, body, (state, empty))

    return chunk


class Compiled(NamedTuple):
    """A chunk of steps, compiled for some devices and seeds.

    run: as `many_steps` says, on whole batches. The state is donated: the one given in must not be used
    again. place: puts a state or data where `run` wants them.
    """

    run: Chunk
    place: Callable


def compile_steps(
    game: Game,
    *,
    prepare: Prepare | None = None,
    devices: int = 1,
    how: Literal["jit", "pmap"] = "jit",
    members: int | None = None,
    variant: Callable[[Mapping[str, jax.Array]], Game] | None = None,
    values: Mapping[str, jax.Array] | None = None,
    **options,
) -> Compiled:
    """Compile many steps of a game.

    devices: how many to spread each batch over: "jit", one program in global view, sharded over a mesh, whose
    numbers are those of one device but for the order of sums; or "pmap", one program a device, whose
    randomness has the device's number folded in.
    members: trainings at once, such as seeds: the length of a leading axis of every state and batch, or None.
    variant, values: (scalars by name) -> game, and these scalars [members]: each member plays its own game.
    options: of `make_step`.

    Raises ValueError for more devices than there are.
    """
    check_devices(devices)
    make = partial(make_step, prepare=prepare, axis_name=AXIS if how == "pmap" else None, **options)
    if values:
        own = jax.vmap(lambda state, batch, values: make(variant(values))(state, batch))

        def step(state, batch):
            return own(state, batch, values)
    else:
        step = make(game) if members is None else jax.vmap(make(game))
    if how == "pmap":
        return _mapped(step, devices)
    if devices == 1:
        return Compiled(jax.jit(many_steps(step), donate_argnums=0), jax.device_put)
    return _sharded(step, devices)


def _sharded(step: Step, devices: int) -> Compiled:
    mesh, whole = _mesh(devices)

    def spread(batch):
        return jax.lax.with_sharding_constraint(batch, NamedSharding(mesh, _along(batch["index"].ndim)))

    run = jax.jit(many_steps(step, spread=spread), donate_argnums=0, out_shardings=whole)
    return Compiled(run, partial(jax.device_put, device=whole))


def _mapped(step: Step, devices: int) -> Compiled:
    mesh, whole = _mesh(devices)

    def run(state, data, rows, index, count):
        along, same = _along(index.ndim), PartitionSpec()
        chunk = jax.shard_map(
            many_steps(step),
            mesh=mesh,
            in_specs=(same, same, along, along, same),
            out_specs=same,
            check_vma=False,  # that the new state is the same everywhere follows from the averages in the step
        )
        return chunk(state, data, rows, index, count)

    return Compiled(jax.jit(run, donate_argnums=0, out_shardings=whole), partial(jax.device_put, device=whole))


def _mesh(devices: int) -> tuple[Mesh, NamedSharding]:
    """Return the devices, and what lies whole on each of them."""
    mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])
    return mesh, NamedSharding(mesh, PartitionSpec())


def _along(dimensions: int) -> PartitionSpec:
    """Return how examples [..., B] are spread; steps and seeds come before the batch."""
    return PartitionSpec(*[None] * (dimensions - 1), AXIS)


def ask_for_devices(number: int) -> None:
    """Have a CPU shown as this many devices, each with a program of its own to run; to be called before JAX starts.

    A number that the user has given (`JAX_NUM_CPU_DEVICES`) and a JAX that has started stay as they are. Accelerators
    are as many as there are.
    """
    if number > 1 and jax.config.jax_num_cpu_devices < 1:
        with contextlib.suppress(RuntimeError):  # started already
            jax.config.update("jax_num_cpu_devices", number)


def wait_where_needed(state: TrainState) -> None:
    """Wait for a state spread over several devices of a CPU before it goes into the next program.

    These devices share threads. Programs queued behind each other take them from the one that others wait for, and
    all stand still: seen with jax 0.10 and a hundred steps queued, not with one or two. Elsewhere nothing waits.
    """
    devices = state.step.devices()
    if len(devices) > 1 and next(iter(devices)).platform == "cpu":
        jax.block_until_ready(state)


def check_devices(devices: int) -> None:
    """Raise ValueError for a number of devices that this process does not have."""
    if not 1 <= devices <= jax.device_count():
        raise ValueError(f"devices must be from 1 to the {jax.device_count()} there are, got {devices}")
