"""Seconds from a fresh process to a stated validation score: imports, data, compilation, training and scoring, all in.

python -m benchmarks.time_to_quality --run "vae --evaluations 50" --score elbo --at-least -24
"""

import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.results import writable
from jaxgen.run.cli import BAD_INPUT, parse

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
        if taken := {"--seed", "--seeds", "--out"}.intersection(words):
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
            print(told(config, runs[-1]))
    except ValueError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    seconds = [run["seconds"] for run in runs if run["seconds"] is not None]
    if seconds:
        print(f"median {statistics.median(seconds):.1f} s, from {min(seconds):.1f} to {max(seconds):.1f}")
    if path is not None:
        path.write_text(json.dumps({"machine": machine.describe(), "run": config.run, "runs": runs}, indent=2) + "\n")
    if len(seconds) < len(runs):
        sys.exit(1)


def timed(config: Config, seed: int) -> dict[str, Any]:
    """Return when a run's first steps were done and when it was good enough, in seconds, None where it never was.

    Raises ValueError where the run does not finish.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = shlex.split(config.run)
        command = [sys.executable, "-m", f"experiments.{words[0]}", *words[1:], "--seed", str(seed), "--out", folder]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        found: dict[str, Any] = {
            "seed": seed,
            "seconds": None,
            "first_chunk_seconds": None,
            "step": None,
            "score": None,
        }
        try:
            for line in follow(Path(folder, "metrics.jsonl"), lambda: process.poll() is None):
                now = time.perf_counter() - start
                found["first_chunk_seconds"] = found["first_chunk_seconds"] or now
                value = line.get(f"validation/{config.score}")
                if value is not None:
                    found |= {"step": line["step"], "score": value}
                    if config.reached(value):
                        return found | {"seconds": now}
        finally:
            process.kill()
            said = process.communicate()[1]
        if process.returncode:
            raise ValueError(
                f"the run ended with status {process.returncode}: {(said.strip() or '-').splitlines()[-1]}"
            )
        if found["score"] is None:
            raise ValueError(f"the run never wrote a score validation/{config.score}")
        return found


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
    scored = f"{config.score} {run['score']:.4g} at step {run['step']}"
    if run["seconds"] is None:
        return f"seed {run['seed']}: not reached, {scored}"
    return f"seed {run['seed']}: {run['seconds']:.1f} s, {scored}; first steps after {run['first_chunk_seconds']:.1f} s"


if __name__ == "__main__":
    main()
