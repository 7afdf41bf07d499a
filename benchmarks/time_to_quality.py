"""Seconds from a fresh process to a stated validation score: imports, data, compilation, training and scoring, all in.

Nothing compiled earlier is used, but with --warm, where every run takes what an earlier one has left. The score is of
the validation part: who stops where the test score is good has chosen by it.

python -m benchmarks.time_to_quality --run "vae --evaluations 50" --score elbo --at-least -24
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks import machine
from benchmarks.results import writable
from jaxgen.run.cli import BAD_INPUT, parse, refuse

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Config:
    """Which run, and when it is good enough."""

    run: str = "vae --evaluations 50"
    """an experiment and its flags, but for --seed and --out; it is scored as often as --evaluations says"""
    score: str = "elbo"
    """validation score, by its name in metrics.jsonl after "validation/" """
    at_least: float | None = None
    """the score that ends a run, where higher is better"""
    at_most: float | None = None
    """the same, where lower is better"""
    repeats: int = 3
    """runs, with seeds 0, 1, ..., one after the other"""
    warm: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """take compiled programs from the user's cache folder, where there are any"""
    json: str | None = None
    """file to write the results to"""

    def check(self) -> None:
        """Raise ValueError for values that nothing can be measured with."""
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("one of --at-least and --at-most must say when a run is good enough")
        if self.repeats < 1:
            raise ValueError(f"--repeats must be at least 1, got {self.repeats}")
        words = shlex.split(self.run)
        if not words or not Path("experiments", f"{words[0]}.py").is_file():
            raise ValueError(f"--run must begin with an experiment's name, in a folder that has it; got {self.run!r}")
        if taken := {"--seed", "--seeds", "--out"}.intersection(word.split("=")[0] for word in words):
            raise ValueError(f"--run has its seeds and folders from here, got {', '.join(sorted(taken))}")

    def reached(self, value: float) -> bool:
        """Return whether a score is good enough."""
        return value >= self.at_least if self.at_most is None else value <= self.at_most


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; print a line a seed and the median. Exits with status 2 and one line for bad input, 1 where one missed."""
    try:
        config = parse("benchmarks.time_to_quality", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        config.check()
        path = writable(config.json)
        runs = []
        for seed in range(config.repeats):
            runs.append(timed(config, seed))
            print(told(config, runs[-1]), flush=True)
    except ValueError as error:
        refuse(error)
    seconds = [run["seconds"] for run in runs if run["seconds"] is not None]
    if seconds:
        print(f"median {statistics.median(seconds):.1f} s, from {min(seconds):.1f} to {max(seconds):.1f}")
    if path is not None:
        whole = {"machine": machine.describe(), "run": config.run, "warm": config.warm, "runs": runs}
        path.write_text(json.dumps(whole, indent=2) + "\n")
    if len(seconds) < len(runs):
        sys.exit(1)


def timed(config: Config, seed: int) -> dict[str, Any]:
    """Return when a run's first steps were done and when it was good enough, in seconds, None where it never was.

    Raises ValueError for a run that is refused, and for a score that it does not have.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        words = shlex.split(config.run)
        command = [sys.executable, "-m", f"experiments.{words[0]}", *words[1:], "--seed", str(seed), "--out", folder]
        environment = dict(os.environ)
        if not config.warm:
            command.append("--no-compilation-cache")
            environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        found: dict[str, Any] = dict.fromkeys(("seconds", "first_chunk_seconds", "step", "score")) | {"seed": seed}
        try:
            for line in follow(Path(folder, "metrics.jsonl"), lambda: process.poll() is None):
                now = time.perf_counter() - start
                found["first_chunk_seconds"] = found["first_chunk_seconds"] or now
                if (value := score(config.score, line)) is not None:
                    found |= {"step": line["step"], "score": value}
                    if config.reached(value):
                        return found | {"seconds": now}
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        if process.returncode == BAD_INPUT:
            raise ValueError(f"the run was refused: {(errors.read().strip() or '-').splitlines()[-1]}")
        return found  # it ended, or diverged, before it was good enough


def score(name: str, line: Mapping[str, Any]) -> float | None:
    """Return the score in a line of metrics, None in a line without scores. Raises ValueError where it has others."""
    scores = {key.removeprefix("validation/"): value for key, value in line.items() if key.startswith("validation/")}
    if not scores:
        return None
    if not isinstance(scores.get(name), int | float):
        raise ValueError(f"--score must be one number a run, among {', '.join(scores)}, got {name}")
    return scores[name]


def follow(path: Path, alive: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Yield the lines of a growing file of JSON, until its writer is gone and all is read."""
    done, rest = 0, ""
    while True:
        going = alive()  # asked before reading, so that what the writer leaves last is read
        if path.exists():
            with path.open() as file:
                file.seek(done)
                rest += file.read()
                done = file.tell()
        *lines, rest = rest.split("\n")
        yield from map(json.loads, lines)
        if not going:
            return
        time.sleep(POLL_SECONDS)


def told(config: Config, run: dict[str, Any]) -> str:
    """Return a run as a line of text."""
    scored = "never scored" if run["score"] is None else f"{config.score} {run['score']:.4g} at step {run['step']}"
    if run["seconds"] is None:
        return f"seed {run['seed']}: not reached, {scored}"
    return f"seed {run['seed']}: {run['seconds']:.1f} s, {scored}; first steps after {run['first_chunk_seconds']:.1f} s"


if __name__ == "__main__":
    main()
