"""Several games as one, on the same batches: models to be compared train side by side in one step."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxgen.game import Aux, Game, Phase, Player, TrainState

FIELDS = ("params", "extra", "opt_state", "ema")  # of a state, each with names of its own


def side_by_side(games: Mapping[str, Game]) -> Game:
    """Return the game that plays each of `games` in turn on the whole batch, none knowing of the others.

    Network, player and metric N of game NAME is "NAME/N"; see `own`. Each has randomness of its own.
    """

    def init(key, batch):
        params, extra = {}, {}
        for number, (name, game) in enumerate(games.items()):
            fresh = game.init(jax.random.fold_in(key, number), batch)
            params, extra = params | _named(name, fresh[0]), extra | _named(name, fresh[1])
        return params, extra

    def phase(name: str, one: Phase) -> Phase:
        def loss(params, state, batch, key):
            losses, aux = one.loss(own(name, params), alone(name, state), batch, key)
            return _named(name, losses), Aux(_named(name, aux.extra), _named(name, aux.metrics))

        return Phase(tuple(_named(name, dict.fromkeys(one.players))), loss, one.repeats)

    players, phases, ema = {}, [], {}
    for name, game in games.items():
        for player, (moves, tx) in game.players.items():
            players[f"{name}/{player}"] = Player(tuple(f"{name}/{network}" for network in moves), tx)
        phases += [phase(name, one) for one in game.phases]
        ema |= _named(name, game.ema)
    return Game(init, players, tuple(phases), ema)


def own(name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is one game's of params, extra or the like, under the names it has there alone."""
    return {key.removeprefix(f"{name}/"): value for key, value in tree.items() if key.startswith(f"{name}/")}


def alone(name: str, state: TrainState) -> TrainState:
    """Return the state as one game sees it."""
    return state.replace(**{field: own(name, getattr(state, field)) for field in FIELDS})


def joined(states: Mapping[str, TrainState]) -> TrainState:
    """Return the state of games side by side, from that of each alone. Step and key are those of the last."""
    whole: dict[str, dict[str, Any]] = {field: {} for field in FIELDS}
    for name, state in states.items():
        for field, parts in whole.items():
            parts |= _named(name, getattr(state, field))
    return state.replace(**whole)


def _named(name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}/{key}": value for key, value in tree.items()}
