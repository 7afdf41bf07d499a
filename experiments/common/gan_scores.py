"""What a generator is scored by: modes of mixtures, distances in features of images, the plane otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgen.data import Dataset, preprocess
from jaxgen.data.lazy import size, take_rows
from jaxgen.data.toys import TOYS, Toy
from jaxgen.game import TrainState
from jaxgen.metrics.batched import over
from jaxgen.metrics.features import PIXELS, Features
from jaxgen.metrics.frechet import Moments, check_number, fid
from jaxgen.metrics.inception_score import inception_score_of_logits
from jaxgen.metrics.kernel_distance import kernel_distance
from jaxgen.metrics.modes import mixture_modes
from jaxgen.metrics.neighbours import neighbours
from jaxgen.models.gan import GAN
from jaxgen.run.experiment import Progress, Result
from jaxgen.run.features import FeatureNetwork, feature_network
from jaxgen.run.named import named

Array = jax.Array
KEY = jax.random.key(0)
CHUNK = 500  # examples generated at once
WATCHED = 2000  # generated examples of the scores during a run
NEAR = 2000  # of each set, for precision and recall
Draw = Callable[[TrainState, Array, int], np.ndarray]  # (state, key, number) -> x [number, ...]


@dataclass(frozen=True)
class Plain:
    """A data set as a GAN sees it: images scaled to [-1, 1], other data as they are."""

    data: Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.data.train["x" if self.data.levels is None else "image"].shape[1:])

    @property
    def images(self) -> bool:
        """Whether examples are images [H, W, C]."""
        return self.data.levels is not None

    def see(self, batch: Mapping[str, Any]) -> Array:
        """Return x [B, ...] of a batch."""
        return 2 * preprocess.scale(batch["image"], levels=self.data.levels) - 1 if self.images else batch["x"]

    def rows(self, part: str, most: int) -> dict[str, np.ndarray]:
        """Return up to `most` examples of a part, evenly over it."""
        rows = getattr(self.data, part)
        return take_rows(rows, np.linspace(0, size(rows) - 1, min(size(rows), max(1, most))).astype(np.int32))

    def some(self, part: str, most: int) -> np.ndarray:
        """Return x [N, ...] of up to `most` examples of a part, evenly over it."""
        return np.asarray(self.see(self.rows(part, most)))


def generated_by(state: TrainState) -> Mapping[str, Any]:
    """Return the parameters to generate with: the generator's average where there is one."""
    return {**state.params, **{name: state.ema[name] for name in state.ema}}


def drawer(gan: GAN, given: Callable[[np.ndarray], Array] | None = None) -> Draw:
    """Return (state, key, number) -> examples. given: numbers of examples -> their conditions [B, K]."""

    @jax.jit
    def one(params, extra, key, index):
        z = gan.prior(key, len(index))
        return gan.generate(params, extra, z, None if given is None else given(index))

    def draw(state, key, number):
        params, part = generated_by(state), {"index": np.arange(number, dtype=np.int32)}
        return over(lambda key, batch: one(params, state.extra, key, batch["index"]), key, part, batch_size=CHUNK)

    return draw


def to_pixels(x: np.ndarray) -> np.ndarray:
    """Return images in [0, 1] of x in [-1, 1]."""
    return np.clip((np.asarray(x) + 1) / 2, 0, 1)


class MixtureScores:
    """Scores on a mixture of known modes: what is covered, how well, how evenly."""

    watch, mode = "loss_of_modes", "min"

    def __init__(self, toy: Toy, data: Plain, draw: Draw):
        """toy: the mixture. draw: of the generator."""
        self.toy, self.data, self.draw = toy, data, draw

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        found = mixture_modes(self.draw(state, KEY, WATCHED), self.toy.centres, self.toy.sigma)
        # What the samples of high quality tell of the modes, and what the others do not tell: both in nats.
        lost = found.reverse_kl - np.log(found.high_quality) if found.high_quality else np.inf
        return {
            "loss_of_modes": min(lost, 99.0),
            "modes": found.covered,
            "high_quality": 100 * found.high_quality,
            "reverse_kl": found.reverse_kl if found.high_quality else np.log(found.modes),
        }

    def finish(self, state: TrainState, samples: int, progress: Progress) -> Result:
        """Return the final scores, beside those of the test set."""
        progress("counting modes")
        found, real = (
            mixture_modes(x, self.toy.centres, self.toy.sigma)
            for x in (self.draw(state, jax.random.key(1), samples), self.data.some("test", samples))
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


class ImageScores:
    """Distances to a set of images, in features."""

    watch, mode = "fid", "min"

    def __init__(self, data: Plain, draw: Draw, kind: str):
        """kind: "classifier", "pixels" or module:function. Raises ValueError where it does not fit the data."""
        self.data, self.draw = data, draw
        self.network: FeatureNetwork | None = None
        if kind == "classifier":
            self.network = feature_network(data.data)
            dense = jax.jit(lambda images: self.network.apply(images)[-1])
            told = f"of a classifier of {100 * self.network.accuracy:.1f} % test accuracy, trained on this training set"
            self.features, self.told = Features("classifier", dense), told
        else:
            self.features = Features(kind, named("--features", kind, {"pixels": PIXELS.apply}))
            self.told = "that are the pixels" if kind == "pixels" else f"of {kind}"
        self.of_validation = self._real("validation")
        check_number(self.of_validation.number, len(self.of_validation.mean), what="validation")

    def _real(self, part: str) -> Moments:
        return moments(self.features.of(to_pixels(self.data.some(part, 10_000))))

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, KEY, WATCHED)
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
                logits = Features("logits", jax.jit(self.network.logits)).of(sets[name])
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
            f"place of samples. The checkpoint is the one of the least FID of {WATCHED} samples to the validation set.",
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


class PlaneScores:
    """Scores on points of any other distribution: nearest neighbours, and the kernel distance."""

    watch, mode = "missed", "min"

    def __init__(self, data: Plain, draw: Draw):
        """draw: of the generator."""
        self.data, self.draw = data, draw

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, KEY, NEAR)
        if not np.isfinite(x).all():
            return {"missed": 2.0}
        found = neighbours(x, self.data.some("validation", NEAR))
        return {"missed": 2 - found.precision - found.coverage}

    def finish(self, state: TrainState, samples: int, progress: Progress) -> Result:
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


def scores_of(data: Plain, draw: Draw, features: str | None) -> MixtureScores | ImageScores | PlaneScores:
    """Return what a generator of these data is scored by."""
    toy = TOYS.get(data.data.name)
    if toy is not None and toy.centres is not None:
        return MixtureScores(toy, data, draw)
    if not data.images:
        return PlaneScores(data, draw)
    labelled = "label" in data.data.train
    return ImageScores(data, draw, features or ("classifier" if labelled else "pixels"))
