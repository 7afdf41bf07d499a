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
from jaxgen.models.flow import Flow
from jaxgen.viz.density import densities
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate
from jaxgen.viz.pairs import beside
from jaxgen.viz.warp import warp

Array = jax.Array
PANELS = 12  # of a warp, at most


def image_pictures(flow: Flow, params: Any, condition: Array | None) -> dict[str, np.ndarray]:
    """Return samples, of these conditions [B, ...] where there are any."""
    number = 64 if condition is None else len(condition)
    return {"samples": tile(sampler(flow)(params, fixed_key(), number, condition), columns=8)}


def noise_pictures(
    flow: Flow, params: Any, view: View, temperatures: tuple[float, ...], condition: Array | None
) -> dict[str, np.ndarray]:
    """Return samples of one noise at several temperatures, and lines between the noise of test images."""
    x = view.some("test", 16)["x"]
    number = min(10, len(x) if condition is None else len(condition))
    some = None if condition is None else condition[np.linspace(0, len(condition) - 1, number).astype(int)]
    sample = sampler(flow)
    rows = [sample(params, fixed_key(), number, some, temperature=temperature) for temperature in temperatures]
    labels = [f"temperature {temperature:g}" for temperature in temperatures]
    canvases = {"temperatures": beside(*rows, labels=labels, columns=number)}
    if condition is not None or len(x) < 2:
        return canvases
    z = np.asarray(jax.jit(flow.encode)(params, x)[0])
    half = len(z) // 2
    ends = interpolate(z[:half], z[half : 2 * half], 12).reshape(-1, *z.shape[1:])
    return canvases | {"interpolation": tile(jax.jit(flow.decode)(params, ends)[0], columns=12)}


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


def warp_picture(flow: Flow, params: Any) -> dict[str, np.ndarray]:
    """Return a grid of noise on its way to the data, layer by layer."""
    side = np.linspace(-2.5, 2.5, 41, dtype=np.float32)
    x = jnp.asarray(np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2))
    grids, names = [x], ["noise"]
    parts = layers(flow.bijector, params["flow"])
    for number, (layer, own) in reversed(list(enumerate(parts))):
        x = layer.apply({"params": own}, x, method="inverse")[0]
        grids.append(x)
        names.append(f"before layer {number + 1}")
    shown = np.unique(np.linspace(0, len(grids) - 1, min(PANELS, len(grids))).round().astype(int))
    names[-1] = "data"
    return {
        "warp": warp([np.asarray(grids[n]).reshape(41, 41, 2) for n in shown], names=[names[n] for n in shown]),
    }
