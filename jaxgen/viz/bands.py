"""A score against a swept option, with the spread over seeds."""

from collections.abc import Sequence

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal


def bands(values: Sequence[float], scores: np.ndarray, *, xlabel: str, ylabel: str) -> np.ndarray:
    """Each seed's score as a dot, their mean as a line, mean +- deviation as a band.

    Args:
      values: [V] of the option; the axis is logarithmic where they are positive and span more than tenfold.
      scores: [V, S], of S seeds.
      xlabel: the option's name.
      ylabel: the score's name and unit.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: if the shapes do not agree.
    """
    from matplotlib.figure import Figure

    values, scores = np.asarray(values, float), np.asarray(scores, float)
    if scores.ndim != 2 or values.shape != scores.shape[:1]:
        raise ValueError(f"bands: expected values [V] and scores [V, S], got shapes {values.shape} and {scores.shape}")
    order = np.argsort(values)
    values, scores = values[order], scores[order]
    mean, deviation = scores.mean(1), scores.std(1, ddof=1 if scores.shape[1] > 1 else 0)
    figure = Figure(figsize=(7.2, 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot(xlabel=literal(xlabel), ylabel=literal(ylabel))
    if values[0] > 0 and values[-1] > 10 * values[0]:
        axes.set_xscale("log")
    axes.fill_between(values, mean - deviation, mean + deviation, color=PALETTE[0], alpha=0.25, linewidth=0)
    axes.plot(values, mean, color=PALETTE[0])
    axes.plot(np.repeat(values, scores.shape[1]), scores.ravel(), "o", color=PALETTE[0], markersize=4)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return canvas_of(figure)
