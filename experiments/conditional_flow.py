"""Conditional flow: Winkler et al. 2019, "Learning likelihoods with conditional normalizing flows"; Glow's networks.

python -m experiments.conditional_flow
    digits (8x8) by class: 1.99 bits a dimension, 97.2 % of test images likeliest under their own class, 46 seconds
    on two cores
python -m experiments.conditional_flow --condition coarse
    digits by their own quarter of the pixels: what a picture may have been
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from experiments import glow
from experiments.common import flows
from experiments.common.flow_scores import Condition, Scores
from experiments.common.keys import fixed_key
from experiments.common.plain import generated_by
from jaxgen.data import Dataset, preprocess
from jaxgen.game import TrainState
from jaxgen.metrics.batched import over
from jaxgen.run.cli import main
from jaxgen.run.data import first
from jaxgen.run.experiment import Experiment, Progress

Array = jax.Array


@dataclass(frozen=True)
class Config(glow.Config):
    """Options of the conditional flow."""

    steps: int = 400
    """training steps of the whole run"""
    condition: Literal["label", "coarse"] = "label"
    """what is given: the class, or the image at half its height and width"""


def by_label(data: Dataset) -> Condition:
    """Return the class as the condition, one-hot [B, K]. Raises ValueError for data without classes."""
    if data.classes is None:
        raise ValueError(f"--condition label needs labelled images, {data.name} has none")
    classes = len(data.classes)

    def of(batch: Mapping[str, Any]) -> Array:
        return jax.nn.one_hot(batch["label"], classes)

    def accuracy(scores: Scores, state: TrainState, progress: Progress) -> dict[str, float]:
        @jax.jit
        def log_probs(params, key, batch):  # [B, K], of every class, on the same noise
            def of_class(label):
                every = {**batch, "label": jnp.full_like(batch["label"], label)}
                return scores.log_probs(params, scores.config.bound_samples, "test", key, every)

            return jax.lax.map(of_class, jnp.arange(classes)).T

        progress("classifying")
        rows = over(partial(log_probs, generated_by(state)), fixed_key(), scores.seen.data.test, batch_size=500)
        return {"classified by density": 100 * (rows.argmax(1) == np.asarray(scores.seen.data.test["label"])).mean()}

    told = "; given the class. Classified by density: the class under which a test image is likeliest, of even odds"
    return Condition(of, of({"label": np.repeat(np.arange(classes), 8)}), accuracy, told)


def by_coarse(data: Dataset) -> Condition:
    """Return the mean of each 2x2 square as the condition [B, H/2, W/2, C]."""
    if data.levels is None or any(side % 2 for side in data.train["image"].shape[1:3]):
        shape = data.train["x" if data.levels is None else "image"].shape[1:]
        raise ValueError(f"--condition coarse needs images of even height and width, {data.name} has {shape}")

    def of(batch: Mapping[str, Any]) -> Array:
        x = preprocess.scale(batch["image"], levels=data.levels)
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))

    shown = jnp.repeat(of(first(data.validation, 8)), 8, axis=0)  # a row each: eight answers to one question
    return Condition(of, shown, told="; given the image at half its height and width")


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, glow.make, condition={"label": by_label, "coarse": by_coarse}[config.condition])


if __name__ == "__main__":
    main("conditional_flow", Config, build, __doc__)
