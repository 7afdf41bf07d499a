"""Curves of a run as small, crisp SVG text."""

import io
import itertools
import re
from collections.abc import Mapping

import numpy as np

from jaxgen.viz.scatter import PALETTE, literal

POINTS = 500  # a line is thinned to at most so many
MANY = 8  # series, beyond which the legend stands below the axes
SMALL = {"frameon": False, "fontsize": 8}
INK = "#010203"  # stands for the colour of the text around, until the SVG is written
LIMIT = 1e100  # beyond, a value is as good as infinite, and the axes' arithmetic is safe from overflow


def curves(series: Mapping[str, tuple], *, title: str = "", ylabel: str = "", log: bool = False) -> str:
    """Lines in one pair of axes, such as the training and the validation values of one quantity.

    Values that are not finite (with `log`, not positive) leave gaps. Of several seeds the line is the mean and the band
    one standard deviation either side, both over the seeds that are finite at that step; the legend tells how many
    seeds ever were not.

    Args:
      series: name -> (steps [T], values [T] or [T, S] of S seeds), in order of step.
      title: written above.
      ylabel: written beside the vertical axis.
      log: whether the vertical axis is logarithmic.

    Returns:
      An ``<svg>`` element, equal for equal input, that takes its text colour from the page around it.

    Raises:
      ValueError: for no series, or shapes that do not fit.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if not series:
        raise ValueError("curves: expected at least one series, got none")
    style = {"svg.fonttype": "none", "svg.hashsalt": "jaxgen", "font.sans-serif": ["DejaVu Sans"], "font.size": 9}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)
    with matplotlib.rc_context(style):
        below = -(-len(series) // 2) if len(series) > MANY else 0  # rows of a legend that would hide the lines
        figure = Figure(figsize=(5.2, 3.1 + 0.17 * below), layout="constrained")
        axes = figure.add_subplot()
        for index, (name, (steps, values)) in enumerate(series.items()):
            _line(axes, name, steps, values, colour=PALETTE[index % len(PALETTE)], log=log)
        axes.set_title(literal(title), fontsize=10)
        axes.set_xlabel("step")
        axes.set_ylabel(literal(ylabel))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=INK, alpha=0.12, linewidth=0.6)
        axes.set_yscale("log" if log and any(np.isfinite(line.get_ydata()).any() for line in axes.lines) else "linear")
        axes.margins(x=0.02)
        lines = list(axes.lines)
        look = {"fontsize": 6, "loc": "outside lower center", "ncols": 2} if below else {}
        (figure if below else axes).legend(lines, [line.get_label() for line in lines], **SMALL | look)
        text = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)  # a hundredth of a point
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # several curves share one page, and ids there must be told apart
    return svg[svg.index("<svg") :].replace(INK, "currentColor")


def thin(values, points: int = POINTS) -> np.ndarray:
    """Places [at most `points`] of values [T] that keep the look of their line: both ends, and of every stretch between
    the lowest and the highest, so that a spike survives.
    """
    values = np.asarray(values)
    if len(values) <= points:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), (points - 2) // 2 + 1).astype(int)
    chosen = {0, len(values) - 1}
    for start, stop in itertools.pairwise(edges):
        stretch = values[start:stop]
        chosen.add(start + int(np.argmin(np.where(np.isnan(stretch), np.inf, stretch))))
        chosen.add(start + int(np.argmax(np.where(np.isnan(stretch), -np.inf, stretch))))
    return np.array(sorted(chosen))


def mean_and_deviation(values) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [T] of values [T, S] over the seeds that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    mean = np.where(known, values, 0.0).sum(axis=1) / count
    return mean, np.sqrt((np.where(known, values - mean[:, None], 0.0) ** 2).sum(axis=1) / count)


def _line(axes, name: str, steps, values, *, colour: str, log: bool):
    steps, values = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    if steps.ndim != 1 or values.ndim not in (1, 2) or len(values) != len(steps):
        raise ValueError(
            f"curves: {name!r}: expected steps [T] and values [T] or [T, S], got {steps.shape} and {values.shape}"
        )
    values = np.where(np.abs(values) < LIMIT, values, np.nan)  # no comparison with NaN is true
    values = np.where(values > 0, values, np.nan) if log else values
    label, band = literal(name), None
    if values.ndim == 2:
        mean, deviation = mean_and_deviation(values)
        lost = int(np.isnan(values).any(axis=0).sum())
        label += f" ({values.shape[1]} seeds" + (f", {lost} not always finite)" if lost else ")")
        low = mean - deviation
        if log:  # a band that reaches zero would hide all of itself
            low = np.where(low > 0, low, np.nanmin(values, axis=1, initial=LIMIT, where=~np.isnan(values)))
        values, band = mean, (low, mean + deviation)
    chosen = thin(values)
    lone = np.isfinite(values[chosen]).sum() == 1  # no line shows a lone point
    axes.plot(steps[chosen], values[chosen], color=colour, linewidth=1.4, label=label, marker="o" if lone else None)
    if band is not None:
        low, high = (edge[chosen] for edge in band)
        axes.fill_between(steps[chosen], low, high, color=colour, alpha=0.2, linewidth=0)
