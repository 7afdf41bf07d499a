"""What a model with a likelihood sees of a data set, and what a trivial model makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data import Dataset, preprocess
from jaxgen.metrics.baselines import factorised_bernoulli, factorised_categorical, factorised_gaussian
from jaxgen.metrics.batched import over
from jaxgen.run.data import first

Likelihood = Literal["bernoulli", "gaussian", "logistic"]
Binarise = Literal["dynamic", "static", "threshold"]

SEEDS = {"train": 0, "validation": 1, "test": 2}  # of draws made once: they name the binarised sets
MOST = 20_000  # training examples that a baseline is fitted to


@dataclass(frozen=True)
class View:
    """A data set as the likelihood wants it: binary, real-valued (dequantised), or intensities in [0, 1].

    Raises ValueError for a likelihood that does not fit the data.
    """

    data: Dataset
    likelihood: Likelihood
    binarise: Binarise

    def __post_init__(self) -> None:
        if self.likelihood != "gaussian" and self.data.levels is None:
            raise ValueError(f"--likelihood {self.likelihood} needs images, {self.data.name} is real-valued")

    @property
    def key(self) -> str:
        """The name of the array that is looked at."""
        return "x" if self.data.levels is None else "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.data.train[self.key].shape[1:])

    def see(self, part: str, key: jax.Array, batch: Any) -> jax.Array:
        """Return what the model sees of a batch, x [B, ...].

        Training draws anew from `key`; what validation and test sets look like depends on each example's index alone.
        """
        data, levels = self.data, self.data.levels
        if levels is None:
            return batch["x"]
        image = batch["image"]
        if self.likelihood == "logistic":
            return preprocess.scale(image, levels=levels)
        if self.likelihood == "gaussian" and part == "train":
            return preprocess.dequantise(key, image, levels=levels)
        if self.likelihood == "gaussian":
            keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(SEEDS[part]), i))(batch["index"])
            return jax.vmap(lambda k, one: preprocess.dequantise(k, one[None], levels=levels)[0])(keys, image)
        if self.binarise == "threshold":
            return preprocess.threshold(image, levels=data.levels)
        if self.binarise == "static" or part != "train":
            return preprocess.binarise_fixed(batch["index"], image, levels=levels, seed=SEEDS[part])
        return preprocess.binarise(key, image, levels=levels)

    def batch(self, part: str, key: jax.Array, batch: Any) -> dict[str, jax.Array]:
        """Return a batch for a game: "x" as seen, and the "label" where there is one."""
        return {"x": self.see(part, key, batch), **({"label": batch["label"]} if "label" in batch else {})}

    def some(self, part: str, count: int) -> dict[str, jax.Array]:
        """Return the first `count` examples of a part, as seen."""
        return jax.jit(partial(self.batch, part))(jax.random.key(0), first(getattr(self.data, part), count))

    def trivial(self, train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return x -> log p(x) of independent dimensions, fitted to train as seen."""
        if self.likelihood == "logistic":
            return factorised_categorical(train, levels=self.data.levels)
        return (factorised_gaussian if self.likelihood == "gaussian" else factorised_bernoulli)(train)

    def baseline(self) -> float:
        """Return the mean test -log p, in nats, of independent dimensions fitted to the training set."""
        data = self.data
        if self.likelihood == "bernoulli" and self.binarise != "threshold":  # the expectation, with less noise
            train = preprocess.scale(jnp.asarray(first(data.train, MOST)["image"]), levels=data.levels)
        else:
            train = self.some("train", MOST)["x"]
        log_density = self.trivial(train)
        see = jax.jit(partial(self.see, "test"))
        rows = over(lambda k, b: log_density(np.asarray(see(k, b))), jax.random.key(0), data.test, batch_size=1000)
        return -rows.mean()

    def protocol(self) -> str:
        """Say what was scored."""
        if self.data.levels is None:
            seen = "Real-valued data as they are"
        elif self.likelihood == "gaussian":
            seen = "Images dequantised uniformly to (0, 1), densities there"
        elif self.likelihood == "logistic":
            seen = f"Probabilities of the {self.data.levels} intensities of every pixel"
        elif self.binarise == "threshold":
            seen = "Binary images, cut at one half"
        else:
            seen = f"Binary images, {self.binarise} in training; one fixed seeded draw of the test set"
        return f"{self.data.source}. {seen}."


def view(data: Dataset, likelihood: Likelihood | None, binarise: Binarise) -> View:
    """Return the view; without a likelihood: Bernoulli for grey images, else Gaussian."""
    grey = data.levels is not None and data.train["image"].shape[-1] == 1
    return View(data, likelihood or ("bernoulli" if grey else "gaussian"), binarise)
