"""Curves over a shared axis as a canvas, such as the spectra of several models."""

from collections.abc import Mapping

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal


def lines(
    series: Mapping[str, np.ndarray], *, title: str = "", xlabel: str = "", ylabel: str = "", log: bool = False
) -> np.ndarray:
    """Each series [K] as a line over 1, ..., K, with a legend.

    Args:
      series: name -> values [K]; K may differ. With `log`, values that are not positive leave gaps.
      title: written above.
      xlabel: the name of the axis of places.
      ylabel: the values' name and unit.
      log: whether the vertical axis is logarithmic.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no series, or one that is not [K], K at least 1.
    """
    from matplotlib.figure import Figure

    shapes = {name: np.shape(values) for name, values in series.items()}
    if not shapes or any(len(shape) != 1 or shape == (0,) for shape in shapes.values()):
        raise ValueError(f"lines: expected series of values [K], at least one, got shapes {shapes}")
    figure = Figure(figsize=(7.2, 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot(title=literal(title), xlabel=literal(xlabel), ylabel=literal(ylabel))
    for rank, (name, values) in enumerate(series.items()):
        values = np.asarray(values, np.float64)
        shown = np.where(values > 0, values, np.nan) if log else values
        axes.plot(np.arange(1, len(values) + 1), shown, color=PALETTE[rank % len(PALETTE)], label=literal(name))
    drawn = any(np.isfinite(line.get_ydata()).any() for line in axes.lines)
    axes.set_yscale("log" if log and drawn else "linear")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return canvas_of(figure)
