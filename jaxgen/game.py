"""Training as a game: players move networks, phases say who moves when and what they minimise.

A variational autoencoder, a flow or a PixelCNN is a game of one player; a generative adversarial
network has two; an adversarial autoencoder three, in three phases. A game is a value made of pure
functions. `jaxgen.step` plays it and knows nothing of the networks.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.struct
import jax
import optax

AXIS = "batch"  # name of the axis that pmap spreads a batch over devices along

Array = jax.Array
Key = jax.Array
PyTree = Any
Params = Mapping[str, PyTree]  # by network name
Extra = Mapping[str, PyTree]  # batch statistics, spectral-norm vectors, image pools, ...
Batch = Mapping[str, Array]  # "image" [B, H, W, C], "label" [B], "x" [B, D], ...
Metrics = Mapping[str, Array]  # scalars, named "group/name"


@flax.struct.dataclass
class TrainState:
    """All that training changes, arrays only: it is checkpointed, donated and mapped over as it is.

    step: number of steps played, int32 scalar.
    key: base key; every random number of a step follows from it and from `step`.
    params, extra: by network name. opt_state: by player name. ema: averaged parameters, by network name.
    """

    step: Array
    key: Key
    params: Params
    extra: Extra
    opt_state: Mapping[str, PyTree]
    ema: Params


class Aux(NamedTuple):
    """What a loss returns beside the losses: changed entries of `state.extra`, and scalar metrics."""

    extra: Extra
    metrics: Metrics


LossFn = Callable[[Params, TrainState, Batch, Key], tuple[Mapping[str, Array], Aux]]
"""(params of the networks this phase moves, state, batch, key) -> ({player: scalar loss}, Aux).

Everything the phase does not move is read from the state.
"""


class Player(NamedTuple):
    """Who moves: the networks it moves and the optimiser that moves them."""

    moves: tuple[str, ...]
    tx: optax.GradientTransformation


class Phase(NamedTuple):
    """One move of a step: its players move at once, each down its own loss, from one forward pass.

    With `repeats=k` the phase is played k times, on k equal slices of the batch.
    """

    players: tuple[str, ...]
    loss: LossFn
    repeats: int = 1


class Game(NamedTuple):
    """A whole system: how its networks start, who moves them, in which phases.

    init: (key, batch) -> (params, extra). ema: decay of a running average of the parameters, by network.
    """

    init: Callable[[Key, Batch], tuple[Params, Extra]]
    players: Mapping[str, Player]
    phases: tuple[Phase, ...]
    ema: Mapping[str, float] = {}


def repeats(game: Game) -> int:
    """Into how many slices a step cuts its batch: the largest `repeats` of the phases."""
    return max(phase.repeats for phase in game.phases)


def check(game: Game) -> None:
    """Raise ValueError where the parts of a game do not fit each other."""
    if not game.phases:
        raise ValueError("a game needs at least one phase, got none")
    for number, phase in enumerate(game.phases):
        if phase.repeats < 1:
            raise ValueError(f"phase {number}: repeats must be at least 1, got {phase.repeats}")
        if unknown := sorted(set(phase.players) - set(game.players)):
            raise ValueError(f"phase {number} is played by {unknown}; the game's players are {sorted(game.players)}")
        moved = [name for player in phase.players for name in game.players[player].moves]
        if twice := sorted({name for name in moved if moved.count(name) > 1}):
            raise ValueError(f"phase {number}: {twice} would be moved by more than one player at once")
    for name, decay in game.ema.items():
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"ema of {name!r}: the decay must be in [0, 1), got {decay}")


def check_networks(game: Game, params: Params) -> None:
    """Raise ValueError where a player or an average names a network that `params` lacks."""
    for owner, names in [*((f"player {p!r}", player.moves) for p, player in game.players.items()), ("ema", game.ema)]:
        if missing := sorted(set(names) - set(params)):
            raise ValueError(f"{owner} names the networks {missing}; the game's networks are {sorted(params)}")
