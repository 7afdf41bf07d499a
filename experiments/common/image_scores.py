"""What a generator of images is scored by: distances of sets of features, fidelity and variety."""

from functools import cached_property

import jax
import numpy as np

from experiments.common.keys import fixed_key
from experiments.common.plain import Draw, Plain, to_pixels
from jaxgen.data.lazy import size as size_of
from jaxgen.game import TrainState
from jaxgen.metrics.features import PIXELS, Features
from jaxgen.metrics.frechet import Moments, check_number, fid
from jaxgen.metrics.inception_score import inception_score_of_logits
from jaxgen.metrics.kernel_distance import kernel_distance
from jaxgen.metrics.neighbours import neighbours
from jaxgen.run.experiment import Progress, Result
from jaxgen.run.features import WIDTH, FeatureNetwork, check_classes, feature_network
from jaxgen.run.named import named

WATCHED = 2000  # generated examples of the scores during a run
NEAR = 2000  # of each set, for precision and recall
REAL = 10_000  # validation images, at most


class ImageScores:
    """Distances to a set of images, in features; a classifier of them learns at the first evaluation."""

    watch, mode = "fid", "min"

    def __init__(self, data: Plain, draw: Draw, kind: str, samples: int):
        """kind: "classifier", "pixels" or module:function. samples: of the final scores.

        Raises ValueError for features that do not fit the data, or more of them than samples or validation images.
        """
        self.data, self.draw, self.kind = data, draw, kind
        self.classifies = kind == "classifier"
        if self.classifies:
            check_classes(data.data)
        size = WIDTH if self.classifies else len(self.of_validation.mean)
        check_number(min(REAL, size_of(data.data.validation)), size, what="validation")
        check_number(samples, size, what="generated")
        self.watched = max(WATCHED, size)

    @cached_property
    def network(self) -> FeatureNetwork:
        """The classifier, where it gives the features."""
        return feature_network(self.data.data)

    @cached_property
    def logits(self) -> Features:
        """What the classifier says."""
        return Features("logits", jax.jit(self.network.logits))

    @cached_property
    def features(self) -> Features:
        """Where sets are compared."""
        if self.classifies:
            apply = self.network.apply
            return Features(self.kind, jax.jit(lambda images: apply(images)[-1]))
        return Features(self.kind, named("--features", self.kind, {"pixels": PIXELS.apply}))

    @cached_property
    def of_validation(self) -> Moments:
        """The moments of the validation images."""
        return moments(self.features.of(to_pixels(self.data.some("validation", REAL))))

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, fixed_key(), self.watched)
        if not np.isfinite(x).all():
            return {"fid": np.inf}
        return {"fid": fid(moments(self.features.of(to_pixels(x))), self.of_validation).distance}

    def finish(self, state: TrainState, samples: int, progress: Progress) -> Result:
        """Return the final scores, beside those of as many training images."""
        progress("drawing")
        sets = {
            "model": to_pixels(self.draw(state, jax.random.key(1), samples)),
            "train": to_pixels(self.data.some("train", samples)),
            "test": to_pixels(self.data.some("test", samples)),
        }
        progress("features")
        found = {name: self.features.of(images) for name, images in sets.items()}
        tables = {}
        for name in ("model", "train"):
            progress(f"distances of {name}")
            tables[name] = distances(found[name], found["test"])
        units = dict.fromkeys(("precision", "recall", "coverage"), "%")
        better = dict.fromkeys(("precision", "recall", "density", "coverage", "Inception score"), "higher")
        if self.classifies:
            for name in ("model", "train"):
                # Samples may come class by class in turn, which splits would fall in step with.
                logits = np.random.default_rng(0).permutation(self.logits.of(sets[name]))
                tables[name]["Inception score"] = inception_score_of_logits(logits, splits=10).mean
        told = "that are the pixels" if self.kind == "pixels" else f"of {self.kind}"
        if self.classifies:
            accuracy = f"{100 * self.network.accuracy:.1f} %"
            told = f"of a classifier of {accuracy} test accuracy, trained on this training set"
        return Result(
            scores=tables["model"],
            baselines=tables["train"],
            units=units,
            better={name: better.get(name, "lower") for name in tables["model"]},
            protocol=f"{len(sets['model'])} samples against {len(sets['test'])} test images, in "
            f"{found['test'].shape[1]} features {told}; KID over 10 blocks; precision, "
            "recall, density and coverage with k = 5 "
            f"of at most {NEAR} images each. The baseline, the floor, is {len(sets['train'])} training images in the "
            f"place of samples. The checkpoint has the least FID of {self.watched} samples to validation images.",
        )


def distances(features: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Return every score of features [N, F] against real ones [M, F]."""
    near = neighbours(features[:NEAR], real[:NEAR], k=min(5, len(real) - 1))
    kid = kernel_distance(features, real, seed=0, splits=min(10, len(real) // 2))
    return {
        "FID": fid(moments(features), moments(real)).distance,
        "KID": kid.distance,
        "precision": 100 * near.precision,
        "recall": 100 * near.recall,
        "density": near.density,
        "coverage": 100 * near.coverage,
    }


def moments(features: np.ndarray) -> Moments:
    """Return the moments of features [N, F]."""
    return Moments.empty(features.shape[1]).update(features)
