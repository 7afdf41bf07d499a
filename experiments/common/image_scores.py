"""What a generator of images is scored by: distances of sets of features, fidelity and variety."""

from functools import cached_property
from typing import NamedTuple

import jax
import numpy as np

from experiments.common.image_features import ImageFeatures
from experiments.common.keys import fixed_key
from experiments.common.plain import Draw, Plain, to_pixels
from jaxgen.data.lazy import size as size_of
from jaxgen.game import TrainState
from jaxgen.metrics.frechet import FID, Moments, check_number, fid
from jaxgen.metrics.inception_score import InceptionScore, inception_score
from jaxgen.metrics.kernel_distance import KID, kernel_distance
from jaxgen.metrics.neighbours import Neighbours, neighbours
from jaxgen.run.experiment import Progress, Result

WATCHED = 2000  # generated examples of the scores during a run
PIECE = 2000  # images that are held at once
NEAR = 2000  # of each set, for precision and recall
REAL = 10_000  # validation images, at most
PERCENT = ("precision", "recall", "coverage")
HIGHER = (*PERCENT, "density", "Inception score")


class Seen(NamedTuple):
    """A set of images as it is compared: features [N, F], their moments, p(class | image) [N, K] where asked for."""

    features: np.ndarray
    moments: Moments
    probabilities: np.ndarray | None


class Distances(NamedTuple):
    """Every score of a set against another, as its metric tells it, with its own numbers."""

    fid: FID
    kid: KID
    near: Neighbours
    inception: InceptionScore | None

    def table(self) -> dict[str, float]:
        """Return the scores by name."""
        table = {"FID": self.fid.distance, "KID": self.kid.distance}
        table |= {name: 100 * getattr(self.near, name) for name in PERCENT} | {"density": self.near.density}
        return table | ({"Inception score": self.inception.mean} if self.inception else {})


class ImageScores:
    """Distances to a set of images, in features."""

    watch, mode = "fid", "min"

    def __init__(self, data: Plain, draw: Draw, kind: str, samples: int):
        """kind: as `ImageFeatures` has it. samples: of the final scores; never more than training images.

        Raises ValueError for features that do not fit the data, or more of them than samples or images.
        """
        self.data, self.draw = data, draw
        sizes = {part: min(REAL, size_of(getattr(data.data, part))) for part in ("train", "validation", "test")}
        # FID is biased upwards, the more of the fewer: samples and the floor are as many.
        self.asked, self.samples = samples, min(samples, size_of(data.data.train))
        self.space = ImageFeatures(data, kind, min(samples, *sizes.values()))
        for what, number in {"generated": samples, **sizes}.items():
            check_number(number, self.space.size, what=what)
        self.watched = max(WATCHED, self.space.size)

    @cached_property
    def of_validation(self) -> Moments:
        """The moments of the validation images."""
        return self.see([to_pixels(self.data.some("validation", REAL))]).moments

    @cached_property
    def of_test(self) -> Seen:
        """The test images, as many as samples are asked for at most."""
        return self.see([to_pixels(self.data.some("test", self.asked))])

    @cached_property
    def floor(self) -> Distances:
        """The scores of training images in the place of samples."""
        return distances(self.see([to_pixels(self.data.some("train", self.samples))], classes=True), self.of_test)

    def see(self, pieces, *, classes: bool = False) -> Seen:
        """Return what is compared of images, which come in pieces [N, H, W, C] in [0, 1] and are not kept."""
        features, probabilities, moments = [], [], Moments.empty(self.space.size)
        for images in pieces:
            features.append(self.space.features.of(images))
            moments = moments.update(features[-1])
            if classes and self.space.probabilities:
                probabilities.append(self.space.probabilities.of(images))
        return Seen(np.concatenate(features), moments, np.concatenate(probabilities) if probabilities else None)

    def pieces(self, state: TrainState, number: int):
        """Yield generated images, `number` in all."""
        for start in range(0, number, PIECE):
            key = jax.random.fold_in(jax.random.key(1), start)
            yield to_pixels(self.draw(state, key, min(PIECE, number - start), start))

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the scores of an evaluation."""
        x = self.draw(state, fixed_key(), self.watched)
        if not np.isfinite(x).all():
            return {"fid": np.inf}
        moments = Moments.empty(self.space.size).update(self.space.features.of(to_pixels(x)))
        return {"fid": fid(moments, self.of_validation).distance}

    def finish(self, state: TrainState, progress: Progress) -> Result:
        """Return the final scores, beside those of as many training images."""
        progress("features of samples")
        model = self.see(self.pieces(state, self.samples), classes=True)
        progress("distances of samples")
        found = distances(model, self.of_test)
        progress("distances of training images")
        floor = self.floor
        scores = found.table()
        return Result(
            scores=scores,
            baselines=floor.table(),
            units=dict.fromkeys(PERCENT, "%"),
            better={name: "higher" if name in HIGHER else "lower" for name in scores},
            protocol=f"{told(found)} In {found.fid.size} {self.space.told}. The baseline, the floor, is "
            f"{floor.fid.samples} training images in the place of samples (KID +- {floor.kid.error:.2g}). The "
            f"checkpoint has the least FID of {self.watched} samples to {self.of_validation.number} validation images.",
        )


def distances(seen: Seen, real: Seen) -> Distances:
    """Return every score of a set against a real one."""
    near = min(NEAR, len(seen.features), len(real.features))
    inception = None
    if seen.probabilities is not None:
        # Samples may come class by class in turn, which splits would fall in step with.
        shuffled = np.random.default_rng(0).permutation(seen.probabilities)
        inception = inception_score(shuffled, splits=min(10, len(shuffled)))
    return Distances(
        fid(seen.moments, real.moments),
        kernel_distance(
            seen.features, real.features, seed=0, splits=min(10, len(seen.features) // 2, len(real.features) // 2)
        ),
        neighbours(seen.features[:near], real.features[:near], k=min(5, near - 1)),
        inception,
    )


def told(found: Distances) -> str:
    """Say of how many examples and splits the scores are."""
    text = (
        f"{found.fid.samples} samples against {found.fid.reference} test images; KID over {found.kid.splits} blocks, "
        f"+- {found.kid.error:.2g}; precision, recall, density and coverage of {found.near.samples} against "
        f"{found.near.reference}, with k = {found.near.k}"
    )
    if found.inception:
        text += f"; Inception score over {found.inception.splits} splits, +- {found.inception.deviation:.2g}"
    return f"{text}."
