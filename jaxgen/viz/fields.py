"""Vector fields of the plane with trajectories in them, one small panel each."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal

COLUMNS = 4


class Field(NamedTuple):
    """arrows: points [N, 2] -> vectors [N, 2]. path: points [T, 2] in order. truth: another path, or None."""

    arrows: Callable[[np.ndarray], np.ndarray]
    path: np.ndarray
    truth: np.ndarray | None = None


def fields(named: Mapping[str, Field], *, half: float, xlabel: str = "", ylabel: str = "") -> np.ndarray:
    """Each field over [-half, half]^2, its arrows scaled to one length, its path from the dot on, the truth dashed.

    Args:
      named: name -> field.
      half: of the side of the square.
      xlabel: of the first coordinate.
      ylabel: of the second.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no fields, or a path that is not [T, 2].
    """
    from matplotlib.figure import Figure

    if not named or any(np.ndim(one.path) != 2 or np.shape(one.path)[1] != 2 for one in named.values()):
        shapes = [np.shape(one.path) for one in named.values()]
        raise ValueError(f"fields: expected paths [T, 2], at least one, got {shapes}")
    columns = min(COLUMNS, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(2.8 * columns, 2.9 * rows), dpi=100, layout="constrained")
    line = np.linspace(-half, half, 13)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    for rank, (name, one) in enumerate(named.items()):
        axes = figure.add_subplot(rows, columns, rank + 1)
        arrows = np.asarray(one.arrows(np.stack([x, y], 1)), np.float64)
        arrows /= np.maximum(np.linalg.norm(arrows, axis=1, keepdims=True), 1e-9)
        axes.quiver(x, y, *arrows.T, color="0.75", pivot="mid", scale=22, width=0.006)
        axes.plot(*np.asarray(one.path).T, color=PALETTE[0], linewidth=1.2)
        axes.plot(*np.asarray(one.path)[0], "o", color=PALETTE[2], markersize=5)
        if one.truth is not None:
            axes.plot(*np.asarray(one.truth).T, color="0.1", linewidth=0.8, linestyle="--")
        axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
        axes.set_title(literal(name), fontsize=9)
        axes.set_xlabel(literal(xlabel), fontsize=8)
        axes.set_ylabel(literal(ylabel), fontsize=8)
        axes.tick_params(labelsize=7)
    return canvas_of(figure)
