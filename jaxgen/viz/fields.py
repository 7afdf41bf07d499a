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


def fields(
    named: Mapping[str, Field],
    *,
    half: float,
    xlabel: str = "",
    ylabel: str = "",
    columns: int = COLUMNS,
    side: float = 2.8,
) -> np.ndarray:
    """Each field over [-half, half]^2, its arrows scaled to one length, its path from the dot on, the truth dashed.

    Args:
      named: name -> field.
      half: of the side of the square.
      xlabel: of the first coordinate, written below the last row.
      ylabel: of the second, written beside the first column.
      columns: of panels, where there are as many.
      side: of a panel in hundreds of pixels.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no fields, or a path that is not [T, 2].
    """
    from matplotlib.figure import Figure

    if not named or any(np.ndim(one.path) != 2 or np.shape(one.path)[1] != 2 for one in named.values()):
        shapes = [np.shape(one.path) for one in named.values()]
        raise ValueError(f"fields: expected paths [T, 2], at least one, got {shapes}")
    columns = min(columns, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(side * columns, (side + 0.1) * rows), dpi=100, layout="constrained")
    small = side < 2
    line = np.linspace(-half, half, 9 if small else 13)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    for rank, (name, one) in enumerate(named.items()):
        axes = figure.add_subplot(rows, columns, rank + 1)
        arrows = np.asarray(one.arrows(np.stack([x, y], 1)), np.float64)
        arrows /= np.maximum(np.linalg.norm(arrows, axis=1, keepdims=True), 1e-9)
        axes.quiver(x, y, *arrows.T, color="0.7", pivot="mid", scale=1.7 * len(line), width=0.01 if small else 0.006)
        axes.plot(*np.asarray(one.path).T, color=PALETTE[0], linewidth=1.2)
        axes.plot(*np.asarray(one.path)[0], "o", color=PALETTE[2], markersize=5)
        if one.truth is not None:
            axes.plot(*np.asarray(one.truth).T, color="0.1", linewidth=0.8, linestyle="--")
        axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
        axes.set_title(literal(name), fontsize=7.5 if small else 9)
        left, last = rank % columns == 0, rank + columns >= len(named)
        axes.set_xlabel(literal(xlabel) if last else "", fontsize=8)
        axes.set_ylabel(literal(ylabel) if left else "", fontsize=8)
        axes.tick_params(labelsize=7, labelbottom=last, labelleft=left)
    return canvas_of(figure)
