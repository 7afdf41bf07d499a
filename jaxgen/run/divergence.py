"""When a training has gone wrong: the first loss, or the network, that is not a number."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.game import Game, Params
from jaxgen.games.side_by_side import own


class Diverged(RuntimeError):
    """A loss, a gradient or a network is not finite; the message says at which step, whose, and what is left."""


class Bad(NamedTuple):
    """Where a number is not finite: the row, the member of that row, and the metric's name and value."""

    row: int
    member: int
    name: str
    value: np.ndarray


def first_bad(game: Game, rows: Mapping[str, np.ndarray]) -> Bad | None:
    """Return the first row [N] or [N, members] in which a player's loss or gradient norm is not finite."""
    names = [f"{player}/{what}" for player in game.players for what in ("loss", "gradient_norm")]
    bad = {name: ~np.isfinite(rows[name]).reshape(len(rows[name]), -1) for name in names if name in rows}
    found = [(int(at.any(1).argmax()), name) for name, at in bad.items() if at.any()]
    if not found:
        return None
    row, name = min(found, key=lambda pair: pair[0])
    return Bad(row, int(bad[name][row].argmax()), name, rows[name][row])


def others(bad: Bad, rows: Mapping[str, np.ndarray]) -> str:
    """Return what a message says of the player's other metrics at that row, "" without any."""
    player = bad.name.split("/")[0]
    names = [name for name in rows if name.startswith(f"{player}/") and name != bad.name]
    told = ", ".join(f"{name} {rows[name][bad.row].reshape(-1)[bad.member]:.4g}" for name in names)
    return f" ({told})" if told else ""


@jax.jit
def _finite(params: Params) -> dict[str, jax.Array]:
    leaves = {name: jax.tree.leaves(network) for name, network in params.items()}
    return {name: jnp.array([jnp.isfinite(leaf).all() for leaf in every]).all() for name, every in leaves.items()}


def broken_network(game: Game, params: Params) -> tuple[str, str] | None:
    """Return (player, network) of a network that is not finite. One step's loss is that of the networks before it."""
    finite = jax.device_get(_finite(params))
    for player, (moves, _) in game.players.items():
        for name in moves:
            if not finite[name]:
                return player, name
    return None


def fallen(parts: Sequence[str], params: Params) -> list[str]:
    """Return which of the games side by side have a network that is not finite: they never will have again."""
    finite = jax.device_get(_finite(params))
    return [part for part in parts if not all(own(part, finite).values())]
