"""What a flow is seen by: its density over the plane, samples, temperatures, lines between images, warped grids."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.keys import fixed_key
from experiments.common.view import View
from jaxgen.bijectors.chain import layers
from jaxgen.bijectors.continuous import Continuous
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.permute import Deal
from jaxgen.metrics.pca import principal_components
from jaxgen.models.flow import Flow
from jaxgen.viz.density import densities
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate
from jaxgen.viz.pairs import beside
from jaxgen.viz.panels import panels
from jaxgen.viz.scatter import scatter
from jaxgen.viz.warp import warp

Array = jax.Array
PANELS = 12  # of a warp, at most
TIMES = (0.75, 0.5, 0.25)  # of a continuous flow, from noise to data


def image_pictures(flow: Flow, params: Any, condition: Array | None) -> dict[str, np.ndarray]:
    """Return samples, of these conditions [B, ...] where there are any."""
    number = 64 if condition is None else len(condition)
    return {"samples": tile(sampler(flow)(params, fixed_key(), number, condition), columns=8)}


def noise_pictures(
    flow: Flow,
    params: Any,
    x: Array,
    condition: Array | None,
    temperatures: tuple[float, ...],
    shown: Array | None,
) -> dict[str, np.ndarray]:
    """Return samples of one noise at several temperatures, and lines between the noise of images x [B, ...].

    condition: of the images; along a line conditions are mixed as the noise is. shown: those of the samples.
    """
    number = min(10, len(x) if shown is None else len(shown))
    some = None if shown is None else shown[np.linspace(0, len(shown) - 1, number).astype(int)]
    sample = sampler(flow)
    rows = [sample(params, fixed_key(), number, some, temperature=temperature) for temperature in temperatures]
    labels = [f"temperature {temperature:g}" for temperature in temperatures]
    canvases = {"temperatures": beside(*rows, labels=labels, columns=number)}
    if len(x) < 2:
        return canvases
    half = len(x) // 2

    def line(ends):
        flat = np.asarray(ends).reshape(len(ends), -1)
        return interpolate(flat[:half], flat[half : 2 * half], 12).reshape(-1, *ends.shape[1:])

    z, mixed = line(jax.jit(flow.encode)(params, x, condition)[0]), None if condition is None else line(condition)
    return canvases | {"interpolation": tile(jax.jit(flow.decode)(params, z, mixed)[0], columns=12)}


def sampler(flow: Flow) -> Callable[..., Array]:
    """Return `Flow.sample`, compiled."""
    return jax.jit(flow.sample, static_argnums=2)


def plane_pictures(flow: Flow, params: Any, view: View) -> dict[str, np.ndarray]:
    """Return the density over the plane beside the true one, and samples."""
    extent = box(np.asarray(view.some("validation", 4000)["x"]), 0.08)
    samples = np.asarray(sampler(flow)(params, fixed_key(), 4000))
    log_prob = partial(jax.jit(flow.log_prob), params)
    canvas = densities(log_prob, extent, truth=view.data.log_density, samples=samples, nats=10.0, inside=1)
    return {"density": canvas}


def box(x: np.ndarray, margin: float) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) around points [N, 2], with a margin of this part of their extent."""
    low, high = x.min(0), x.max(0)
    more = margin * (high - low).max()
    return tuple(float(edge) for edge in (low[0] - more, high[0] + more, low[1] - more, high[1] + more))


def temperature_picture(flow: Flow, params: Any, view: View, temperatures: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Return points of one noise at several temperatures, beside the data's."""
    sample = sampler(flow)
    clouds = {f"temperature {t:g}": sample(params, fixed_key(), 1000, temperature=t) for t in temperatures}
    return {"temperatures": panels({"data": view.some("test", 1000)["x"]} | clouds)}


def table_picture(flow: Flow, params: Any, view: View) -> dict[str, np.ndarray]:
    """Return samples among rows of the data, in the data's first two principal components."""
    rows = np.asarray(view.some("validation", 1000)["x"])
    if min(rows.shape) < 2:
        return {}
    plane = principal_components(rows, 2)
    x = np.asarray(sampler(flow)(params, fixed_key(), len(rows)))
    data, drawn = plane.encode(rows, 2), plane.encode(x, 2)
    low, high = data.min(axis=0), data.max(axis=0)
    # One in a tail would leave no room to the rest.
    far = ((drawn < 2 * low - high) | (drawn > 2 * high - low)).any(axis=1)
    points = np.concatenate([data, drawn[~far]])
    label = np.repeat([0, 1], [len(data), len(points) - len(data)])
    title = "first two principal components" + f", {far.sum()} of {len(x)} samples far outside" * bool(far.any())
    return {"samples": scatter(points, label, names=("data", "samples"), title=title)}


def warp_picture(flow: Flow, params: Any) -> dict[str, np.ndarray]:
    """Return a grid of noise on its way to the data, layer by layer; through a continuous flow, at four times."""
    side = np.linspace(-2.5, 2.5, 41, dtype=np.float32)
    x = jnp.asarray(np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2))
    grids, names = [x], ["noise"]
    parts = layers(flow.bijector, params["flow"])
    for number, (layer, own) in reversed(list(enumerate(parts))):
        if isinstance(layer, Flatten | Deal):
            continue  # points of the plane stay as they are
        if isinstance(layer, Continuous):
            for time in TIMES:
                grids.append(layer.apply({"params": own}, x, None, 1.0, time, method="solve")[0])
                names.append(f"at time {time:g}")
        x = layer.apply({"params": own}, x, method="inverse")[0]
        grids.append(x)
        names.append(f"before layer {number + 1}")
    shown = np.unique(np.linspace(0, len(grids) - 1, min(PANELS, len(grids))).round().astype(int))
    names[-1] = "data"
    return {
        "warp": warp([np.asarray(grids[n]).reshape(41, 41, 2) for n in shown], names=[names[n] for n in shown]),
    }
