"""Data as a generator makes them, and drawing from one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from experiments.common.autoencoders import Scaled
from experiments.common.gan_config import GANConfig
from experiments.common.mirror import check_flip
from jaxgen.game import TrainState
from jaxgen.metrics.batched import over
from jaxgen.models.gan import GAN
from jaxgen.run.data import open_data

Array = jax.Array
CHUNK = 500  # examples generated at once

Draw = Callable[..., np.ndarray]
"""(state, key, number, first=0) -> x [number, ...], the examples `first`, `first` + 1, ... of a longer row.

Which example one is says its condition, where examples have one: never how many are drawn at once.
"""


class Plain(Scaled):
    """A data set as a GAN sees it: images scaled to [-1, 1], other data as they are."""

    def see(self, batch: Mapping[str, Any]) -> Array:
        """Return x [B, ...] of a batch."""
        x = super().see(batch)
        return 2 * x - 1 if self.images else x


def open_plain(config: GANConfig) -> Plain:
    """Return the data of a run. Raises ValueError for options that do not fit them."""
    data = Plain(open_data(config))
    check_flip(config.flip, data.data)
    return data


def to_pixels(x: np.ndarray) -> np.ndarray:
    """Return images in [0, 1] of x in [-1, 1]."""
    return np.clip((np.asarray(x) + 1) / 2, 0, 1)


def generated_by(state: TrainState) -> Mapping[str, Any]:
    """Return the parameters to generate with: the generator's average where there is one."""
    return {**state.params, **{name: state.ema[name] for name in state.ema}}


def drawer(gan: GAN, given: Callable[[np.ndarray], Array] | None = None) -> Draw:
    """Return (state, key, number) -> examples. given: numbers of examples -> their conditions [B, K]."""

    @jax.jit
    def one(params, extra, key, index):
        z = gan.prior(key, len(index))
        return gan.generate(params, extra, z, None if given is None else given(index))

    def draw(state, key, number, first=0):
        params, part = generated_by(state), {"example": np.arange(first, first + number, dtype=np.int32)}
        return over(lambda key, batch: one(params, state.extra, key, batch["example"]), key, part, batch_size=CHUNK)

    return draw
