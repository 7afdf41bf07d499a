"""Planar distributions with exact samplers and exact log-densities.

The classic two-dimensional sets of the field. Where the usual recipe has no density in closed form (moons,
spirals, pinwheel) it is restated so that it has one; the pictures stay the familiar ones.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from jaxgen.data.toy_curves import MOONS, SPIRALS, Curve, curve_log_density, sample_curve

Array = jax.Array


class Toy(NamedTuple):
    """A planar distribution.

    Attributes:
      sample: ``(key, n) -> [n, 2]`` float32, pure; n is static under jit.
      log_density: ``[N, 2] -> [N]`` in nats, exact to float32, jittable.
      centres: of the modes, ``[M, 2]``, where the set is a mixture of equal round Gaussians.
      sigma: standard deviation of each of those.
    """

    sample: Callable[[Array, int], Array]
    log_density: Callable[[Array], Array]
    centres: np.ndarray | None = None
    sigma: float | None = None


def ring(modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> Toy:
    """Equal Gaussians on a circle (Metz et al. 2017, "Unrolled GANs": 8 of them, sigma 0.01)."""
    angle = 2 * np.pi * np.arange(modes) / modes  # linspace(0, 2 pi, 8) would meet its first mode again
    return mixture(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1), sigma)


def grid(side: int = 5, spacing: float = 2.0, sigma: float = 0.05) -> Toy:
    """Equal Gaussians on a square lattice around the origin (Lin et al. 2018, "PacGAN": 25, sigma 0.05)."""
    steps = spacing * (np.arange(side) - (side - 1) / 2)
    return mixture(np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2), sigma)


def mixture(centres: np.ndarray, sigma: float) -> Toy:
    """Equal mixture of round Gaussians.

    Args:
      centres: ``[M, 2]``.
      sigma: standard deviation in each direction.
    """
    centres = np.asarray(centres, np.float32)

    def sample(key: Array, n: int) -> Array:
        key_mode, key_noise = jax.random.split(key)
        mode = jax.random.randint(key_mode, (n,), 0, len(centres), jnp.int32)
        return jnp.asarray(centres)[mode] + sigma * jax.random.normal(key_noise, (n, 2), jnp.float32)

    def log_density(x: Array) -> Array:
        chex.assert_shape(x, (None, 2))
        square = jnp.sum((x[:, None, :] - centres[None]) ** 2, axis=-1) / sigma**2
        return logsumexp(-square / 2, axis=1) - np.log(len(centres) * 2 * np.pi * sigma**2)

    return Toy(sample, log_density, centres, sigma)


def noisy_curve(curve: Curve, sigma: float, nodes: int) -> Toy:
    """A point of a curve plus round Gaussian noise; its density is a one-dimensional integral."""
    return Toy(partial(sample_curve, curve, sigma), partial(curve_log_density, curve, sigma, nodes))


def checkerboard() -> Toy:
    """Uniform on the 8 squares of side 2 of a 4 x 4 board over [-4, 4)^2; ``-inf`` elsewhere."""

    def sample(key: Array, n: int) -> Array:
        key_cell, key_place = jax.random.split(key)
        column, half_row = jax.random.randint(key_cell, (2, n), 0, jnp.array([[4], [2]]), jnp.int32)
        row = 2 * half_row + column % 2
        place = jax.random.uniform(key_place, (n, 2), jnp.float32)
        return 2 * (jnp.stack([column, row], axis=1).astype(jnp.float32) - 2 + place)

    def log_density(x: Array) -> Array:
        chex.assert_shape(x, (None, 2))
        on_board = jnp.all((x >= -4) & (x < 4), axis=1)
        inside = on_board & (jnp.sum(jnp.floor(x / 2), axis=1) % 2 == 0)
        return jnp.where(inside, -np.log(32.0), -jnp.inf).astype(x.dtype)

    return Toy(sample, log_density)


def pinwheel(
    blades: int = 5, radius: float = 2.0, radial: float = 0.6, tangential: float = 0.2, rate: float = 0.1
) -> Toy:
    """Gaussian blades around the origin, twisted (after Johnson et al. 2016, "Structured VAEs").

    The usual recipe turns each point by an angle that depends on one coordinate of its blade, which changes
    volumes. Here the angle is ``rate |x|^2``: turning leaves the radius as it is, so the warp preserves
    volume, its inverse turns back by the same angle, and the density is that of the straight blades there.

    Args:
      blades: how many.
      radius: of the blades' centres.
      radial: standard deviation along a blade.
      tangential: standard deviation across it.
      rate: of the twist; the square keeps it smooth at the origin.
    """
    angle = (2 * np.pi * np.arange(blades) / blades).astype(np.float32)
    spread = np.array([radial, tangential], np.float32)

    def twist(x: Array, sign: float) -> Array:
        return rotate(x, sign * rate * jnp.sum(x**2, axis=-1))

    def sample(key: Array, n: int) -> Array:
        key_blade, key_noise = jax.random.split(key)
        blade = jax.random.randint(key_blade, (n,), 0, blades, jnp.int32)
        straight = spread[None] * jax.random.normal(key_noise, (n, 2), jnp.float32) + jnp.array([[radius, 0.0]])
        return twist(rotate(straight, jnp.asarray(angle)[blade]), 1.0)

    def log_density(x: Array) -> Array:
        chex.assert_shape(x, (None, 2))
        own = rotate(twist(x, -1.0)[:, None, :], -angle[None])  # [N, blades, 2], in each blade's axes
        z = (own - jnp.array([[[radius, 0.0]]])) / spread[None, None]
        return logsumexp(-jnp.sum(z**2, axis=-1) / 2, axis=1) - np.log(blades * 2 * np.pi * radial * tangential)

    return Toy(sample, log_density)


def rotate(x: Array, angle: Array) -> Array:
    """Turns ``x`` ``[..., 2]`` counterclockwise by ``angle``, which broadcasts against ``[...]``."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]], axis=-1)


TOYS: dict[str, Toy] = {
    "ring": ring(),
    "grid": grid(),
    "moons": noisy_curve(MOONS, sigma=0.1, nodes=128),
    "spirals": noisy_curve(SPIRALS, sigma=0.1, nodes=768),
    "checkerboard": checkerboard(),
    "pinwheel": pinwheel(),
}
