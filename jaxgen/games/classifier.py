"""A classifier as a game of one player."""

from collections.abc import Mapping
from typing import Any

import jax
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.classification import error, softmax_cross_entropy
from jaxgen.models.classifier import Classifier


def classifier_game(
    classifier: Classifier, tx: optax.GradientTransformation, *, start: Mapping[str, Any] | None = None
) -> Game:
    """Return the game of a classifier on batches with "x" [B, ...] and "label" [B].

    start: parameters of "body", "head" or both that training starts from, such as a pretrained encoder's.
    """

    def init(key: jax.Array, batch: Mapping[str, Any]):
        return {**classifier.init(key, batch["x"]), **(start or {})}, {}

    def loss(params, state, batch, key):
        logits = classifier.logits(params, batch["x"])
        metrics = {"classifier/error": error(batch["label"], logits).mean()}
        return {"classifier": softmax_cross_entropy(batch["label"], logits).mean()}, Aux({}, metrics)

    return Game(init, {"classifier": Player(("body", "head"), tx)}, (Phase(("classifier",), loss),))
