"""What a generator is scored by, by the kind of its data."""

import jax
import numpy as np

from experiments.common.image_scores import ImageScores
from experiments.common.keys import fixed_key
from experiments.common.mode_scores import MixtureScores, StackedScores
from experiments.common.plain import Draw, Plain
from jaxgen.data import load
from jaxgen.data.toys import TOYS
from jaxgen.game import TrainState
from jaxgen.metrics.neighbours import neighbours
from jaxgen.run.experiment import Progress, Result

NEAR = 2000  # examples of each set


class PlaneScores:
    """Scores on points of any other distribution: nearest neighbours, and the kernel distance."""

    watch, mode = "missed", "min"

    def __init__(self, data: Plain, draw: Draw):
        """draw: of the generator."""
        self.data, self.draw = data, draw

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, fixed_key(), NEAR)
        if not np.isfinite(x).all():
            return {"missed": 2.0}
        found = neighbours(x, self.data.some("validation", NEAR))
        return {"missed": 2 - found.precision - found.coverage}

    def finish(self, state: TrainState, progress: Progress) -> Result:
        """Return the final scores, beside those of training points."""
        progress("neighbours")
        real = self.data.some("test", NEAR)
        found, floor = (
            neighbours(x, real) for x in (self.draw(state, jax.random.key(1), NEAR), self.data.some("train", NEAR))
        )

        def table(one):
            names = ("precision", "recall", "coverage")
            return {name: 100 * getattr(one, name) for name in names} | {"density": one.density}

        scores = table(found)
        return Result(
            scores=scores,
            baselines=table(floor),
            units={"precision": "%", "recall": "%", "coverage": "%"},
            better=dict.fromkeys(scores, "higher"),
            protocol=f"{found.samples} samples against {found.reference} test examples, k = 5 nearest neighbours. The "
            "baseline is training examples in the place of samples. The checkpoint is the one of the largest precision "
            "+ coverage against the validation set.",
        )


Scores = MixtureScores | ImageScores | StackedScores | PlaneScores


def scores_of(data: Plain, draw: Draw, features: str | None, samples: int) -> Scores:
    """Return what a generator of these data is scored by. samples: of the final scores, but of those by neighbours.

    Raises ValueError for features of what is not scored by any.
    """
    if features is not None and (not data.images or data.data.name.startswith("stacked:")):
        raise ValueError(f"--features compares images, and {data.data.name} is scored otherwise: got {features}")
    toy = TOYS.get(data.data.name)
    if toy is not None and toy.centres is not None:
        return MixtureScores(toy, data, draw, samples)
    if data.data.name.startswith("stacked:"):
        return StackedScores(data, load(data.data.name.removeprefix("stacked:")), draw, samples)
    if not data.images:
        return PlaneScores(data, draw)
    labelled = "label" in data.data.train
    return ImageScores(data, draw, features or ("classifier" if labelled else "shrunk"), samples)
