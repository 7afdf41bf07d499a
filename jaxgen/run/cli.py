"""The command line of an experiment: flags in, exit status out."""

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
import tyro

from jaxgen.parallel import ask_for_devices
from jaxgen.run.compilation import keep_compiled
from jaxgen.run.divergence import Diverged
from jaxgen.run.experiment import Common, Experiment
from jaxgen.run.folder import RunFolder
from jaxgen.run.log import Log
from jaxgen.run.loop import Run, Stopped

C = TypeVar("C", bound=Common)
T = TypeVar("T")

DIVERGED, BAD_INPUT, STOPPED = 1, 2, 130  # exit statuses; 0 when the run finished


def main(
    name: str,
    config_type: type[C],
    build: Callable[[C], Experiment],
    description: str | None = None,
    arguments: Sequence[str] | None = None,
) -> None:
    """Run the experiment `python -m experiments.NAME ...`; exit non-zero where it did not finish.

    build: configuration -> Experiment; a ValueError from it is bad input, told in one line.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        config = parse(f"experiments.{name}", config_type, arguments, description)
        config.check()
    except ValueError as error:
        refuse(error)
    folder = RunFolder(config.out or f"runs/{name}")
    command = shlex.join(["python", "-m", f"experiments.{name}", *arguments])
    try:
        _run(name, config, build, folder, command)
    finally:
        folder.release()


def _run(name: str, config: C, build: Callable[[C], Experiment], folder: RunFolder, command: str) -> None:
    try:
        if result := folder.check(name, config, overwrite=config.overwrite):
            print(f"{folder.path} has finished already; --overwrite runs it anew")
            _tell(result, folder)
            return
        if config.precision == "float64":
            jax.config.update("jax_enable_x64", True)
        if config.compilation_cache:
            keep_compiled()
        ask_for_devices(config.devices)
        experiment = build(config)
        run = Run(experiment, config)
        folder.open(name, config, overwrite=config.overwrite, command=command, data=experiment.data.source)
        first = run.resume(folder)
    except ValueError as error:
        folder.withdraw()
        refuse(error)
    try:
        with Log(folder, steps=config.steps, first=first) as log:
            result = run.play(log)
    except Diverged as error:
        _stop(DIVERGED, f"error: {error}")
    except Stopped as stop:
        _stop(STOPPED, str(stop))
    _tell(result, folder)


def parse(program: str, config_type: type[T], arguments: Sequence[str], description: str | None = None) -> T:
    """Return the configuration that the flags of `python -m PROGRAM` say. Raises ValueError of one line."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return tyro.cli(
                config_type,
                prog=f"python -m {program}",
                description=description,
                args=list(arguments),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as exit:
        if not exit.code:
            raise  # --help
    raise ValueError(_one_line(told.getvalue()))


def _one_line(box: str) -> str:
    """Flatten the framed message of the parser: its heading and its closing hint left out."""
    lines = [line.strip("│ ").strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()]
    lines = [line for line in lines if line and not re.match(r"[╭╰─]|For full helptext|Argument helptext", line)]
    return f"{' '.join(lines)} (--help explains the options)"


def _tell(result: dict[str, Any], folder: RunFolder) -> None:
    """Print the scores, each beside its baseline, and where to look."""
    for name, value in result["scores"].items():
        unit = result["units"].get(name, "")
        baseline = f"   (baseline {figure(result['baselines'][name])})" if name in result["baselines"] else ""
        spread = ""
        if isinstance(value, dict):
            seeds, known = value["seeds"], np.count_nonzero(~np.isnan(value["seeds"]))
            over = f"{known} of {len(seeds)} seeds" if known < len(seeds) else f"{known} seeds"
            value, spread = value["mean"], f" +- {figure(value['std'])} over {over}"
        print(f"{name}: {figure(value)}{spread} {unit}{baseline}")
    print(f"report: {folder.path / 'report.html'}")


def figure(value: float) -> str:
    """Return a score as it is printed: with two places, or two digits of what would be nothing then."""
    return f"{value:.2g}" if 0 < abs(value) < 0.005 else f"{value:.2f}"


def refuse(error: ValueError) -> NoReturn:
    """End the process for bad input: one line on stderr, exit status 2."""
    _stop(BAD_INPUT, f"error: {' '.join(str(error).split())}")


def _stop(status: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(status)
