"""Data as a generator makes them, and drawing from one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.autoencoders import Scaled
from experiments.common.gan_config import GANConfig
from experiments.common.keys import fixed_key
from experiments.common.mirror import check_flip
from jaxgen.game import TrainState
from jaxgen.games.gan import G
from jaxgen.metrics.batched import over
from jaxgen.models.gan import GAN, learn
from jaxgen.run.data import open_data

Array = jax.Array
CHUNK = 500  # examples generated at once
STANDING, BATCHES = 64, 40  # examples of each batch that standing statistics follow, and how many batches they follow

Given = Callable[[Array], Array]  # numbers of examples [B] -> their conditions [B, K]
Generating = Callable[[TrainState], tuple[Mapping[str, Any], Mapping[str, Any]]]
"""state -> (params, extra) to generate with: the generator's average where there is one."""
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


def generating(gan: GAN, given: Given | None = None) -> Generating:
    """Return what an experiment's generator generates with. given: numbers of examples -> their conditions [B, K].

    The running statistics of training are of weights that moved on. Those of an average's weights are others: they are
    measured anew, from the prior (the "standing statistics" of Brock et al. 2019, section 3.2).
    """

    @jax.jit
    def standing(params, extra):
        def follow(extra, key):
            own = None if given is None else given(jnp.arange(STANDING))
            return learn(gan.generator, params[G], extra, gan.prior(key, STANDING), own)[1], None

        return jax.lax.scan(follow, extra, jax.random.split(fixed_key(), BATCHES))[0]

    def both(state):
        params, extra = generated_by(state), state.extra
        if G not in state.ema or "batch_stats" not in extra[G]:
            return params, extra
        return params, {**extra, G: standing(params, extra[G])}

    return both


def drawer(gan: GAN, given: Given | None = None, with_: Generating | None = None) -> Draw:
    """Return (state, key, number) -> examples. given: as `generating` takes it. with_: what that has returned."""
    both = with_ or generating(gan, given)

    @jax.jit
    def one(params, extra, key, index):
        z = gan.prior(key, len(index))
        return gan.generate(params, extra, z, None if given is None else given(index))

    def draw(state, key, number, first=0):
        (params, extra), part = both(state), {"example": np.arange(first, first + number, dtype=np.int32)}
        return over(lambda key, batch: one(params, extra, key, batch["example"]), key, part, batch_size=CHUNK)

    return draw
