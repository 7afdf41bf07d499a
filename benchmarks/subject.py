"""What is measured: a game, the data it trains on, how samples are drawn, and where its peers are."""

import difflib
import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks.peers.peer import VECTORS
from jaxgen.game import Game
from jaxgen.step import Prepare, TrainState


class Subject(NamedTuple):
    """A training step to measure.

    game, prepare: as an experiment has them. data: arrays [examples, ...], to rest on the device.
    peers: by library, the module of `benchmarks.peers` with the same step; the name is what must be installed.
    kinds: in which they can be run (`benchmarks.peers.peer`). draw: (state, key) -> a batch of samples, as
    trained models make them; None where the samples are another subject's.
    """

    game: Game
    data: Mapping[str, np.ndarray]
    batch_size: int
    prepare: Prepare | None = None
    peers: Mapping[str, str] = MappingProxyType({})
    kinds: tuple[str, ...] = VECTORS
    draw: Callable[[TrainState, jax.Array], jax.Array] | None = None


# Modules with a `subject(**options) -> Subject`, imported when asked for.
SUBJECTS = {
    name: f"benchmarks.subjects.{name}"
    for name in ("vae", "gan", "dcgan", "dcgan64", "wgan_gp", "realnvp", "glow", "spline")
}


def load(name: str, **options: Any) -> Subject:
    """Return the subject of this name. Raises ValueError for an unknown one, with the nearest known.

    options: dtype, which all have: what networks compute in; others as the module's `subject` says.
    """
    if name not in SUBJECTS:
        near = difflib.get_close_matches(name, SUBJECTS, n=1)
        hint = f", did you mean {near[0]}" if near else ""
        raise ValueError(f"unknown model {name!r}{hint}; expected one of {', '.join(SUBJECTS)}")
    return importlib.import_module(SUBJECTS[name]).subject(**options)
