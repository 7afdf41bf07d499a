"""Many trainings at once, as the members of a leading axis: seeds, and the values of a sweep times seeds."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.data.order import Batches
from jaxgen.game import TrainState
from jaxgen.run.experiment import Common, Result


class Members(NamedTuple):
    """What differs between the trainings of a run: the root key of each, and options {name: [members]}."""

    keys: Sequence[jax.Array]
    values: Mapping[str, np.ndarray]

    @property
    def count(self) -> int | None:
        """How many there are; None for one alone, whose arrays have no leading axis."""
        return len(self.keys) if len(self.keys) > 1 or self.values else None


def members(config: Common, grid: Mapping[str, Sequence[float]]) -> Members:
    """Return every seed of a run (for each combination of the grid's values); each has the key it has alone."""
    points = list(itertools.product(*grid.values()))
    keys = [jax.random.key(config.seed + i) for _ in points for i in range(config.seeds)]
    columns = np.repeat(np.array(points, np.float32).reshape(len(points), len(grid)), config.seeds, axis=0)
    return Members(keys, dict(zip(grid, columns.T, strict=True)))


class MemberBatches:
    """The batches of several members, each in its own order: indices [count, members, batch_size]."""

    def __init__(self, keys: Sequence[jax.Array], size: int, batch_size: int):
        """Like `Batches`, for several root keys; equal keys have equal orders."""
        known: dict[bytes, Batches] = {}
        names = [np.asarray(jax.random.key_data(key)).tobytes() for key in keys]
        for name, key in zip(names, keys, strict=True):
            known.setdefault(name, Batches(key, size, batch_size))
        self.each = [known[name] for name in names]

    def position(self, step: int) -> dict[str, int]:
        """Return where in the data a step reads; it is the same place in every member's order."""
        return self.each[0].position(step)

    def indices(self, step: int, count: int) -> np.ndarray:
        """Return the indices [count, members, batch_size], int32."""
        return np.stack([batches.indices(step, count) for batches in self.each], axis=1)


def apart(state: TrainState, count: int) -> list[TrainState]:
    """Return each member's state."""
    return [jax.tree.map(lambda a, i=i: a[i], state) for i in range(count)]


def together(scores: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return {name: [members]} from each member's scores."""
    return {name: np.array([np.asarray(one[name]) for one in scores]) for name in scores[0]}


def summarise(results: Sequence[Result]) -> Result:
    """Return one result: each score with its mean, deviation and seeds; the pictures are the first seed's."""
    if len(results) == 1:
        return results[0]
    scores = {name: spread(values) for name, values in together([result.scores for result in results]).items()}
    protocol = (
        f"{results[0].protocol} Mean and sample standard deviation over {len(results)} seeds, each with its own best "
        "checkpoint."
    )
    return results[0]._replace(scores=scores, protocol=protocol)


def spread(values: np.ndarray) -> dict[str, Any]:
    """Return mean and sample standard deviation of what is not nan, and the values themselves."""
    known = values[~np.isnan(values)]
    return {
        "mean": known.mean() if len(known) else np.nan,
        "std": known.std(ddof=1) if len(known) > 1 else 0.0,
        "seeds": values.tolist(),
    }
