"""What a flow does to the plane, layer by layer: the lines of a grid, bent."""

from collections.abc import Sequence

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal

COLUMNS = 4
MIDDLE = 0.005  # of the points at each end of an axis, which a panel need not show: tails may run far


def warp(grids: Sequence[np.ndarray], *, names: Sequence[str] | None = None, title: str = "") -> np.ndarray:
    """A grid's points after each layer, a small panel each, its rows in one colour and its columns in another.

    Every panel has axes of its own, one scale for both, around all but the outermost hundredth of its points along
    each. Lines end at points that are not finite.

    Args:
      grids: the points [n, n, 2] before the first layer, after it, and so on; rows along the first axis.
      names: of the panels, "grid" and "after layer 1" and so on if not given.
      title: written above all.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no grids, shapes that are not one [n, m, 2] with n and m of 2 at least, or names that do not fit.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    shapes = [np.shape(grid) for grid in grids]
    if len(set(shapes)) != 1 or len(shapes[0]) != 3 or shapes[0][2] != 2 or min(shapes[0]) < 2:
        raise ValueError(f"warp: expected grids of one shape [n, n, 2], at least one and n at least 2, got {shapes}")
    if names is None:
        names = ["grid", *(f"after layer {k}" for k in range(1, len(grids)))]
    if len(names) != len(grids):
        raise ValueError(f"warp: expected {len(grids)} names, one a grid, got {len(names)}")
    columns = min(COLUMNS, len(grids))
    rows = -(-len(grids) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows + 0.3 * bool(title)), dpi=100, layout="constrained")
    figure.suptitle(literal(title))
    for rank, (name, grid) in enumerate(zip(names, grids, strict=True)):
        grid = np.asarray(grid, np.float64)
        grid = np.where(np.isfinite(grid).all(-1, keepdims=True), grid, np.nan)
        axes = figure.add_subplot(rows, columns, rank + 1)
        for lines, colour in ((grid, PALETTE[0]), (grid.swapaxes(0, 1), PALETTE[2])):
            axes.add_collection(LineCollection(_segments(lines), colors=colour, linewidths=0.7, alpha=0.8))
        low, high = _limits(grid.reshape(-1, 2))
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.tick_params(labelsize=7)
        axes.set_title(literal(name), fontsize=10)
    return canvas_of(figure)


def _segments(lines: np.ndarray) -> np.ndarray:
    """The pieces [M, 2, 2] of polylines [n, m, 2] whose two ends are finite."""
    pieces = np.stack([lines[:, :-1], lines[:, 1:]], axis=2).reshape(-1, 2, 2)
    return pieces[np.isfinite(pieces).all((1, 2))]


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper corner, each [2], of a square around points [M, 2]."""
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return np.full(2, -1.0), np.full(2, 1.0)
    low, high = np.quantile(points, [MIDDLE, 1 - MIDDLE], axis=0)
    half = max(0.55 * float((high - low).max()), 1e-6)
    return (low + high) / 2 - half, (low + high) / 2 + half
