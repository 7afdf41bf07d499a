"""Several clouds of points of the plane, one small panel each."""

from collections.abc import Mapping

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, literal

COLUMNS = 4


def panels(clouds: Mapping[str, np.ndarray], *, title: str = "") -> np.ndarray:
    """Points [N, 2] by name, all on the axes of the first cloud.

    Args:
      clouds: name -> points [N, 2]; those that are not finite or far outside the first cloud are left out.
      title: written above all.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for no clouds, or one that is not [N, 2].
    """
    from matplotlib.figure import Figure

    shapes = {name: np.shape(points) for name, points in clouds.items()}
    if not shapes or any(len(shape) != 2 or shape[1] != 2 or not shape[0] for shape in shapes.values()):
        raise ValueError(f"panels: expected points [N, 2] by name, at least one, got shapes {shapes}")
    first = np.asarray(next(iter(clouds.values())), np.float64)
    first = first[np.isfinite(first).all(1)]
    middle = (first.max(0) + first.min(0)) / 2
    half = 0.65 * max(float((first.max(0) - first.min(0)).max()), 1e-6)
    columns = min(COLUMNS, len(clouds))
    rows = -(-len(clouds) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.5 * rows + 0.3 * bool(title)), dpi=100, layout="constrained")
    figure.suptitle(literal(title))
    for rank, (name, points) in enumerate(clouds.items()):
        axes = figure.add_subplot(rows, columns, rank + 1)
        axes.scatter(*np.asarray(points, np.float64).T, s=3, c=PALETTE[min(rank, 1) * 2], alpha=0.5, linewidths=0)
        axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), aspect="equal")
        axes.set(xticks=[], yticks=[])
        axes.set_title(literal(name), fontsize=10)
    return canvas_of(figure)
