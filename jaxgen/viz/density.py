"""A model's density over the plane beside the true one, and samples."""

from collections.abc import Callable

import numpy as np

from jaxgen.viz.scatter import PALETTE, canvas_of, evaluate, literal

Values = Callable[[np.ndarray], np.ndarray]


def densities(
    model: Values,
    extent,
    *,
    truth: Values | None = None,
    samples: np.ndarray | None = None,
    title: str = "",
    nats: float | None = None,
    resolution: int = 200,
    inside: int = 4,
) -> np.ndarray:
    """The true density, the model's on the same scale of colours, and the model's samples: a panel each.

    Args:
      model: its log-density, points [M, 2] -> nats [M].
      extent: (left, right, bottom, top).
      truth: the exact log-density, or None where it is not known.
      samples: points [N, 2], or None; those that are not finite or outside the extent are left out, and the panel
        says how many.
      title: written above all.
      nats: None shows the density, from 0 to the highest value of the truth (of the model, where there is no truth).
        A number shows its logarithm, from that highest value so many nats down: faint bridges between modes appear.
      resolution: cells a side of a panel.
      inside: points a side of a cell. Each cell shows their mean: modes narrower than a cell are not lost.

    Returns:
      A canvas uint8 [H, W, 3]; values that are not finite are grey.

    Raises:
      ValueError: for an extent out of order, samples that are not [N, 2], nats that are not positive, or a function
        that returns another shape.
    """
    from matplotlib.figure import Figure

    extent = tuple(float(edge) for edge in extent)
    if len(extent) != 4 or not (extent[0] < extent[1] and extent[2] < extent[3]):
        raise ValueError(f"densities: expected extent (left, right, bottom, top) in order, got {extent}")
    if samples is not None and (np.ndim(samples) != 2 or np.shape(samples)[1] != 2):
        raise ValueError(f"densities: expected samples [N, 2], got shape {np.shape(samples)}")
    if nats is not None and not nats > 0:
        raise ValueError(f"densities: expected nats above 0, got {nats}")
    functions = {"truth": truth, "model": model} if truth is not None else {"model": model}
    grids = {name: _cells(function, extent, resolution, inside) for name, function in functions.items()}
    shown = next(iter(grids.values()))
    highest = max(float(np.max(shown, where=np.isfinite(shown), initial=0.0)), np.finfo(np.float64).tiny)
    count = len(grids) + (samples is not None)
    figure = Figure(figsize=(3.6 * count + 0.9, 3.9 + 0.3 * bool(title)), dpi=100, layout="constrained")
    figure.suptitle(literal(title))
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, (name, grid) in zip(panels, grids.items(), strict=False):
        picture, limits = (grid, (0.0, highest)) if nats is None else _logarithm(grid, highest, nats)
        axes.set_facecolor("0.6")
        image = axes.imshow(picture, extent=extent, origin="lower", cmap="viridis", interpolation="nearest")
        image.set_clim(*limits)
        axes.set_title(name)
    label = "density" if nats is None else "log-density (nats)"
    figure.colorbar(image, ax=panels[: len(grids)].tolist(), label=label, shrink=0.8)
    if samples is not None:
        _samples(panels[-1], np.asarray(samples, np.float64), extent)
    return canvas_of(figure)


def _cells(function: Values, extent, resolution: int, inside: int) -> np.ndarray:
    """The mean density [resolution, resolution] of each cell; NaN where one of its points is not finite."""
    log_p = evaluate(function, extent, resolution * inside).astype(np.float64)
    with np.errstate(over="ignore"):
        p = np.where(np.isnan(log_p), np.nan, np.exp(log_p))
        mean = p.reshape(resolution, inside, resolution, inside).mean((1, 3))
    return np.where(np.isfinite(mean), mean, np.nan)


def _logarithm(grid: np.ndarray, highest: float, nats: float) -> tuple[np.ndarray, tuple[float, float]]:
    top = np.log(highest)
    return np.log(np.maximum(grid, np.exp(top - nats))), (top - nats, top)  # a maximum keeps NaN


def _samples(axes, points: np.ndarray, extent) -> None:
    low, high = (np.array(extent)[k] for k in ([0, 2], [1, 3]))
    seen = ((points >= low) & (points <= high)).all(1)
    size = float(np.clip(8000 / max(len(points), 1), 0.5, 12))
    axes.scatter(*points[seen].T, s=size, c=PALETTE[0], alpha=0.6, linewidths=0)
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    outside = len(points) - int(seen.sum())
    axes.set_title("samples" + (f", {outside} of {len(points)} outside" if outside else ""))
