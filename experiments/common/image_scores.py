"""What a generator of images is scored by: distances of sets of features, fidelity and variety."""

import jax
import numpy as np

from experiments.common.plain import Draw, Plain, to_pixels
from jaxgen.game import TrainState
from jaxgen.metrics.features import PIXELS, Features
from jaxgen.metrics.frechet import Moments, check_number, fid
from jaxgen.metrics.inception_score import inception_score_of_logits
from jaxgen.metrics.kernel_distance import kernel_distance
from jaxgen.metrics.neighbours import neighbours
from jaxgen.run.experiment import Progress, Result
from jaxgen.run.features import FeatureNetwork, feature_network
from jaxgen.run.named import named

KEY = jax.random.key(0)
WATCHED = 2000  # generated examples of the scores during a run
NEAR = 2000  # of each set, for precision and recall


class ImageScores:
    """Distances to a set of images, in features."""

    watch, mode = "fid", "min"

    def __init__(self, data: Plain, draw: Draw, kind: str, samples: int):
        """kind: "classifier", "pixels" or module:function. samples: of the final scores.

        Raises ValueError for features that do not fit the data, or more of them than samples or validation images.
        """
        self.data, self.draw = data, draw
        self.network: FeatureNetwork | None = None
        if kind == "classifier":
            self.network = feature_network(data.data)
            self.logits = Features("logits", jax.jit(self.network.logits))
            dense = jax.jit(lambda images: self.network.apply(images)[-1])
            told = f"of a classifier of {100 * self.network.accuracy:.1f} % test accuracy, trained on this training set"
            self.features, self.told = Features("classifier", dense), told
        else:
            self.features = Features(kind, named("--features", kind, {"pixels": PIXELS.apply}))
            self.told = "that are the pixels" if kind == "pixels" else f"of {kind}"
        self.of_validation = self._real("validation")
        size = len(self.of_validation.mean)
        check_number(self.of_validation.number, size, what="validation")
        check_number(samples, size, what="generated")
        self.watched = max(WATCHED, size)

    def _real(self, part: str) -> Moments:
        return moments(self.features.of(to_pixels(self.data.some(part, 10_000))))

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, KEY, self.watched)
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
        if self.network is not None:
            for name in ("model", "train"):
                # Samples may come class by class in turn, which splits would fall in step with.
                logits = np.random.default_rng(0).permutation(self.logits.of(sets[name]))
                tables[name]["Inception score"] = inception_score_of_logits(logits, splits=10).mean
        return Result(
            scores=tables["model"],
            baselines=tables["train"],
            units=units,
            better={name: better.get(name, "lower") for name in tables["model"]},
            protocol=f"{len(sets['model'])} samples against {len(sets['test'])} test images, in "
            f"{found['test'].shape[1]} features {self.told}; KID over 10 blocks; precision, "
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
