"""Bars, one a place, such as how often each code is used or the KL of each latent."""

from collections.abc import Mapping

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal


def bars(
    series: Mapping[str, np.ndarray], *, title: str = "", xlabel: str = "", ylabel: str = "", line: float | None = None
) -> np.ndarray:
    """Each series [K] as bars over 0, ..., K - 1, one pair of axes a series, one above the other, of one scale.

    Args:
      series: name -> values [K]; K may differ. Values that are not finite leave gaps.
      title: written above all.
      xlabel: the name of the places.
      ylabel: the values' name and unit.
      line: a value to mark across, such as the mean.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no series, or one that is not [K], K at least 1.
    """
    from matplotlib.figure import Figure

    shapes = {name: np.shape(values) for name, values in series.items()}
    if not shapes or any(len(shape) != 1 or shape == (0,) for shape in shapes.values()):
        raise ValueError(f"bars: expected series of values [K], at least one, got shapes {shapes}")
    figure = Figure(figsize=(7.2, 1.2 + 2.6 * len(series)), dpi=100, layout="constrained")
    figure.suptitle(literal(title))
    axes = None
    for rank, (name, values) in enumerate(series.items()):
        axes = figure.add_subplot(len(series), 1, rank + 1, ylabel=literal(ylabel), sharey=axes)
        values = np.asarray(values, np.float64)
        width = 0.8 if len(values) <= 100 else 1.0  # gaps between very many bars would be all that is seen
        axes.bar(np.arange(len(values)), np.where(np.isfinite(values), values, 0), width, color=PALETTE[rank % 10])
        if line is not None:
            axes.axhline(line, color="0.3", linewidth=0.8, linestyle="--")
        axes.set_title(literal(name), fontsize=10)
        axes.set_xlim(-0.8, len(values) - 0.2)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(literal(xlabel))
    return canvas_of(figure)
