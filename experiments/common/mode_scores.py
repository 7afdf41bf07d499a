"""What a generator is scored by where the modes of its data can be counted."""

from functools import cached_property

import jax
import numpy as np

from experiments.common.keys import fixed_key
from experiments.common.plain import Draw, Plain, to_pixels
from jaxgen.data import Dataset
from jaxgen.data.toys import Toy
from jaxgen.game import TrainState
from jaxgen.metrics.features import Features
from jaxgen.metrics.modes import LabelModes, label_modes, mixture_modes, stacked_labels
from jaxgen.run.experiment import Progress, Result
from jaxgen.run.features import FeatureNetwork, check_classes, feature_network

WATCHED = 2000  # generated examples of the scores during a run


class MixtureScores:
    """Scores on a mixture of known modes: what is covered, how well, how evenly."""

    watch, mode = "loss_of_modes", "min"

    def __init__(self, toy: Toy, data: Plain, draw: Draw, samples: int):
        """toy: the mixture. draw: of the generator. samples: of the final scores."""
        self.toy, self.data, self.draw, self.samples = toy, data, draw, samples

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        found = mixture_modes(self.draw(state, fixed_key(), WATCHED), self.toy.centres, self.toy.sigma)
        # What the samples of high quality tell of the modes, and what the others do not tell: both in nats.
        lost = found.reverse_kl - np.log(found.high_quality) if found.high_quality else np.inf
        return {
            "loss_of_modes": min(lost, 99.0),
            "modes": found.covered,
            "high_quality": 100 * found.high_quality,
            "reverse_kl": found.reverse_kl if found.high_quality else np.log(found.modes),
        }

    def finish(self, state: TrainState, progress: Progress) -> Result:
        """Return the final scores, beside those of the test set."""
        progress("counting modes")
        found, real = (
            mixture_modes(x, self.toy.centres, self.toy.sigma)
            for x in (self.draw(state, jax.random.key(1), self.samples), self.data.some("test", self.samples))
        )

        def table(one):
            kl = one.reverse_kl if one.high_quality else np.log(one.modes)
            return {"modes": one.covered, "high quality": 100 * one.high_quality, "reverse KL": kl}

        return Result(
            scores=table(found),
            baselines=table(real),
            units={"modes": f"of {found.modes}", "high quality": "%", "reverse KL": "nats"},
            better={"modes": "higher", "high quality": "higher", "reverse KL": "lower"},
            protocol=f"{found.samples} samples. High quality: within 3 deviations of the nearest centre; a mode with "
            "one such sample is covered; reverse KL of those samples' modes to equal ones. The baseline is of "
            f"{real.samples} test examples. The checkpoint is the one with the least reverse KL - log(high quality) of "
            f"{WATCHED} samples.",
        )


class StackedScores:
    """Scores on stacked images: how many combinations of classes a classifier of the single images sees, how evenly."""

    watch, mode = "reverse_kl", "min"

    def __init__(self, data: Plain, base: Dataset, draw: Draw, samples: int):
        """base: the set of single images. samples: of the final scores."""
        self.data, self.draw, self.samples = data, draw, samples
        self.base, self.classes = base, check_classes(base, every=True)

    @cached_property
    def network(self) -> FeatureNetwork:
        """The classifier, which learns when it is first asked: at the first evaluation."""
        return feature_network(self.base)

    @cached_property
    def logits(self) -> Features:
        """What it says."""
        return Features("logits", jax.jit(self.network.logits))

    def modes(self, x: np.ndarray) -> LabelModes:
        """Return what modes are among x [N, H, W, 3] in [-1, 1]."""
        images = np.moveaxis(to_pixels(np.nan_to_num(x)), -1, 1).reshape(-1, *x.shape[1:3], 1)
        labels = self.logits.of(images).argmax(-1).reshape(-1, x.shape[-1])
        return label_modes(stacked_labels(labels, classes=self.classes), self.classes ** x.shape[-1])

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        found = self.modes(self.draw(state, fixed_key(), WATCHED))
        return {"modes": found.covered, "reverse_kl": found.reverse_kl}

    def finish(self, state: TrainState, progress: Progress) -> Result:
        """Return the final scores, beside those of as many training examples."""
        progress("counting modes")
        x = self.draw(state, jax.random.key(1), self.samples)
        found, real = self.modes(x), self.modes(self.data.some("train", self.samples))
        return Result(
            scores={"modes": found.covered, "reverse KL": found.reverse_kl},
            baselines={"modes": real.covered, "reverse KL": real.reverse_kl},
            units={"modes": f"of {found.modes}", "reverse KL": "nats"},
            better={"modes": "higher", "reverse KL": "lower"},
            protocol=f"{found.samples} samples; each channel is classified by a network of "
            f"{100 * self.network.accuracy:.1f} % test accuracy, trained on single training images; reverse KL to "
            f"equal modes. The baseline is {real.samples} training examples in the place of samples. The checkpoint is "
            f"the one of the least reverse KL of {WATCHED} samples.",
        )
