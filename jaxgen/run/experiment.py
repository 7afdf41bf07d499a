"""What an experiment hands to the run loop, and the configuration that every experiment has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxgen.data import Dataset
from jaxgen.game import Game, TrainState
from jaxgen.step import Prepare

Progress = Callable[[str], None]

MOST = 2**31  # steps, seeds and sizes are 32-bit numbers
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float64": jnp.float64}


@dataclass(frozen=True)
class Common:
    """The options of every experiment; an experiment's own configuration extends this."""

    data: str = "digits"
    """data set: an embedded one, tfds:NAME, folder:PATH, npz:PATH or table:PATH"""
    steps: int = 5000
    """training steps of the whole run"""
    batch_size: int | None = None
    """examples a step (default: 128, fewer for a smaller training set)"""
    seed: int = 0
    """seed of everything random: parameters, data order, noise"""
    seeds: int = 1
    """how many seeds to train at once, in one compiled step: seed, seed + 1, ..."""
    out: str | None = None
    """folder of the run (default: runs/EXPERIMENT)"""
    devices: int = 1
    """devices to spread each batch over"""
    parallel: Literal["jit", "pmap"] = "jit"
    """how: one program in global view, or one program a device"""
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    """type networks compute in; parameters, losses and sums keep float32 under bfloat16. A GPU multiplies float32 with
    ten bits unless JAX_DEFAULT_MATMUL_PRECISION=highest is set"""
    accumulate: int = 1
    """slices of the batch whose gradients are averaged, one after the other, to save memory"""
    data_on: Literal["device", "host"] | None = None
    """where the training set rests; on the host it is streamed (default: by its size)"""
    evaluations: int = 10
    """how often the run stops to score, draw and save a checkpoint, the end included"""
    chunk: int = 100
    """steps in one dispatch to the device; also how often curves get a point"""
    gradient_norms: bool = False
    """also record the norm of each player's gradient"""
    compilation_cache: bool = True
    """keep compiled programs in the user's cache folder, for a faster start the next time"""
    profile: bool = False
    """write a trace of a few steps into the folder, for TensorBoard or Perfetto"""
    overwrite: bool = False
    """throw an earlier run in the folder away and start anew"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        least = dict.fromkeys(("steps", "batch_size", "seeds", "devices", "accumulate", "evaluations", "chunk"), 1)
        for name, value in {**least, "seed": 0}.items():
            came = getattr(self, name)
            if came is not None and not value <= came < MOST:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {value} and below {MOST}, got {came}")

    @property
    def types(self) -> dict[str, Any]:
        """Types for the layers of networks: {"dtype": computed in, "param_dtype": kept in}."""
        kept = jnp.float64 if self.precision == "float64" else jnp.float32
        return {"dtype": DTYPES[self.precision], "param_dtype": kept}


class Result(NamedTuple):
    """The end of a run. scores, baselines, units: by name; better: "lower" or "higher"; protocol: one paragraph."""

    scores: Mapping[str, Any]
    protocol: str
    baselines: Mapping[str, float] = {}
    units: Mapping[str, str] = {}
    better: Mapping[str, str] = {}
    pictures: Mapping[str, np.ndarray] = {}


@dataclass(frozen=True)
class Experiment:
    """A system ready to run, of one seed: the loop makes many of it.

    game, data, prepare: what is trained, on what, and the transform of a batch inside the compiled step.
    evaluate: state -> validation scores, at every evaluation; `watch` names the one that the best
    checkpoint is kept by, `watch_mode` says whether "min" or "max" is best.
    parts: names of the games where there are several side by side (`jaxgen.games.side_by_side`). Each has a best
    checkpoint of its own, by the score "PART/WATCH", and one that diverges is told and leaves the others be: the state
    to finish with has its networks as they ended.
    pictures: state -> canvases by name, at every evaluation.
    finish: (best state, progress) -> Result, once, at the end.
    variant: {option: traced scalar} -> the game with these options instead; grid: values of such options,
    all combinations of which are trained at once, each with every seed.
    summarise: the results of all seeds, or of all points of the grid and their seeds -> one result.
    """

    game: Game
    data: Dataset
    prepare: Prepare
    evaluate: Callable[[TrainState], Mapping[str, Any]]
    pictures: Callable[[TrainState], Mapping[str, np.ndarray]]
    finish: Callable[[TrainState, Progress], Result]
    watch: str
    watch_mode: Literal["min", "max"] = "max"
    parts: Sequence[str] = ()
    variant: Callable[[Mapping[str, Any]], Game] | None = None
    grid: Mapping[str, Sequence[float]] = field(default_factory=dict)
    summarise: Callable[[Sequence[Result]], Result] | None = None
