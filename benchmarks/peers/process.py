"""The near end of a peer's worker process.

A peer lives in a process of its own, asleep on a pipe while we run, as we are while it runs: neither's thread pool can
spin on the other's time, allocators stay apart, and so does the memory that is told of each. Both see the same cores
and number of threads. The peer times its own steps, so the pipe costs nothing.
"""

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any, Literal, Self


def check_installed(asks: str, *libraries: str) -> None:
    """Raise ValueError where a library that `asks` needs is missing; none is imported."""
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise ValueError(f"{asks} needs {library}, which is not installed: pip install 'jaxgen[peers]'")


class Worker:
    """A peer, ready and warm; a context manager. `about` says what it is, or has "error": why it cannot run."""

    def __init__(
        self,
        module: str,
        kind: str,
        *,
        work: Literal["build", "sampler"] = "build",
        steps: int,
        threads: int,
        library: str = "torch",
        device: str = "cpu",
        precision: str = "float32",
    ):
        """Start the process and wait until it is warm. work: a training's steps, or batches of samples.

        Raises ValueError where torch is missing.
        """
        check_installed("--peers", "torch")
        told = [module, work, kind, str(steps), str(threads), device, precision]
        command = [sys.executable, "-m", "benchmarks.peers.worker", *told]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.library, self.name = library, f"{library} {kind}"
        self.about = self._hear()

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what the peer is made of."""
        return {name: version(name) for name in ("torch", self.library)}

    def run(self, steps: int) -> float:
        """Take this many steps; return the seconds they took."""
        print(steps, file=self._process.stdin, flush=True)
        told = self._hear()
        self.about |= {name: value for name, value in told.items() if name != "seconds"}
        return told["seconds"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the process end."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _hear(self) -> dict[str, Any]:
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"the peer {self.name}'s process ended with status {self._process.wait()}")
