"""Training steps, measured: what one costs to compile and to run, beside the machine's peak and other frameworks.

python -m benchmarks.steps --model vae --peers
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from benchmarks import machine
from benchmarks.measure import check_peers, measure
from benchmarks.results import writable
from benchmarks.subject import load
from benchmarks.table import legend, peer_lines, table
from jaxgen.run.cli import BAD_INPUT, parse


@dataclass(frozen=True)
class Config:
    """What to measure, and how long."""

    model: str = "vae"
    """what to measure: one name, or several with commas between"""
    peers: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """measure the same steps in PyTorch too, in turns"""
    rounds: int = 15
    """how often everything has its turn"""
    steps: int = 100
    """training steps of a turn"""
    json: str | None = None
    """file to write the results to"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the flags say; print a table. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.steps", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        for name in ("rounds", "steps"):
            if getattr(config, name) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(config, name)}")
        path = writable(config.json)
        subjects = {name: load(name) for name in config.model.split(",")}
        kinds = {name: check_peers(subject) if config.peers else () for name, subject in subjects.items()}
        before = machine.load()  # of others: with any, two threads wait for each other and torch most of all
        results = {
            name: measure(subject, rounds=config.rounds, steps=config.steps, peers=kinds[name])
            for name, subject in subjects.items()
        }
    except ValueError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    about = machine.describe()
    print(f"{about['processor']}, {about['cores']} cores, {about['device']}, jax {about['jax']}, load {before} before")
    print(table(results))
    for name, result in results.items():
        for line in peer_lines(name, result):
            print(line)
    print(legend())
    if path is not None:
        path.write_text(json.dumps({"machine": about, "models": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
