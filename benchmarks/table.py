"""Measurements as lines of text."""

from collections.abc import Mapping
from typing import Any

HEADINGS = {
    "model": "",
    "parameters": "",
    "MFLOP": "a step, matrix products",
    "MB": "a step, moved: the compiler's estimate, a loop's body once",
    "compile s": "of the chunk",
    "ms": "a step, in chunks: median [quartiles]",
    "device ms": "an accelerator's kernels at work, of a chunk traced apart",
    "single / many": "time of single dispatches over time of chunks",
    "examples/s": "",
    "of peak": "share of the machine's matmul rate in this run; a convolution's products by its definition",
    "memory MB": "the most held, compiling included; of a device, by the models before it too",
}


def row(name: str, result: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a model's row, by heading."""
    memory = result["memory_bytes"]
    return {
        "model": name,
        "parameters": f"{result['parameters']:,}",
        "MFLOP": f"{result['matmul_flops'] / 1e6:.1f}",
        "MB": "-" if result["bytes"] is None else f"{result['bytes'] / 1e6:.1f}",
        "compile s": f"{result['compile_seconds']['many']:.2f}",
        "ms": spread(result["step_milliseconds"]["many"]),
        "device ms": "-" if result["device_milliseconds"] is None else f"{result['device_milliseconds']:.3f}",
        "single / many": spread(result["single_over_many"]),
        "examples/s": f"{result['examples_per_second']:,.0f}",
        "of peak": f"{result['share_of_peak']:.0%}",
        "memory MB": f"{(memory['device'] or memory['resident']) / 1e6:,.0f}",
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row a model, below its headings."""
    rows = [dict(zip(HEADINGS, HEADINGS, strict=True)), *(row(name, result) for name, result in results.items())]
    widths = {heading: max(len(cells[heading]) for cells in rows) for heading in HEADINGS}
    lines = ["  ".join(cells[heading].rjust(widths[heading]) for heading in HEADINGS) for cells in rows]
    return "\n".join(lines)


def peer_lines(name: str, result: Mapping[str, Any]) -> list[str]:
    """Return a line a peer: its step and how many times ours fits into it."""
    lines = []
    for kind, peer in result["peers"].items():
        if "error" in peer:
            lines.append(f"{name}: {kind} cannot run here: {peer['error']}")
        else:
            times, ratio = spread(peer["step_milliseconds"]), spread(peer["ratio"])
            versions = ", ".join(f"{library} {version}" for library, version in sorted(peer["versions"].items()))
            lines.append(f"{name}: {kind} {times} ms a step, {ratio} times ours ({versions})")
    return lines


def legend() -> str:
    """Return what the headings mean."""
    return "; ".join(f"{heading}: {meaning}" for heading, meaning in HEADINGS.items() if meaning)


def spread(quartiles: list[float]) -> str:
    """Return "median [first quartile, third quartile]"."""
    low, median, high = quartiles
    places = 2 if median >= 0.5 else 3
    return f"{median:.{places}f} [{low:.{places}f}, {high:.{places}f}]"
