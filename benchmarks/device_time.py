"""How long an accelerator works, as its profiler tells it: wall time less this is the host's."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import jax


def busy_seconds(run: Callable[[], object]) -> float | None:
    """Return how many seconds the first accelerator's kernels take in run(), None where no profiler tells of one."""
    if jax.default_backend() == "cpu":
        return None
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        traces = list(Path(folder).rglob("*.xplane.pb"))
        if not traces:
            return None
        planes = jax.profiler.ProfileData.from_file(str(traces[0])).planes
        spans = [
            (event.start_ns, event.start_ns + event.duration_ns)
            for plane in planes
            if plane.name.startswith("/device:") and plane.name.endswith(":0")
            for line in plane.lines
            if line.name.startswith("Stream")
            for event in line.events
        ]
    return covered(spans) * 1e-9 or None


def covered(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of intervals (start, end)."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
