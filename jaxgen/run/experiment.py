"""What an experiment hands to the run loop, and the configuration that every experiment has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro

from jaxgen.data import Dataset
from jaxgen.game import Game, TrainState
from jaxgen.step import Prepare

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Common:
    """The options of every experiment; an experiment's own configuration extends this."""

    data: str = "digits"
    """data set: an embedded one, tfds:NAME, folder:PATH or npz:PATH"""
    steps: int = 5000
    """training steps of the whole run"""
    batch_size: int = 128
    """examples a step"""
    seed: int = 0
    """seed of everything random: parameters, data order, noise"""
    out: str | None = None
    """folder of the run (default: runs/EXPERIMENT)"""
    evaluations: int = 10
    """how often the run stops to score, draw and save a checkpoint, the end included"""
    chunk: int = 100
    """steps in one dispatch to the device; also how often curves get a point"""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """throw an earlier run in the folder away and start anew"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        for name, least in {"steps": 1, "batch_size": 1, "evaluations": 1, "chunk": 1, "seed": 0}.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, got {value}")


class Result(NamedTuple):
    """The end of a run. scores, baselines, units: by name; better: "lower" or "higher"; protocol: one paragraph."""

    scores: Mapping[str, float]
    protocol: str
    baselines: Mapping[str, float] = {}
    units: Mapping[str, str] = {}
    better: Mapping[str, str] = {}
    pictures: Mapping[str, np.ndarray] = {}


@dataclass(frozen=True)
class Experiment:
    """A system ready to run.

    game, data, prepare: what is trained, on what, and the transform of a batch inside the compiled step.
    evaluate: state -> validation scores, at every evaluation; `watch` names the one that the best
    checkpoint is kept by, `watch_mode` says whether "min" or "max" is best.
    pictures: state -> canvases by name, at every evaluation.
    finish: (best state, progress) -> Result, once, at the end.
    """

    game: Game
    data: Dataset
    prepare: Prepare
    evaluate: Callable[[TrainState], Mapping[str, Any]]
    pictures: Callable[[TrainState], Mapping[str, np.ndarray]]
    finish: Callable[[TrainState, Progress], Result]
    watch: str
    watch_mode: str = "max"
    networks: Mapping[str, Any] = field(default_factory=dict)
