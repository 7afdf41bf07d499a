"""The comparison as lines of text."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from benchmarks.density.job import BOUND, Size

HEADINGS = (
    "data",
    "flow",
    "library",
    "log-likelihood",
    "above ours",
    "parameters",
    "best at",
    "train s",
    "ms a step",
    "compile s",
)


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row for each training, below the headings."""
    rows = [HEADINGS]
    for data, result in results.items():
        for flow, libraries in result["flows"].items():
            rows += [(PurePath(data).name, flow, *_cells(library, told)) for library, told in libraries.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cells(library: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    if "failed" in told:
        return (library, f"failed: {told['failed']}", *[""] * 6)
    score = "diverged"
    if told["log_likelihood"] is not None:
        score = f"{told['log_likelihood']:.3f} +- {told['error']:.3f}"
    above = told.get("above_ours")
    return (
        f"{library} {told['version']}",
        score,
        f"{above[0]:+.3f} +- {above[1]:.3f}" if above else "-",
        f"{told['parameters']:,}",
        str(told["best_step"]),
        f"{told['seconds']:.1f}",
        f"{told['step_milliseconds']:.2f}",
        f"{told['compile_seconds']:.1f}",
    )


def legend(size: Size, batch_size: int) -> str:
    """Return what the numbers are, and what every library was given."""
    clip = f", gradients cut at {size.clip:g}" if size.clip else ""
    checkpoints = min(size.evaluations, size.steps)
    widths = "-".join(map(str, size.hidden))
    return (
        "log-likelihood: nats a test row, columns of mean 0 and deviation 1 by the training part, mean +- two\n"
        f"standard errors, of the best on validation of {checkpoints} checkpoints; above ours: the same, of the\n"
        "differences row by row; train s: of all updates, without scoring and what stands under compile s, ours\n"
        f"to compile, theirs a first update thrown away. All: {size.layers} layers, networks {widths},\n"
        f"{size.bins} bins on [-{BOUND:g}, {BOUND:g}], {size.steps} updates of {batch_size} rows, the same ones, Adam\n"
        f"{size.learning_rate:g} with a cosine to 0{clip}, threads {size.threads}"
    )
