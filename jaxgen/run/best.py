"""Where what a run has trained was best: at a step of its own for every seed, and for every game side by side."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.game import TrainState
from jaxgen.games.side_by_side import alone, joined
from jaxgen.run.checkpoint import Checkpoints
from jaxgen.run.experiment import Experiment


def watched(experiment: Experiment, scores: Mapping[str, Any]) -> np.ndarray:
    """Return the scores [members * parts] that best checkpoints are kept by, from {name: one, or [members]}."""
    names = [f"{part}/{experiment.watch}" for part in experiment.parts] or [experiment.watch]
    return np.stack([np.atleast_1d(scores[name]) for name in names], axis=-1).ravel()


def best_steps(
    checkpoints: Checkpoints, members: int, parts: Sequence[str], fallen: Container[tuple[int, str]], last: int
) -> list[list[int]]:
    """Return the best step of each member's parts, [members][parts], or [members][1] without parts.

    fallen: the (member, part) that diverged: they are met as they ended, at the last step.
    """
    names = parts or ("",)

    def one(member: int, number: int) -> int:
        best = None if (member, names[number]) in fallen else checkpoints.best(member * len(names) + number)
        return best or last

    return [[one(member, number) for number in range(len(names))] for member in range(members)]


def states_at(
    best: Sequence[Sequence[int]], parts: Sequence[str], restore: Callable[[int], Sequence[TrainState]]
) -> list[TrainState]:
    """Return each member's state, every part of it as it was at its own step.

    best: see `best_steps`. restore: step -> each member's state then.
    """
    found: dict[tuple[int, int], TrainState] = {}
    for step in sorted({step for steps in best for step in steps}):
        for member, state in enumerate(restore(step)):
            for number, own in enumerate(best[member]):
                if own == step:
                    found[member, number] = alone(parts[number], state) if parts else state
    if not parts:
        return [found[member, 0] for member in range(len(best))]
    return [joined({part: found[member, number] for number, part in enumerate(parts)}) for member in range(len(best))]


def told_steps(best: Sequence[Sequence[int]], parts: Sequence[str], many: bool) -> Any:
    """Return these steps as result.json tells them: of one, of each member, or {part: either}."""
    columns = [list(steps) if many else steps[0] for steps in zip(*best, strict=True)]
    return dict(zip(parts, columns, strict=True)) if parts else columns[0]
