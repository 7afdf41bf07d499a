"""What a VAE is seen by: samples, reconstructions, codes, interpolations, the unfolded plane."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.keys import fixed_key
from experiments.common.view import View
from jaxgen.metrics.batched import over
from jaxgen.models.vae import VAE
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate, normal_plane
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter


def vae_pictures(vae: VAE, params: Any, view: View) -> dict[str, np.ndarray]:
    """Return the pictures of every evaluation: samples and reconstructions, or points of the plane."""
    if view.shape == (2,):
        return {"samples": points(vae, params)}
    if len(view.shape) != 3:
        return {}
    x = view.some("validation", 32)["x"]
    z = jax.random.normal(fixed_key(), (64, vae.latent))
    expect = jax.jit(vae.expect)
    return {
        "samples": tile(expect(params, z)),
        "reconstructions": beside(x, expect(params, vae.encode(params, x)[0]), labels=("data", "model"), columns=8),
    }


def code_pictures(vae: VAE, params: Any, view: View) -> dict[str, np.ndarray]:
    """Return the pictures of the end: codes of the test set, interpolations, the unfolded plane."""
    data, canvases = view.data, {}
    encode = jax.jit(lambda params, key, batch: vae.encode(params, view.see("test", key, batch))[0])
    codes = over(partial(encode, params), fixed_key(), data.test, batch_size=1000)
    if vae.latent == 2:
        label = over(lambda _, b: b["label"], fixed_key(), data.test, batch_size=1000) if data.classes else None
        canvases["codes"] = scatter(codes, label, title="codes of the test set", names=data.classes)
    if len(view.shape) != 3:
        return canvases
    pairs = max(1, min(8, len(codes) // 2))
    ends = interpolate(codes[:pairs], codes[-pairs:], 12)
    canvases["interpolation"] = tile(vae.expect(params, ends.reshape(-1, vae.latent)), columns=12)
    if vae.latent == 2:
        canvases["manifold"] = tile(vae.expect(params, normal_plane(20)), columns=20, pad=1)
    return canvases


def points(vae: VAE, params: Any) -> np.ndarray:
    """Return a picture of samples in the plane."""
    keys = jax.random.split(fixed_key())
    mean, log_scale = vae.decode(params, jax.random.normal(keys[0], (4000, vae.latent)))
    return scatter(mean + jnp.exp(log_scale) * jax.random.normal(keys[1], mean.shape), title="samples")
