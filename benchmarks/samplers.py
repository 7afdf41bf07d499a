"""Samples drawn, measured: what a batch costs, beside other frameworks.

python -m benchmarks.samplers --model dcgan,glow --peers
"""

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks import machine
from benchmarks.flops import matmul_flops
from benchmarks.measure import able, check_peers, in_turns, opened, quartiles
from benchmarks.peers.process import Worker
from benchmarks.results import writable
from benchmarks.subject import Subject, load
from benchmarks.table import spread
from benchmarks.training import timed_compile
from jaxgen.run.cli import parse, refuse
from jaxgen.step import init


@dataclass(frozen=True)
class Config:
    """What to draw from, and how long."""

    model: str = "vae"
    """what to draw from: one name, or several with commas between"""
    peers: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """draw from the same networks in PyTorch too, in turns"""
    kinds: str = "eager,channels_last,compile"
    """which ways of running PyTorch to measure; channels_last is for images, graphs (CUDA graphs) for a GPU"""
    rounds: int = 15
    """how often everything has its turn"""
    draws: int = 20
    """batches of a turn"""
    json: str | None = None
    """file to write the results to"""

    def check(self) -> None:
        """Raise ValueError for values that nothing can be measured with."""
        for name in ("rounds", "draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if "fused" in self.kinds.split(","):
            raise ValueError("--kinds: fused is of optimisers; samples have eager, channels_last, compile and graphs")


class Drawing:
    """A model as it starts; `many` and `single` draw as many batches and return the seconds that took."""

    def __init__(self, subject: Subject, draws: int):
        """Make the model and its two programs. draws: batches of a call."""
        assert subject.draw is not None
        batch = {name: jnp.asarray(array[: subject.batch_size]) for name, array in subject.data.items()}
        # Without what training alone needs, whose hundred arrays cost a dispatch more than some models' samples do.
        self.state = replace(init(subject.game, jax.random.key(0), batch), opt_state={})
        self.draw, self.keys = subject.draw, jax.random.split(jax.random.key(1), draws)
        self._single, single = timed_compile(jax.jit(subject.draw), self.state, self.keys[0])
        all_ = jax.jit(lambda state, keys: jax.lax.map(lambda key: subject.draw(state, key), keys))
        self._many, many = timed_compile(all_, self.state, self.keys)
        self.compile_seconds = {"many": many, "single": single}

    def many(self) -> float:
        """Draw all batches in one dispatch."""
        start = time.perf_counter()
        jax.block_until_ready(self._many(self.state, self.keys))
        return time.perf_counter() - start

    def single(self) -> float:
        """Draw one batch a dispatch."""
        start = time.perf_counter()
        for key in self.keys:
            made = self._single(self.state, key)
        jax.block_until_ready(made)
        return time.perf_counter() - start


def measure(subject: Subject, *, rounds: int, draws: int, peers: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return what a batch of samples costs, and each peer's batch against it.

    rounds: how often each contestant draws. draws: batches of a turn. peers: (library, kind) of some of the subject's.
    Spread is told as [first quartile, median, third quartile] over rounds. Ratios are taken within a round, "ratio"
    over single dispatches, which is how the peers draw, "ratio_many" over batches of one dispatch: above 1 we are
    faster.
    """
    load, drawing = machine.load(), Drawing(subject, draws)
    for warm_up in (drawing.many, drawing.single):
        warm_up()
    with contextlib.ExitStack() as stack:
        workers = opened(stack, subject, peers, work="sampler", steps=draws)
        turns = {"single": drawing.single, **able(workers, draws), "many": drawing.many}
        seconds = in_turns(turns, rounds)

    def peer(worker: Worker) -> dict[str, Any]:
        if "error" in worker.about:
            return worker.about
        own = np.array(seconds[worker.name])
        single, many = (quartiles(own / np.array(seconds[way])) for way in ("single", "many"))
        milliseconds = quartiles(1e3 * own / draws)
        return {"versions": worker.versions, "milliseconds": milliseconds, "ratio": single, "ratio_many": many}

    return {
        "batch_size": subject.batch_size,
        "matmul_flops": matmul_flops(drawing.draw, drawing.state, drawing.keys[0]),
        "compile_seconds": drawing.compile_seconds,
        "milliseconds": {name: quartiles(1e3 * np.array(seconds[name]) / draws) for name in ("many", "single")},
        "samples_per_second": subject.batch_size * draws / float(np.median(seconds["many"])),
        "rounds": rounds,
        "draws": draws,
        "load": {"before": load, "after": machine.load()},
        "peers": {worker.name: peer(worker) for worker in workers},
    }


def lines(name: str, result: dict[str, Any]) -> list[str]:
    """Return a model's measurements as lines: ours, then a peer each."""
    single, many = (spread(result["milliseconds"][way]) for way in ("single", "many"))
    per_second, compiled = result["samples_per_second"], result["compile_seconds"]["single"]
    ours = (
        f"{name}: {single} ms a batch of {result['batch_size']}; {many} where one dispatch is {result['draws']} of them"
        f" ({per_second:,.0f} samples/s); {compiled:.2f} s to compile"
    )
    told = [ours]
    for kind, peer in result["peers"].items():
        if "error" in peer:
            told.append(f"{name}: {kind} cannot run here: {peer['error']}")
        else:
            times, one, many = (spread(peer[each]) for each in ("milliseconds", "ratio", "ratio_many"))
            told.append(f"{name}: {kind} {times} ms a batch, {one} times ours, {many} times ours of one dispatch")
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the flags say; print each model as it ends. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.samplers", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        config.check()
        path = writable(config.json)
        subjects = {name: load(name) for name in config.model.split(",")}
        if without := [name for name, subject in subjects.items() if subject.draw is None]:
            raise ValueError(
                f"--model: {', '.join(without)} has no samples of its own to draw; dcgan has its generator"
            )
        kinds = {
            name: check_peers(subject, config.kinds.split(",")) if config.peers else ()
            for name, subject in subjects.items()
        }
    except ValueError as error:
        refuse(error)
    if jax.default_backend() == "gpu":  # where JAX's own products are of ten bits, and the peers' are not
        jax.config.update("jax_default_matmul_precision", "highest")
    about = machine.describe()
    print(f"{machine.line(about)}, load {machine.load()} before")
    told: dict[str, Any] = {"machine": about, "models": {}}
    for name, subject in subjects.items():
        result = measure(subject, rounds=config.rounds, draws=config.draws, peers=kinds[name])
        print("\n".join(lines(name, result)), flush=True)
        told["models"][name] = result
        if path is not None:
            path.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
