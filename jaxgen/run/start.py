"""A game that starts from the networks of a finished run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgen.game import Game
from jaxgen.run.checkpoint import restore_params


def started(game: Game, config: Any, *, same: Sequence[str] = ()) -> Game:
    """Return the game with the parameters of the finished run in config.start_from; the game itself where it is None.

    The networks must have the same names and shapes; a run of several seeds starts all from the same. same: options
    that the two runs must share, which no shape tells. Raises ValueError for a folder without a finished run or with
    other options now, and for networks that differ when the run starts.
    """
    if (folder := config.start_from) is None:
        return game
    try:
        result, there = (
            json.loads((Path(folder) / name).read_text(encoding="utf-8")) for name in ("result.json", "config.json")
        )
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(
            f"--start-from needs the folder of a finished run, with a result.json; got {folder}"
        ) from error
    if isinstance(result["best_step"], dict):
        raise ValueError(f"--start-from needs a run of one game, {folder} has {', '.join(result['best_step'])}")
    if isinstance(result["best_step"], list):
        raise ValueError(f"--start-from needs a run of one seed, {folder} has {len(result['best_step'])} side by side")
    for name in same:
        if (came := there["config"].get(name)) != getattr(config, name):
            raise ValueError(
                f"--start-from {folder} has other networks: --{name} is {came} there and {getattr(config, name)} here"
            )
    params = restore_params(Path(folder) / "checkpoints", result["best_step"])

    def init(key, batch):
        fresh, extra = game.init(key, batch)
        if difference := _difference(params, fresh):
            raise ValueError(f"--start-from {folder} has other networks: {difference}")
        return params, extra

    return game._replace(init=init)


def _difference(there: Any, here: Any) -> str | None:
    there, here = (
        {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (there, here)
    )
    for name in [*here, *there]:
        if there.get(name) != here.get(name):
            return f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
    return None
