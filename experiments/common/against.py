"""Scores of one method against another's, over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.run import seeds
from jaxgen.run.experiment import Result


def summarise_against(others: Mapping[str, str], results: Sequence[Result]) -> Result:
    """Return the scores over seeds; the baseline of each named score is the mean of the other score. {score: other}."""
    means = {name: float(np.mean([result.scores[other] for result in results])) for name, other in others.items()}
    summed = seeds.summarise(results)
    return summed._replace(baselines={**summed.baselines, **means})
