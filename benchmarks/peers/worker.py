"""A peer in a process of its own, driven over a pipe: a number of steps in, the seconds they took out.

python -m benchmarks.peers.worker MODULE KIND STEPS THREADS, started by `benchmarks.peers.process`.
"""

import importlib
import json
import os
import resource
import sys
import time


def main(module: str, kind: str, steps: str, threads: str) -> None:
    """Build and warm the peer, say what it is, then serve until the pipe closes."""
    # Only our own lines may go down the pipe: what compilers print goes to the error stream.
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        import torch

        torch.set_num_threads(int(threads))
        peer = importlib.import_module(module).build(kind, int(steps))
        start = time.perf_counter()
        peer.run(1)
        first = time.perf_counter() - start
        peer.run(int(steps))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(json.dumps({"error": lines[0][:200]}), file=pipe)
        return
    about = {"parameters": peer.parameters, "first_step_seconds": first, "torch": torch.__version__}
    print(json.dumps(about), file=pipe)
    for line in sys.stdin:
        start = time.perf_counter()
        peer.run(int(line))
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            print(json.dumps({"seconds": seconds, "max_rss": memory}), file=pipe)
        except BrokenPipeError:  # the benchmark was stopped
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
