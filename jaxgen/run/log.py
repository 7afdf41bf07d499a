"""What a run tells: a progress bar, metrics.jsonl, TensorBoard curves, result.json and the report page."""

import platform
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from jaxgen.run.experiment import Result
from jaxgen.run.folder import RunFolder, read_json, read_metrics, write_json
from jaxgen.viz.report import write_report

PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class Log:
    """The voice of one run. Use as a context manager."""

    def __init__(self, folder: RunFolder, *, steps: int, first: int):
        """steps: of the whole run. first: those done by earlier processes."""
        self.folder, self.steps, self.first = folder, steps, first
        earlier = [row["time/seconds"] for row in read_metrics(folder.metrics) if "time/seconds" in row]
        self._before = earlier[-1] if earlier else 0.0
        self._start = self._mark = time.perf_counter()
        purge = first + 1 if first else None
        self._board = _summary_writer()(str(folder.path / "tensorboard"), purge_step=purge, write_to_disk=True)
        self._live = sys.stderr.isatty()  # a file or a pipe gets a line now and then
        self._bar = tqdm(
            total=steps, initial=first, unit="step", mininterval=0.2 if self._live else 10.0, dynamic_ncols=self._live
        )

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()
        self._board.close()

    @property
    def seconds(self) -> float:
        """Seconds of the whole run so far, those of earlier processes up to their last checkpoint included."""
        return self._before + time.perf_counter() - self._start

    def train(self, step: int, count: int, metrics: Mapping[str, Any]) -> None:
        """Log the mean metrics of the `count` steps up to `step`."""
        now = time.perf_counter()
        rate, self._mark = count / (now - self._mark), now
        self._bar.update(count)
        self._write(step, {**metrics, "time/seconds": round(self.seconds, 3), "time/steps_per_second": round(rate, 2)})

    def scores(self, step: int, scores: Mapping[str, Any]) -> None:
        """Log the scores of an evaluation."""
        self._write(step, scores)
        self._bar.set_postfix_str(
            ", ".join(f"{n.removeprefix('validation/')} {np.mean(v):.4g}" for n, v in list(scores.items())[:3]),
            refresh=self._live,
        )
        self._mark = time.perf_counter()

    def note(self, step: int, text: str) -> None:
        """Tell what happened on a line of its own, and keep it with the metrics."""
        self.folder.append({"step": step, "note": text})
        self._bar.write(text, file=sys.stderr)

    def say(self, text: str) -> None:
        """Show what is under way, beside the bar."""
        self._bar.set_description_str(text, refresh=self._live)
        self._mark = time.perf_counter()

    def _write(self, step: int, row: Mapping[str, Any]) -> None:
        self.folder.append({"step": step, **{name: np.asarray(value, float) for name, value in row.items()}})
        means = {name: float(np.mean(value)) for name, value in row.items()}
        for name, mean in means.items():
            if np.isfinite(mean):  # what is not finite is a gap in the curve
                self._board.add_scalar(name, mean, step)

    def result(self, result: Result, *, best_step: Any) -> dict[str, Any]:
        """Write result.json, which marks the run as finished, then the report; return the result.

        best_step: what was scored, of each seed where there are several, {part: of it} of games side by side.
        """
        device = jax.devices()[0]
        value = {
            "experiment": read_json(self.folder.config)["experiment"],
            **{name: getattr(result, name) for name in ("scores", "baselines", "units", "better", "protocol")},
            "best_step": best_step,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "versions": {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()},
            "machine": f"{device.platform} {device.device_kind} x {jax.device_count()}, {platform.machine()}",
        }
        write_json(self.folder.result, value)
        write_report(self.folder.path)
        return value


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _summary_writer() -> type:
    """Return tensorboardX's writer, without torch, which it imports where there is one: seconds."""
    absent = "torch" not in sys.modules
    if absent:
        sys.modules["torch"] = None  # an import of it fails, as where it is not installed
    try:
        from tensorboardX import SummaryWriter
    finally:
        if absent:
            del sys.modules["torch"]
    return SummaryWriter
