"""The near end of the peers: which there are, and a training of one of them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.density.job import Job, Size, Trained, save
from benchmarks.peers.process import check_installed

PEERS = ("zuko", "nflows")


class Failed(Exception):
    """A peer's process ended before its time; its last words."""


def check(library: str, size: Size) -> None:
    """Raise ValueError where a peer is missing, or cannot make networks of these widths."""
    check_installed(library, "torch", library)
    if library == "nflows" and len(set(size.hidden)) > 1:
        raise ValueError(f"nflows has masked networks of one width alone, got --hidden {size.hidden}")


def train(library: str, kind: str, job: Job) -> Trained:
    """Train a peer on a job, in a process of its own. Raises Failed where it breaks."""
    check(library, job.size)
    with tempfile.TemporaryDirectory() as folder:
        save(job, Path(folder))
        command = [sys.executable, "-m", "benchmarks.density.worker", library, kind, folder]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or [f"it ended with status {ended.returncode}"])[-1]
            raise Failed(last[:200])
        told = json.loads(Path(folder, "trained.json").read_text())
        return Trained(**{**told, "test": np.load(Path(folder, "test.npy"))})
