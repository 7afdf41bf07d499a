"""What the experiments of autoencoders have in common: the data as they see them, output kinds, codes, probes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from experiments.common.keys import fixed_key
from jaxgen.data import Dataset, preprocess
from jaxgen.data.lazy import size, take_rows
from jaxgen.losses.reconstruction import cross_entropy, squared_error
from jaxgen.metrics.batched import over
from jaxgen.metrics.probe import linear_probe
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Common, Progress

Array = jax.Array
ACTIVATIONS = {"relu": nn.relu, "silu": nn.silu, "tanh": nn.tanh, "sigmoid": nn.sigmoid}
HELD = 50_000_000  # numbers of x that are held in float64 at once, for PCA and probes
PROBED = 10_000  # training codes that a probe is fitted to, at most


class Output(NamedTuple):
    """What a decoder's output means: its error against x, (x, output) -> [B], and x itself."""

    error: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]


OUTPUTS = {"squared": Output(squared_error, lambda output: output), "cross-entropy": Output(cross_entropy, nn.sigmoid)}


@dataclass(frozen=True)
class Scaled:
    """A data set as an autoencoder sees it: images scaled to [0, 1], other data as they are."""

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
        return preprocess.scale(batch["image"], levels=self.data.levels) if self.images else batch["x"]

    def some(self, part: str, most: int) -> np.ndarray:
        """Return x [N, ...] of up to `most` examples of a part, evenly over it."""
        return np.asarray(jax.jit(self.see)(self.rows(part, most)))

    def rows(self, part: str, most: int) -> dict[str, np.ndarray]:
        """Return up to `most` examples of a part, evenly over it."""
        rows = getattr(self.data, part)
        return take_rows(rows, np.linspace(0, size(rows) - 1, min(size(rows), max(1, most))).astype(np.int32))

    def held(self) -> int:
        """Return how many examples can be held at once."""
        return HELD // math.prod(self.shape)


def open_scaled(config: Common, loss: str) -> Scaled:
    """Return the data of a run. Raises ValueError for a loss that does not fit them."""
    scaled = Scaled(open_data(config))
    if loss == "cross-entropy" and not scaled.images:
        raise ValueError(f"--loss cross-entropy needs images, {config.data} is real-valued")
    return scaled


def check_widths(config: Any, *names: str) -> None:
    """Raise ValueError where one of these options is not of at least 1 everywhere."""
    for name in names:
        came = getattr(config, name)
        if any(width < 1 for width in np.ravel(came)):
            raise ValueError(f"--{name} must be at least 1, got {' '.join(str(width) for width in np.ravel(came))}")


def check_range(config: Any, name: str, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Raise ValueError unless low <= option < high; with `above`, low < option."""
    came = getattr(config, name)
    if not (low < came if above else low <= came) or not came < high:
        least = f"{'above' if above else 'at least'} {low:g}"
        most = f"below {high:g}" if high < math.inf else "finite"
        raise ValueError(f"--{name.replace('_', '-')} must be {least} and {most}, got {came}")


def probed(scaled: Scaled, encoders: Mapping[str, Callable[[Array], Array]], progress: Progress) -> dict[str, float]:
    """Return {name: accuracy in %} of linear probes on the codes of these encoders, x [B, ...] -> [B, ...].

    An encoder is a `jax.tree_util.Partial` of its parameters, so that they are no constants of the compiled code.
    Fitted to training examples, at most `PROBED`, and scored on all test examples; without labels there is nothing
    to score, and no entry.
    """
    data = scaled.data
    if "label" not in data.train:
        return {}
    train = scaled.rows("train", min(PROBED, scaled.held()))
    if len(np.unique(train["label"])) < 2:
        return {}
    labels = over(lambda _, batch: batch["label"], fixed_key(), data.test, batch_size=1000)
    encoded = jax.jit(lambda encode, key, batch: encode(scaled.see(batch)))
    accuracy = {}
    for name, encode in encoders.items():
        progress(f"probing {name}")
        parts = [over(partial(encoded, encode), fixed_key(), part, batch_size=1000) for part in (train, data.test)]
        accuracy[name] = 100 * linear_probe(parts[0], train["label"], parts[1], labels)
    return accuracy
