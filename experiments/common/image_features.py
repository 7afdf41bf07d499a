"""Where sets of images are compared: features, and probabilities of classes where there are any."""

from functools import cached_property

import jax
import jax.numpy as jnp

from experiments.common.plain import Plain, to_pixels
from jaxgen.metrics.features import PIXELS, Features
from jaxgen.metrics.inception import Inception
from jaxgen.run.features import WIDTH, FeatureNetwork, check_classes, feature_network
from jaxgen.run.named import named, tried

INCEPTION = "inception:"


class ImageFeatures:
    """Features of images by the name of their kind; a classifier of the data learns when it is first asked."""

    def __init__(self, data: Plain, kind: str, number: int):
        """Choose by kind: "classifier", "pixels", "shrunk", "inception:FILE" or module:function.

        number: of images in the smallest set, which "shrunk" pixels are never more than.

        Raises ValueError for features that do not fit the data, or an unknown kind.
        """
        self.data, self.kind = data, kind
        self.classifies = kind == "classifier"
        if self.classifies:
            check_classes(data.data)
        height, width, channels = data.shape
        self.side = max(1, min(height, width, int((number / channels) ** 0.5)))
        self.inception = Inception(kind.removeprefix(INCEPTION)) if kind.startswith(INCEPTION) else None
        # What features there are is seen on two images, but for a classifier's, who would have to learn first.
        if self.classifies:
            self.size = WIDTH
        else:
            features, images = self.features, to_pixels(data.some("validation", 2))
            wanted = f"--features {kind} must take images [B, H, W, C] and return features [B, F]"
            self.size = tried(wanted, lambda: features.of(images)).shape[1]

    @cached_property
    def network(self) -> FeatureNetwork:
        """The classifier, where it gives the features."""
        return feature_network(self.data.data)

    @cached_property
    def features(self) -> Features:
        """Where sets are compared."""
        if self.classifies:
            apply = self.network.apply
            return Features(self.kind, jax.jit(lambda images: apply(images)[-1]))
        if self.inception:
            return Features(self.kind, self.inception.features)
        table = {"classifier": feature_network, "pixels": PIXELS.apply, "shrunk": self._shrunk}
        return Features(self.kind, named("--features", self.kind, table))

    @cached_property
    def probabilities(self) -> Features | None:
        """p(class | image) [B, K] where the features come from a classifier."""
        if self.classifies:
            logits = self.network.logits
            return Features("probabilities", jax.jit(lambda images: jax.nn.softmax(logits(images))))
        return Features("probabilities", self.inception.probabilities) if self.inception else None

    @property
    def told(self) -> str:
        """What they are, in words."""
        if self.classifies:
            accuracy = f"{100 * self.network.accuracy:.1f} %"
            return f"features of a classifier of {accuracy} test accuracy, trained on this training set"
        if self.kind == "pixels":
            return "features that are the pixels"
        if self.kind == "shrunk":
            return f"features that are the pixels of images shrunk to {self.side} x {self.side}"
        return f"features of {'the Inception network' if self.inception else self.kind}"

    def _shrunk(self, images: jax.Array) -> jax.Array:
        size = (len(images), self.side, self.side, images.shape[-1])
        return PIXELS.apply(jax.image.resize(jnp.asarray(images), size, "linear"))
