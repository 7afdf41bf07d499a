"""Densities of tables: flows of jaxgen beside those of zuko and nflows, on the same rows, batches and schedule.

python -m benchmarks.tabular --data table:PATH --flows maf,spline
"""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from benchmarks import machine
from benchmarks.density import ours, peers
from benchmarks.density.job import COUPLING, FLOWS, Job, Size, Trained
from benchmarks.density.table import legend, table
from benchmarks.results import writable
from jaxgen.data import load
from jaxgen.data.dataset import PARTS
from jaxgen.data.order import Batches
from jaxgen.data.standardise import standard_of, standardise
from jaxgen.run.cli import parse, refuse


@dataclass(frozen=True)
class Config:
    """What to train, on what, and how long."""

    data: tuple[str, ...]
    """data sets, each table:PATH"""
    flows: str = "maf,spline"
    """flows: one name, or several with commas between: maf, spline (coupling and autoregressive, each a name too)"""
    libraries: str = "jaxgen,zuko,nflows"
    """whose: one name, or several with commas between"""
    steps: int = Size().steps
    """updates"""
    layers: int = Size().layers
    """layers of a flow; couplings come in pairs"""
    hidden: tuple[int, ...] = Size().hidden
    """widths of each layer's network; nflows has masked ones of one width alone"""
    bins: int = Size().bins
    """pieces of a spline"""
    batch_size: int = 256
    """rows of an update"""
    learning_rate: float = Size().learning_rate
    """Adam's step size at the start; it decays to zero as a cosine"""
    clip: float = Size().clip
    """cut the norm of a gradient at this; 0 for no cut"""
    evaluations: int = Size().evaluations
    """how often the validation rows are scored; the best parameters are kept"""
    seed: int = Size().seed
    """seed of parameters and of the order of rows"""
    json: str | None = None
    """file to write the results to"""

    def check(self) -> None:
        """Raise ValueError for values that no comparison can have."""
        least = dict.fromkeys(("steps", "layers", "bins", "batch_size", "evaluations"), 1) | {"seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {value}, got {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 0, got {getattr(self, name)}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"--hidden must be widths of at least 1, got {self.hidden}")
        for name, known in (("flows", tuple(FLOWS)), ("libraries", ("jaxgen", *peers.PEERS))):
            unknown = [one for one in getattr(self, name).split(",") if one not in known]
            if unknown:
                raise ValueError(f"--{name}: unknown {unknown[0]!r}; expected some of {', '.join(known)}")
        if self.layers % 2 and any(COUPLING in FLOWS[flow] for flow in self.flows.split(",")):
            raise ValueError(f"--layers must be even, for spline couplings come in pairs, got {self.layers}")

    @property
    def size(self) -> Size:
        """What every library is asked for."""
        told = {name: getattr(self, name) for name in Size._fields if name != "threads"}
        return Size(**told, threads=machine.cores())


def job_of(name: str, size: Size, batch_size: int) -> tuple[Job, str]:
    """Return the job that every library is given, and where its rows are from.

    Raises ValueError as `jaxgen.data.load` does, for data that are no table, and for batches that it cannot fill.
    """
    data = load(name)
    if data.levels is not None or data.train["x"].shape[1] < 2:
        raise ValueError(f"--data: expected a table of two columns or more, got {name}")
    standard = standard_of(data.train["x"])
    rows = {part: np.asarray(standardise(getattr(data, part)["x"], standard), np.float32) for part in PARTS}
    order = Batches(jax.random.key(size.seed), len(rows["train"]), batch_size).indices(0, size.steps)
    return Job(size, order=order, **rows), data.source


def compare(config: Config, job: Job, progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Return what each library made of a job, by kind of flow and library; of a peer that broke, "failed" alone."""
    kinds = dict.fromkeys(kind for flow in config.flows.split(",") for kind in FLOWS[flow])
    libraries = sorted(config.libraries.split(","), key=lambda name: name != "jaxgen")  # ours first
    results: dict[str, Any] = {}
    for kind in kinds:
        results[kind], ours_test = {}, None
        for library in libraries:
            try:
                trained = ours.train(kind, job) if library == "jaxgen" else peers.train(library, kind, job)
            except peers.Failed as error:
                results[kind][library] = {"failed": str(error)}
                progress(f"{kind}, {library}: failed")
                continue
            results[kind][library] = summary(trained, len(job.order), ours_test)
            if library == "jaxgen":
                ours_test = trained.test
            progress(f"{kind}, {library}: {trained.seconds:.0f} s")
    return results


def summary(trained: Trained, steps: int, ours_test: np.ndarray | None = None) -> dict[str, Any]:
    """Return a training's numbers: log-likelihood None where it diverged, error two standard errors of the mean.

    ours_test: our log-probabilities of the same rows; then "above_ours" is the mean difference and its error.
    """
    mean, error = mean_and_error(trained.test)
    finite = trained.best > 0 and math.isfinite(mean)
    above = None if ours_test is None else mean_and_error(trained.test.astype(np.float64) - ours_test)
    return {
        "log_likelihood": mean if finite else None,
        "error": error if finite else None,
        "above_ours": above if above and finite and math.isfinite(above[0]) else None,
        "validation": trained.validation if finite else None,
        "best_step": trained.best,
        "parameters": trained.parameters,
        "seconds": trained.seconds,
        "step_milliseconds": 1e3 * trained.seconds / steps,
        "compile_seconds": trained.compile_seconds,
        "version": trained.version,
    }


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean, and two standard errors of it."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), 2 * float(values.std()) / math.sqrt(len(values))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the flags say; print a table. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.tabular", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        config.check()
        path = writable(config.json)
        jobs = {name: job_of(name, config.size, config.batch_size) for name in config.data}
        for library in config.libraries.split(","):
            if library != "jaxgen":
                peers.check(library, config.size)
    except ValueError as error:
        refuse(error)
    about, results = {**machine.describe(), "load": machine.load()}, {}
    for name, (job, source) in jobs.items():
        flows = compare(config, job, lambda text, name=name: print(f"{name}, {text}", file=sys.stderr, flush=True))
        rows = {part: len(getattr(job, part)) for part in PARTS}
        results[name] = {"source": source, "rows": rows, "columns": job.train.shape[1], "flows": flows}
    print(f"{machine.line(about)}, load {about['load']} before")
    print(table(results))
    print(legend(config.size, config.batch_size))
    for name, result in results.items():
        print(f"{name}: {result['source']}")
    if path is not None:
        told = {"machine": about, "size": config.size._asdict(), "batch_size": config.batch_size, "data": results}
        path.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
