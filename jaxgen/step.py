"""The one training step: it plays every phase of a game once, and is pure.

`jit`, `scan`, `pmap`, `vmap` and sharding wrap it (`jaxgen.parallel`); it knows of none of them
but for the name of a mapped axis to average over.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from jaxgen.game import Batch, Game, Key, Metrics, Params, Phase, TrainState, check, check_networks, repeats

# What is folded into a run's root key, one number a use (the order of the data has 2: jaxgen.data.order).
PARAMS, STEPS = 0, 1

Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
Prepare = Callable[[Key, Batch], Batch]


def init(game: Game, key: Key, batch: Batch) -> TrainState:
    """Return the state a run starts from.

    key: the run's root key. batch: one prepared batch (or slice of one); only its shapes and types
    matter, unless the networks start from data. Raises ValueError where the game's parts do not fit.
    """
    check(game)

    @jax.jit  # one program: operation by operation, most of the time would go to compiling each of them
    def start(key, batch):
        params, extra = game.init(jax.random.fold_in(key, PARAMS), batch)
        check_networks(game, params)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            key=jax.random.fold_in(key, STEPS),
            params=dict(params),
            extra=dict(extra),
            opt_state={name: player.tx.init(_pick(params, player.moves)) for name, player in game.players.items()},
            ema={name: jax.tree.map(jnp.copy, params[name]) for name in game.ema},
        )

    return start(key, batch)


def make_step(
    game: Game,
    *,
    prepare: Prepare | None = None,
    axis_name: str | None = None,
    accumulate: int = 1,
    gradient_norms: bool = False,
) -> Step:
    """Return the pure function (state, batch) -> (state, metrics) that plays `game` once.

    prepare: (key, batch) -> batch, run on the whole batch first: scaling, dequantisation, augmentation.
    axis_name: a mapped axis (pmap) over which gradients, metrics and floating `extra` are averaged.
    accumulate: every move averages the gradients of this many slices of its batch, one after the other, so
    that a large batch needs the memory of a small one. `extra` goes from slice to slice.

    gradient_norms: measure "PLAYER/gradient_norm" too; a pass over every gradient, a tenth of a small step.

    Metrics are each loss's own, with "PLAYER/loss", averaged over repeats.
    Randomness: fold_in(state.key, step), the axis index where there is an axis, the phase, the repeat;
    `prepare` has the number after the last phase; the accumulated slices fold their number into the
    repeat's key. Raises ValueError, while tracing, for a batch that
    does not divide into the game's slices.
    """
    check(game)
    slices = repeats(game)
    move = partial(_move, game, axis_name, accumulate, gradient_norms)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        if prepare is not None:
            batch = prepare(jax.random.fold_in(key, len(game.phases)), batch)
        parts = split(batch, slices)
        metrics: dict = {}
        for number, phase in enumerate(game.phases):
            state, measured = _play(phase, state, parts, jax.random.fold_in(key, number), move)
            metrics |= measured
        ema = {
            name: optax.incremental_update(state.params[name], state.ema[name], 1.0 - decay)
            for name, decay in game.ema.items()
        }
        return state.replace(step=state.step + 1, ema=ema), metrics

    return step


def split(batch: Batch, slices: int) -> Batch:
    """Cut each array [B, ...] into [slices, B / slices, ...]; slice j holds the examples j, j + slices, ...

    Strided, so that a batch spread over devices stays where it is.
    """
    size = len(next(iter(batch.values())))
    if size % slices:
        raise ValueError(f"the batch must divide into the game's {slices} slices, got {size} examples")
    return jax.tree.map(lambda a: jnp.moveaxis(a.reshape(size // slices, slices, *a.shape[1:]), 1, 0), batch)


def _play(phase: Phase, state: TrainState, parts: Batch, key: Key, move: Callable):
    """Play one phase on its first `repeats` slices; return the new state and the mean metrics."""

    def once(state: TrainState, part: tuple[Batch, jax.Array]) -> tuple[TrainState, Metrics]:
        batch, repeat = part
        return move(phase, state, batch, jax.random.fold_in(key, repeat))

    if phase.repeats == 1:
        return once(state, (jax.tree.map(lambda a: a[0], parts), 0))
    first = jax.tree.map(lambda a: a[: phase.repeats], parts)
    state, metrics = jax.lax.scan(once, state, (first, jnp.arange(phase.repeats)))
    return state, jax.tree.map(lambda a: a.mean(0), metrics)


def _move(
    game: Game,
    axis_name: str | None,
    accumulate: int,
    norms: bool,
    phase: Phase,
    state: TrainState,
    batch: Batch,
    key: Key,
):
    """Move the players of a phase at once, each by its own gradient."""
    if accumulate == 1:
        gradients, extra, metrics = _differentiate(game, phase, state, batch, key)
    else:

        def one(extra, part):
            number, batch = part
            gradients, extra, metrics = _differentiate(
                game, phase, state.replace(extra=extra), batch, jax.random.fold_in(key, number)
            )
            return extra, (gradients, metrics)

        parts = jnp.arange(accumulate), split(batch, accumulate)
        extra, summed = jax.lax.scan(one, dict(state.extra), parts)
        gradients, metrics = jax.tree.map(lambda a: a.mean(0), summed)
    if axis_name is not None:
        gradients, metrics, extra = average((gradients, metrics, extra), axis_name)

    params, opt_state = dict(state.params), dict(state.opt_state)
    for name, gradient in gradients.items():
        own = _pick(params, game.players[name].moves)
        updates, opt_state[name] = game.players[name].tx.update(gradient, opt_state[name], own)
        params |= optax.apply_updates(own, updates)
        if norms:
            metrics = {**metrics, f"{name}/gradient_norm": optax.tree.norm(gradient)}
    return state.replace(params=params, opt_state=opt_state, extra=extra), metrics


def _differentiate(game: Game, phase: Phase, state: TrainState, batch: Batch, key: Key):
    """Return ({player: gradient of its networks}, extra, metrics): one forward pass, one pullback a player."""
    moved = _pick(state.params, [name for player in phase.players for name in game.players[player].moves])
    losses, pullback, aux = jax.vjp(lambda p: phase.loss(p, state, batch, key), moved, has_aux=True)
    _check_losses(losses, phase)
    gradients = {}
    for player in phase.players:
        seed = {other: jnp.full_like(loss, float(other == player)) for other, loss in losses.items()}
        gradients[player] = _pick(pullback(seed)[0], game.players[player].moves)
    metrics = {**aux.metrics, **{f"{name}/loss": loss for name, loss in losses.items()}}
    return gradients, {**state.extra, **aux.extra}, metrics


def _pick(params: Params, names) -> dict:
    return {name: params[name] for name in names}


def average(tree, axis_name: str):
    """Return the tree with its floating leaves averaged over a mapped axis; counters and the like are equal everywhere.

    Leaves of one type go as one vector, for devices wait for each other at every exchange.
    """
    leaves, structure = jax.tree.flatten(tree)
    # In the order of the leaves, not of a set: every process must exchange in the same order.
    for dtype in dict.fromkeys(leaf.dtype for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)):
        where = [i for i, leaf in enumerate(leaves) if leaf.dtype == dtype]
        joined, part = ravel_pytree([leaves[i] for i in where])
        for i, leaf in zip(where, part(jax.lax.pmean(joined, axis_name)), strict=True):
            leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)


def _check_losses(losses, phase: Phase) -> None:
    if set(losses) != set(phase.players):
        raise ValueError(f"a loss must return one scalar a player {sorted(phase.players)}, got {sorted(losses)}")
    for name, loss in losses.items():
        if loss.shape != ():
            raise ValueError(
                f"the loss of {name!r} must be a scalar (reduce the [B] of a loss function), got {loss.shape}"
            )
