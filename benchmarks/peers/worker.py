"""A peer in a process of its own, driven over a pipe: a number of steps in, the seconds they took out.

python -m benchmarks.peers.worker MODULE WORK KIND STEPS THREADS DEVICE PRECISION,
started by `benchmarks.peers.process`.
"""

import importlib
import json
import os
import resource
import sys
import time


def main(module: str, work: str, kind: str, steps: str, threads: str, device: str, precision: str) -> None:
    """Build and warm the peer, say what it is, then serve until the pipe closes.

    work: the module's "build", a training, or "sampler". device: "cpu" or "cuda". precision: "float32", "tf32" (of
    products) or "bfloat16" (by autocast).
    """
    # Only our own lines may go down the pipe: what compilers print goes to the error stream.
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        import torch

        torch.set_num_threads(int(threads))
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        with torch.device(device):
            peer = getattr(importlib.import_module(module), work)(kind, int(steps))

        def run(count: int) -> float:
            start = time.perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
                peer.run(count)
            if device == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter() - start

        first = run(1)
        run(int(steps))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(json.dumps({"error": lines[0][:200]}), file=pipe)
        return
    print(json.dumps({"parameters": peer.parameters, "first_step_seconds": first}), file=pipe)
    for line in sys.stdin:
        told = {"seconds": run(int(line)), "max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
        if device == "cuda":
            told["device_bytes"] = torch.cuda.max_memory_allocated()
        try:
            print(json.dumps(told), file=pipe)
        except BrokenPipeError:  # the benchmark was stopped
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
