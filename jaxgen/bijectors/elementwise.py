"""Invertible functions of one number whose parameters a network gives: what couplings and autoregressions apply.

Parameters of zero make each of them the identity, or a scale of the order of one, so that a network whose last layer
starts at zero starts a deep flow gently.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array
from jaxgen.nn.apart import apart


class Elementwise(NamedTuple):
    """y = f(x; parameters), number by number.

    size: parameters for each number. forward: (x [...], parameters [..., size]) -> y, log|dy/dx|, each [...].
    inverse: (y [...], parameters [..., size]) -> x, log|dx/dy|, each [...].
    """

    size: int
    forward: Callable[[Array, Array], tuple[Array, Array]]
    inverse: Callable[[Array, Array], tuple[Array, Array]]


def additive() -> Elementwise:
    """Return y = x + shift (Dinh et al. 2015, "NICE", equation 8)."""
    return Elementwise(
        1,
        lambda x, p: (x + p[..., 0], jnp.zeros_like(x)),
        lambda y, p: (y - p[..., 0], jnp.zeros_like(y)),
    )


def sigmoid_scale(h: Array) -> Array:
    """Return log(sigmoid(h + 2)): scales in (0, 1), 0.88 at zero (Kingma and Dhariwal 2018, "Glow", their code)."""
    return jax.nn.log_sigmoid(h + 2.0)


def tanh_scale(h: Array, bound: float = 3.0) -> Array:
    """Return log scales in (-bound, bound), 0 at zero (Dinh et al. 2017, "RealNVP", section 4.1: tanh, rescaled)."""
    return bound * jnp.tanh(h / bound)


def softplus_scale(h: Array, least: float = 1e-3) -> Array:
    """Return log(softplus(h) + least): scales from `least` up that grow as h does, 0.69 at zero (nflows' code)."""
    return jnp.log(jax.nn.softplus(h) + least)


def affine(log_scale: Callable[[Array], Array] = tanh_scale, *, shift_first: bool = True) -> Elementwise:
    """Return y = (x + shift) * scale, or y = x * scale + shift.

    log_scale: what the network gives -> log scale. shift_first: the former, as Glow's code has it; the latter is that
    of RealNVP (Dinh et al. 2017, equation 7), in which the shift's gradient does not grow with the scale.
    """

    def forward(x, p):
        log = log_scale(p[..., 1])
        scale = jnp.exp(log)
        return (x + p[..., 0]) * scale if shift_first else x * scale + p[..., 0], log

    def inverse(y, p):
        log = log_scale(p[..., 1])
        scale = jnp.exp(-log)
        return y * scale - p[..., 0] if shift_first else (y - p[..., 0]) * scale, -log

    # A CPU would work samples out number by number where they are joined to what was kept. Not so `forward`: apart, it
    # keeps more for its gradient.
    return Elementwise(2, forward, partial(apart, inverse))
