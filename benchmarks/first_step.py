"""Seconds from the start of a process to the first training step done: imports, data, compilation.

Each experiment runs with its defaults, but for chunks of one step, and is stopped after the first: cold, with an empty
cache folder, as on the day of installation, and then warm, with what the cold run has left there.

python -m benchmarks.first_step --experiments vae gan glow
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.results import writable
from benchmarks.time_to_quality import follow
from jaxgen.run.cli import parse, refuse

CACHES = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")  # what would be used in the place of ours


@dataclass(frozen=True)
class Config:
    """Which experiments, and how often."""

    experiments: tuple[str, ...] = ()
    """their names; all that start without further flags unless given"""
    repeats: int = 1
    """pairs of a cold run and a warm one; the medians are told"""
    json: str | None = None
    """file to write the results to"""

    def names(self) -> list[str]:
        """Return the experiments. Raises ValueError for names that are none."""
        known = sorted(path.stem for path in Path("experiments").glob("[a-z]*.py"))
        if unknown := set(self.experiments).difference(known):
            raise ValueError(f"--experiments must be among {', '.join(known)}, got {', '.join(sorted(unknown))}")
        if self.repeats < 1:
            raise ValueError(f"--repeats must be at least 1, got {self.repeats}")
        return list(self.experiments) or known


def main(arguments: Sequence[str] | None = None) -> None:
    """Run; print a line an experiment. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.first_step", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        names, path = config.names(), writable(config.json)
    except ValueError as error:
        refuse(error)
    found: dict[str, dict[str, float | None]] = {}
    print(f"{'experiment':<26}{'cold':>9}{'warm':>9}")
    for name in names:
        pairs = [pair(name) for _ in range(config.repeats)]
        found[name] = {
            kind: statistics.median(seconds) if None not in seconds else None
            for kind, seconds in zip(("cold", "warm"), zip(*pairs, strict=True), strict=True)
        }
        told = (f"{value:7.1f} s" if value else f"{'none':>9}" for value in found[name].values())
        print(f"{name:<26}{''.join(told)}", flush=True)
    if path is not None:
        whole = {"machine": machine.describe(), "repeats": config.repeats, "seconds": found}
        path.write_text(json.dumps(whole, indent=2) + "\n")


def pair(name: str) -> tuple[float | None, float | None]:
    """Return the seconds of a cold run and of a warm one, None for a run that ended without a step."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        return seconds(name, cache), seconds(name, cache)


def seconds(name: str, cache: str) -> float | None:
    """Return the seconds to the first step, with this cache folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", f"experiments.{name}", "--chunk", "1", "--out", folder]
        environment = {key: value for key, value in os.environ.items() if key not in CACHES} | {"JAXGEN_CACHE": cache}
        start = time.perf_counter()
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment)
        try:
            for _ in follow(Path(folder, "metrics.jsonl"), lambda: process.poll() is None):
                return time.perf_counter() - start
        finally:
            process.kill()
            process.wait()
    return None


if __name__ == "__main__":
    main()
