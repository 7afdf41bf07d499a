"""How a training step's time, and its compilation, grow: with batch, width, image size, depth, seeds, devices, chunk.

python -m benchmarks.scaling --axes batch,depth --picture scaling.png

Along the size the DCGAN has a layer more for every doubling from 16 pixels on, as it goes down to 4.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import machine
from benchmarks.measure import quartiles
from benchmarks.results import writable
from benchmarks.subject import load
from benchmarks.table import spread
from benchmarks.training import Training
from jaxgen.parallel import ask_for_devices
from jaxgen.run.cli import parse, refuse


class Axis(NamedTuple):
    """What grows. model: a subject. values: of the axis. option: of the subject, or of `Training`; None: the chunk."""

    model: str
    values: tuple[int, ...]
    option: str | None


AXES = {
    "batch": Axis("vae", (16, 64, 256, 1024), "batch_size"),
    "width": Axis("vae", (50, 100, 200, 400, 800, 1600), "hidden"),
    "size": Axis("dcgan", (8, 16, 32, 64), "size"),
    "depth": Axis("glow", (2, 4, 8, 16, 32), "depth"),
    "seeds": Axis("gan", (1, 4, 16, 64), "seeds"),
    "devices": Axis("vae", (1, 2, 4, 8), "devices"),
    "chunk": Axis("gan", (1, 10, 100, 1000), None),
}


@dataclass(frozen=True)
class Config:
    """What to measure, and how long."""

    axes: str = "batch,width,seeds,chunk"
    """one of batch, width, size, depth, seeds, devices, chunk, or several with commas between"""
    rounds: int = 5
    """how often everything has its turn"""
    steps: int = 10
    """training steps of a turn, but along the chunk"""
    json: str | None = None
    """file to write the results to"""
    picture: str | None = None
    """PNG file to draw the curves in"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the flags say; print a line a point. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.scaling", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        for name in ("rounds", "steps"):
            if getattr(config, name) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(config, name)}")
        names = config.axes.split(",")
        if unknown := [name for name in names if name not in AXES]:
            raise ValueError(f"--axes must be among {', '.join(AXES)}, got {', '.join(unknown)}")
        path, picture = writable(config.json), writable(config.picture, "--picture")
    except ValueError as error:
        refuse(error)
    if "devices" in names:
        ask_for_devices(machine.cores())
    about, before, results = machine.describe(), machine.load(), {}
    print(f"{machine.line(about)}, load {before} before")
    for name in names:
        results[name] = measured(AXES[name], rounds=config.rounds, steps=config.steps)
        for point in results[name]:
            print(
                f"{AXES[name].model}, {name} {point['value']}: {spread(point['step_milliseconds'])} ms a step, "
                f"compile {point['compile_seconds']:.1f} s, after {point['start_seconds']:.1f} s of start"
            )
        if path is not None:  # at once: the other axes may take long
            how = {"machine": about, "load": before, "rounds": config.rounds, "steps": config.steps}
            path.write_text(json.dumps({**how, "axes": results}, indent=2) + "\n")
    if picture is not None:
        drawn(results, picture)


def measured(axis: Axis, *, rounds: int, steps: int) -> list[dict[str, Any]]:
    """Return the points of an axis; their rounds alternate, so that all meet the same noise."""
    points = []
    for value in axis.values:
        if axis.option == "devices" and value > jax.device_count():
            continue
        count = value if axis.option is None else steps
        how = {axis.option: value} if axis.option in ("seeds", "devices") else {}
        if axis.option == "devices":
            how["parallel"] = "pmap"  # the quicker way on a CPU
        options = {} if how or axis.option is None else {axis.option: value}
        training = Training(load(axis.model, **options), count, **how)
        training.many()
        points.append((value, count, training))
    seconds = [[training.many() / count for _, count, training in points] for _ in range(rounds)]
    return [
        {
            "value": value,
            "start_seconds": training.start_seconds,
            "compile_seconds": training.compile_seconds["many"],
            "step_milliseconds": quartiles(1e3 * np.array(own)),
        }
        for (value, _, training), own in zip(points, zip(*seconds, strict=True), strict=True)
    ]


def drawn(results: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draw a panel an axis: the step's time with its quartiles, and the seconds of compilation."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(4.2 * len(results), 3.4), layout="constrained")
    for panel, (name, points) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        at = [point["value"] for point in points]
        low, middle, high = np.array([point["step_milliseconds"] for point in points]).T
        panel.fill_between(at, low, high, color="C0", alpha=0.3, linewidth=0)
        panel.loglog(at, middle, "o-", color="C0")
        panel.set(title=f"{AXES[name].model}: {name}", xlabel=name)
        panel.set_ylabel("ms a step", color="C0")
        panel.set_xticks(at, [str(value) for value in at], minor=False)
        panel.xaxis.set_minor_locator(NullLocator())
        ticks = LogLocator(subs=(1, 2, 5))  # a curve that hardly climbs needs more than powers of ten
        panel.yaxis.set(major_locator=ticks, major_formatter=StrMethodFormatter("{x:g}"), minor_locator=NullLocator())
        right = panel.twinx()
        right.plot(at, [point["compile_seconds"] for point in points], "s:", color="C1")
        right.set_ylabel("s to compile", color="C1")
        right.set_ylim(bottom=0)
    figure.savefig(path, dpi=120, format="png")


if __name__ == "__main__":
    main()
