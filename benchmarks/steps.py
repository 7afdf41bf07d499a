"""Training steps, measured: what one costs to compile and to run, beside the machine's peak and other frameworks.

python -m benchmarks.steps --model vae --peers
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import tyro

from benchmarks import machine
from benchmarks.measure import check_peers, measure
from benchmarks.results import writable
from benchmarks.subject import load
from benchmarks.table import legend, peer_lines, table
from jaxgen.parallel import ask_for_devices, check_devices
from jaxgen.run.cli import parse, refuse

PRODUCTS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": None}


@dataclass(frozen=True)
class Config:
    """What to measure, and how long."""

    model: str = "vae"
    """what to measure: one name, or several with commas between"""
    peers: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """measure the same steps in PyTorch too, in turns"""
    kinds: str = "eager,fused,channels_last,compile"
    """which ways of running PyTorch to measure; channels_last is for images, graphs (CUDA graphs) for a GPU"""
    rounds: int = 15
    """how often everything has its turn"""
    steps: int = 100
    """training steps of a turn"""
    seeds: int = 1
    """trainings side by side in one step"""
    devices: int = 1
    """devices to spread each batch over; a CPU is shown as that many"""
    parallel: Literal["jit", "pmap"] = "jit"
    """how: one program in global view, or one program a device"""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """what networks compute in; tf32: float32, whose products a GPU rounds to ten bits"""
    json: str | None = None
    """file to write the results to"""

    def check(self) -> None:
        """Raise ValueError for values that nothing can be measured with."""
        for name in ("rounds", "steps", "seeds"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name} must be at least 1, got {getattr(self, name)}")
        ask_for_devices(self.devices)
        check_devices(self.devices)
        backend = jax.default_backend()
        if self.precision == "tf32" and backend != "gpu":
            raise ValueError(f"--precision tf32 is of GPUs, this is a {backend}")
        if self.peers and self.seeds != 1:
            raise ValueError(f"--peers are measured with one seed, got --seeds {self.seeds}")
        if self.peers and backend == "cpu" and self.precision != "float32":
            raise ValueError(f"--peers on a CPU are measured in float32, got --precision {self.precision}")
        if self.peers and backend == "cpu" and self.devices > machine.cores():
            raise ValueError(f"--peers have one thread for each of {machine.cores()} cores, got {self.devices} devices")
        if self.peers and backend == "gpu" and self.devices > 1:
            raise ValueError(f"--peers run on one GPU, got --devices {self.devices}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the flags say; print a row a model as it ends. Exits with status 2 and one line for bad input."""
    try:
        config = parse("benchmarks.steps", Config, sys.argv[1:] if arguments is None else arguments, __doc__)
        config.check()
        path = writable(config.json)
        if jax.default_backend() == "gpu":  # where JAX's own default is tf32
            jax.config.update("jax_default_matmul_precision", PRODUCTS[config.precision])
        dtype = jnp.bfloat16 if config.precision == "bfloat16" else jnp.float32
        subjects = {name: load(name, dtype=dtype) for name in config.model.split(",")}
        kinds = {
            name: check_peers(subject, config.kinds.split(",")) if config.peers else ()
            for name, subject in subjects.items()
        }
        before = machine.load()  # of others: with any, two threads wait for each other and torch most of all
        about = machine.describe()
        print(f"{machine.line(about)}, load {before} before")
        told = {"machine": about, "precision": config.precision, "parallel": config.parallel, "models": {}}
        for name, subject in subjects.items():
            result = measure(
                subject,
                rounds=config.rounds,
                steps=config.steps,
                peers=kinds[name],
                seeds=config.seeds,
                devices=config.devices,
                parallel=config.parallel,
                precision=config.precision,
            )
            # At once: the others may take hours, and what is measured shall not be lost with them.
            print("\n".join([table({name: result}), *peer_lines(name, result)]), flush=True)
            told["models"][name] = result
            if path is not None:
                path.write_text(json.dumps(told, indent=2) + "\n")
    except ValueError as error:
        refuse(error)
    print(legend())


if __name__ == "__main__":
    main()
