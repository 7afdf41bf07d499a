"""What every library is given: the same rows, the same batches, the same size. It knows numpy alone, no JAX."""

import itertools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

COUPLING, AUTOREGRESSIVE = "spline, coupling", "spline, autoregressive"
FLOWS = {
    "maf": ("maf",),
    "coupling": (COUPLING,),
    "autoregressive": (AUTOREGRESSIVE,),
    "spline": (COUPLING, AUTOREGRESSIVE),
}
"""What --flows names -> the kinds of flow that it stands for."""

BOUND = 5.0
"""Splines are of [-BOUND, BOUND], and the identity beyond: zuko's, where it cannot be chosen."""


class Size(NamedTuple):
    """What is trained and how: layers each with networks of these widths, Adam with a cosine to zero.

    clip: of the gradient's norm, 0 for none. evaluations: how often the validation rows are scored.
    """

    layers: int = 6
    hidden: tuple[int, ...] = (64, 64)
    bins: int = 8
    steps: int = 3000
    learning_rate: float = 1e-3
    clip: float = 5.0
    evaluations: int = 15
    seed: int = 0
    threads: int = 1


class Job(NamedTuple):
    """Standardised rows [N, D] of each part, and which training rows each update sees, [steps, B]."""

    size: Size
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    order: np.ndarray

    @property
    def stops(self) -> list[tuple[int, int]]:
        """The updates from one evaluation to the next, as (first, end)."""
        ends = np.linspace(0, self.size.steps, min(self.size.evaluations, self.size.steps) + 1).round().astype(int)
        return [(int(first), int(end)) for first, end in itertools.pairwise(ends)]


class Trained(NamedTuple):
    """What came of a job. test: log-probabilities [N] in nats, of the checkpoint that was best on validation.

    best: the update after which it was taken, 0 where none had a finite score. seconds: of all updates.
    compile_seconds: what went before them, ours to compile, a peer's to take one update that is thrown away.
    """

    test: np.ndarray
    validation: float
    best: int
    parameters: int
    seconds: float
    compile_seconds: float = 0.0
    version: str = ""


def save(job: Job, folder: Path) -> None:
    """Write a job into a folder."""
    arrays = {name: value for name, value in job._asdict().items() if name != "size"}
    np.savez(folder / "job.npz", **arrays)
    (folder / "size.json").write_text(json.dumps(job.size._asdict()))


def load(folder: Path) -> Job:
    """Read a job from a folder."""
    told = json.loads((folder / "size.json").read_text())
    with np.load(folder / "job.npz") as arrays:
        return Job(Size(**{**told, "hidden": tuple(told["hidden"])}), **arrays)
