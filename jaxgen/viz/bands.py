"""Scores against an option or a size, with their spread over seeds or repeats."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal


def bands(values: Sequence[float], scores: Mapping[str, np.ndarray], *, xlabel: str, ylabel: str) -> np.ndarray:
    """Each seed's score as a dot, their mean as a line, mean +- deviation as a band; one line a name.

    Args:
      values: [V] of the option; the axis is logarithmic where they are positive and span more than tenfold.
      scores: name -> [V, S], of S seeds or repeats; a legend tells several names apart.
      xlabel: the option's name.
      ylabel: the score's name and unit.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: if the shapes do not agree.
    """
    from matplotlib.figure import Figure

    values, shapes = np.asarray(values, float), {name: np.shape(rows) for name, rows in scores.items()}
    if not shapes or any(len(shape) != 2 or values.shape != shape[:1] for shape in shapes.values()):
        raise ValueError(f"bands: expected values [V] and scores [V, S], got shapes {values.shape} and {shapes}")
    order = np.argsort(values)
    values = values[order]
    figure = Figure(figsize=(7.2, 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot(xlabel=literal(xlabel), ylabel=literal(ylabel))
    if values[0] > 0 and values[-1] > 10 * values[0]:
        axes.set_xscale("log")
    for rank, (name, rows) in enumerate(scores.items()):
        rows, colour = np.asarray(rows, float)[order], PALETTE[rank % len(PALETTE)]
        mean, deviation = rows.mean(1), rows.std(1, ddof=1 if rows.shape[1] > 1 else 0)
        axes.fill_between(values, mean - deviation, mean + deviation, color=colour, alpha=0.25, linewidth=0)
        axes.plot(values, mean, color=colour, label=literal(name))
        axes.plot(np.repeat(values, rows.shape[1]), rows.ravel(), "o", color=colour, markersize=4)
    if len(scores) > 1:
        axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas_of(figure)
