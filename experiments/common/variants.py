"""Which options of an experiment can be swept."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jaxgen.game import Game


def variant(
    experiment: str, game: Callable[[Any], Game], config: Any, *options: str
) -> Callable[[Mapping[str, Any]], Game]:
    """Return {option: traced scalar} -> the game of the configuration with these options instead.

    options: those that the game alone reads. Any other would leave what is trained, or part of it, as it is: it raises
    ValueError.
    """

    def changed(values: Mapping[str, Any]) -> Game:
        if others := sorted(set(values) - set(options)):
            can = " and ".join(options)
            raise ValueError(f"only {can} of {experiment} can be swept, {others[0]} is not of the game alone")
        return game(replace(config, **values))

    return changed
