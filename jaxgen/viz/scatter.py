"""Pictures of the plane: points coloured by class, and densities."""

from collections.abc import Callable, Sequence

import numpy as np

# Ten colours told apart by all eyes, on white and on black (Petroff, 2021, https://arxiv.org/abs/2107.02270).
PALETTE = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
MARKERS = "o^sDvP*X"  # the classes after the tenth take the colours again with the next marker


def scatter(points, labels=None, *, title: str = "", names: Sequence[str] | None = None) -> np.ndarray:
    """Points of the plane, coloured by class, with a legend.

    Args:
      points: [N, 2]; those that are not finite are left out, and the picture says how many.
      labels: [N] whole numbers, or None for one colour.
      title: written above.
      names: the name of class c at place c, instead of its number.

    Returns:
      A canvas uint8 [H, W, 3].

    Raises:
      ValueError: for other shapes, labels that are not whole numbers, or labels without a name.
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"scatter: expected points [N, 2], got shape {points.shape}")
    points = points.astype(np.float64)
    classes = np.zeros(len(points), int) if labels is None else np.asarray(labels)
    if classes.shape != points.shape[:1] or classes.dtype.kind not in "iub":
        raise ValueError(
            f"scatter: expected whole-number labels [{len(points)}], got {classes.dtype} of shape {classes.shape}"
        )
    kinds = [int(kind) for kind in np.unique(classes)]
    if names is not None and kinds and not 0 <= kinds[0] <= kinds[-1] < len(names):
        raise ValueError(
            f"scatter: expected labels 0 to {len(names) - 1}, one a name, got labels {kinds[0]} to {kinds[-1]}"
        )
    finite = np.isfinite(points).all(axis=1)
    ranks = np.searchsorted(kinds, classes) if kinds else classes
    figure, axes = _plane(title)
    size = float(np.clip(16000 / max(len(points), 1), 6, 36))
    colours = np.array(PALETTE)[ranks % len(PALETTE)]
    for turn, marker in enumerate(MARKERS):
        chosen = finite & (ranks // len(PALETTE) % len(MARKERS) == turn)
        if chosen.any():
            axes.scatter(*points[chosen].T, s=size, c=colours[chosen], marker=marker, alpha=0.8, linewidths=0)
    if labels is not None:
        for rank, kind in enumerate(kinds):
            marker = MARKERS[rank // len(PALETTE) % len(MARKERS)]
            label = str(kind) if names is None else str(names[kind])
            axes.scatter(
                [], [], s=40, c=PALETTE[rank % len(PALETTE)], marker=marker, linewidths=0, label=literal(label)
            )
        if kinds:
            columns = -(-len(kinds) // 20)
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, ncols=columns)
    if not finite.all():
        axes.set_xlabel(f"{int((~finite).sum())} of {len(points)} points are not finite")
    return canvas_of(figure)


def density(values, extent, *, title: str = "", resolution: int = 200) -> np.ndarray:
    """An image of a density over the plane, dark where it is small.

    Args:
      values: a function from points [M, 2] to values [M], or a grid [Y, X] whose first row is the lowest y.
      extent: (left, right, bottom, top).
      title: written above.
      resolution: points a side where `values` is a function.

    Returns:
      A canvas uint8 [H, W, 3]; values that are not finite are grey.

    Raises:
      ValueError: for an extent out of order, a grid that is not [Y, X], or a function that returns another shape.
    """
    extent = tuple(float(edge) for edge in extent)
    if len(extent) != 4 or not (extent[0] < extent[1] and extent[2] < extent[3]):
        raise ValueError(f"density: expected extent (left, right, bottom, top) in order, got {extent}")
    grid = evaluate(values, extent, resolution) if callable(values) else np.asarray(values)
    if grid.ndim != 2 or 0 in grid.shape:
        raise ValueError(f"density: expected a grid [Y, X], not empty, got shape {grid.shape}")
    figure, axes = _plane(title, adjustable="box")
    axes.set_facecolor("0.6")
    axes.imshow(grid.astype(np.float64), extent=extent, origin="lower", cmap="viridis", interpolation="nearest")
    return canvas_of(figure)


def evaluate(function: Callable, extent, resolution: int = 200) -> np.ndarray:
    """The values of a function of points [M, 2] at the centres of a grid [resolution, resolution] over `extent`.

    Raises:
      ValueError: if resolution is below 1 or the function does not return [M].
    """
    if resolution < 1:
        raise ValueError(f"density: expected resolution >= 1, got {resolution}")
    left, right, bottom, top = extent
    centres = (np.arange(resolution) + 0.5) / resolution
    x, y = np.meshgrid(left + (right - left) * centres, bottom + (top - bottom) * centres)
    values = np.asarray(function(np.stack([x.ravel(), y.ravel()], axis=-1).astype(np.float32)))
    if values.shape != (resolution**2,):
        raise ValueError(f"density: expected the function to return [{resolution**2}], got shape {values.shape}")
    return values.reshape(resolution, resolution)


def literal(text: str) -> str:
    """Text that matplotlib writes as it is: a dollar sign begins no mathematics."""
    return text.replace("$", r"\$")


def _plane(title: str, adjustable: str = "datalim"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 6.4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(literal(title))
    axes.set_aspect("equal", adjustable=adjustable)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def canvas_of(figure) -> np.ndarray:
    """Return a drawn figure as a canvas uint8 [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
