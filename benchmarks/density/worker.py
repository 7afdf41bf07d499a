"""A peer's training in a process of its own, with its own threads and memory, while we wait.

python -m benchmarks.density.worker LIBRARY KIND FOLDER, started by `benchmarks.density.peers`.
"""

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.density.job import load
from benchmarks.density.torch_training import train


def main(library: str, kind: str, folder: str) -> None:
    """Train on the folder's job and write what came of it beside the job."""
    job = load(Path(folder))
    torch.set_num_threads(job.size.threads)
    torch.manual_seed(job.size.seed)
    flows = importlib.import_module(f"benchmarks.density.{library}_flows")
    model = flows.build(kind, job.size, job.train.shape[1])
    trained = train(model, flows.log_prob, job, importlib.metadata.version(library))
    np.save(Path(folder, "test.npy"), trained.test)
    Path(folder, "trained.json").write_text(json.dumps({**trained._asdict(), "test": None}))


if __name__ == "__main__":
    main(*sys.argv[1:])
