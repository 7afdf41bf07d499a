"""One subject measured: rounds in which every contestant runs in turn, so that they meet the same noise."""

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machine
from benchmarks.device_time import busy_seconds
from benchmarks.peers.peer import IMAGES
from benchmarks.peers.process import Worker, check_installed
from benchmarks.subject import Subject
from benchmarks.training import Training


def measure(
    subject: Subject,
    *,
    rounds: int,
    steps: int,
    peers: Sequence[tuple[str, str]] = (),
    seeds: int = 1,
    devices: int = 1,
    parallel: Literal["jit", "pmap"] = "jit",
    precision: str = "float32",
) -> dict[str, Any]:
    """Return what one step costs, and each peer's step against it.

    rounds: how often each contestant runs. steps: of a contestant's turn. peers: (library, kind) of some of the
    subject's peers. seeds, devices, parallel: ours alone, as `Training` has them; an example is counted once a seed.
    precision: what products are computed in, of the peers and of the peak; the subject has its own.

    Spread is told as [first quartile, median, third quartile] over rounds. Ratios are taken within a round:
    above 1 we are faster. A peer that cannot run has "error" alone.
    """
    load = machine.load()
    machine.forget_memory()
    training = Training(subject, steps, seeds=seeds, devices=devices, parallel=parallel)
    for warm_up in (training.many, training.single):
        warm_up()
    memory = machine.memory()
    peak = machine.matmul_peak(jnp.bfloat16 if precision == "bfloat16" else jnp.float32)
    with contextlib.ExitStack() as stack:
        workers = opened(stack, subject, peers, steps=steps, precision=precision)
        turns = {"many": training.many, **able(workers, steps), "single": training.single, "peak": peak}
        seconds = in_turns(turns, rounds)
    peaks = seconds.pop("peak")

    many = np.array(seconds["many"])
    median = float(np.median(many)) / steps
    cost = training.cost()
    # On a CPU the products already have all of its cores, which its devices share.
    together = max(peaks) * (1 if jax.default_backend() == "cpu" else devices)
    return {
        **cost,
        "batch_size": subject.batch_size,
        "seeds": seeds,
        "devices": devices,
        "parallel": parallel,
        "rounds": rounds,
        "steps": steps,
        "compile_seconds": training.compile_seconds,
        "step_milliseconds": {name: quartiles(1e3 * np.array(seconds[name]) / steps) for name in ("many", "single")},
        "device_milliseconds": None if (busy := busy_seconds(training.many)) is None else 1e3 * busy / steps,
        "single_over_many": quartiles(np.array(seconds["single"]) / many),
        "examples_per_second": seeds * subject.batch_size / median,
        "matmul_peak_flops": together,
        "share_of_peak": cost["matmul_flops"] / median / together,
        "memory_bytes": memory,
        "load": {"before": load, "after": machine.load()},
        "peers": {worker.name: _peer(worker, seconds, many, steps) for worker in workers},
    }


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each contestant's runs return, one run a round; the first of a round is the last of the next."""
    told, names = {name: [] for name in contestants}, deque(contestants)
    for _ in range(rounds):
        for name in names:
            told[name].append(contestants[name]())
        names.rotate(-1)
    return told


def able(workers: Sequence[Worker], steps: int) -> dict[str, Callable[[], float]]:
    """Return the turn of this many steps of each worker that can run, by its name."""
    return {worker.name: partial(worker.run, steps) for worker in workers if "error" not in worker.about}


def quartiles(values: np.ndarray) -> list[float]:
    """Return [first quartile, median, third quartile]."""
    return [float(value) for value in np.percentile(values, (25, 50, 75))]


def check_peers(subject: Subject, kinds: Sequence[str] = IMAGES) -> list[tuple[str, str]]:
    """Return (library, kind) of the peers to run.

    Raises ValueError on a TPU, for unknown kinds, none that the subject's peers have, or a library that is missing.
    """
    if jax.default_backend() == "tpu":
        raise ValueError("--peers run on CPUs and GPUs: set JAX_PLATFORMS=cpu to measure ours there too")
    known = [kind for kind in IMAGES if kind != "graphs" or jax.default_backend() == "gpu"]
    if unknown := [kind for kind in kinds if kind not in known]:
        raise ValueError(f"--kinds must be among {', '.join(known)} here, got {', '.join(unknown)}")
    if not set(kinds) & set(subject.kinds):
        raise ValueError(f"--kinds must be among {', '.join(subject.kinds)} for this model, got {', '.join(kinds)}")
    check_installed("--peers", "torch", *subject.peers)
    return [(library, kind) for library in subject.peers for kind in subject.kinds if kind in kinds]


def opened(
    stack: contextlib.ExitStack, subject: Subject, peers: Sequence[tuple[str, str]], **told: Any
) -> list[Worker]:
    """Return a worker, ready and warm, for each (library, kind), on our device and cores, until the stack is closed.

    told: what else `Worker` takes.
    """
    told |= {"threads": machine.cores(), "device": "cpu" if jax.default_backend() == "cpu" else "cuda"}
    return [stack.enter_context(Worker(subject.peers[name], kind, library=name, **told)) for name, kind in peers]


def _peer(worker: Worker, seconds: dict[str, list[float]], many: np.ndarray, steps: int) -> dict[str, Any]:
    about = dict(worker.about)
    if "error" in about:
        return about
    own = np.array(seconds[worker.name])
    return {
        "parameters": about["parameters"],
        "versions": worker.versions,
        "first_step_seconds": about["first_step_seconds"],
        "step_milliseconds": quartiles(1e3 * own / steps),
        "ratio": quartiles(own / many),
        "memory_bytes": about.get("device_bytes") or machine.resident(about["max_rss"]),
    }
