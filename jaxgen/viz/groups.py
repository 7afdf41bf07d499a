"""Bars side by side, such as the scores of several methods class by class."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal


def grouped_bars(
    series: Mapping[str, np.ndarray],
    names: Sequence[str],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    line: float | None = None,
) -> np.ndarray:
    """A group of bars for each name, one bar a series, with a legend.

    Args:
      series: name -> values [G]. Values that are not finite leave gaps.
      names: of the G groups.
      title: written above.
      xlabel: what the groups are.
      ylabel: the values' name and unit.
      line: a value to mark across, such as chance. With it the axis begins near the least value, not at 0.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no series, no groups, or series that are not [G].
    """
    from matplotlib.figure import Figure

    shapes = {name: np.shape(values) for name, values in series.items()}
    if not shapes or not len(names) or any(shape != (len(names),) for shape in shapes.values()):
        raise ValueError(f"grouped_bars: expected series [{len(names)}], at least one, not empty, got shapes {shapes}")
    figure = Figure(figsize=(max(7.2, 0.9 * len(names)), 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot(title=literal(title), xlabel=literal(xlabel), ylabel=literal(ylabel))
    width, finite = 0.8 / len(series), []
    for rank, (name, values) in enumerate(series.items()):
        values = np.asarray(values, np.float64)
        finite += values[np.isfinite(values)].tolist()
        places = np.arange(len(names)) + (rank - (len(series) - 1) / 2) * width
        axes.bar(places, values, width, color=PALETTE[rank % len(PALETTE)], label=literal(name))
    if line is not None:
        axes.axhline(line, color="0.3", linewidth=0.8, linestyle="--")
        low, high = min([line, *finite]), max([line, *finite])
        pad = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - pad, high + pad)
    axes.set_xticks(np.arange(len(names)), [literal(str(name)) for name in names])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return canvas_of(figure)
