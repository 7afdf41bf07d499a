"""Planar flows (Rezende and Mohamed 2015, "Variational inference with normalizing flows")."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array, Bijector
from jaxgen.bijectors.checks import vectors
from jaxgen.bijectors.coupling import Net

ONE = math.log(math.e - 1)
"""Where softplus is 1."""


class Planar(Bijector):
    """y = x + u tanh(w.x + b): stretched or pressed across the plane w.x + b = 0 (equations 10 to 12). x: [B, D].

    Invertible for any parameters, as w.u > -1 (appendix A.1). There u moves along w until w.u is
    m(w.u) = softplus(w.u) - 1; here m is shifted to m(0) = 0, so that u = 0 is y = x. The inverse has no closed form;
    it solves one equation of one number by bisection. Many layers: `Repeat(Planar(), depth)`.

    net: makes a network of the condition; what it says of each example is added to w, u and b (section 4.2: parameters
    that an encoder gives). Without one, a condition is left out.
    Raises ValueError for x that is no [B, D], or a network without a condition.
    """

    net: Net | None = None

    @nn.compact
    def parameters(self, x: Array, condition: Array | None) -> tuple[Array, Array, Array, Array]:
        """Return w and the invertible u [1 or B, D], b, and 1 + w.u > 0, [1 or B]."""
        vectors(x, "Planar")
        width = x.shape[-1]
        w = self.param("w", nn.initializers.normal(width**-0.5), (width,), x.dtype)
        u = self.param("u", nn.initializers.normal(0.01), (width,), x.dtype)
        b = self.param("b", nn.initializers.zeros, (), x.dtype)
        w, u, b = told(self, x, condition, (w, u, b[None]))
        along = (w * u).sum(-1)
        size = jnp.maximum((w * w).sum(-1), jnp.finfo(w.dtype).eps ** 2)
        u = u + ((above_minus_one(along) - along) / size)[:, None] * w
        return w, u, b[:, 0], jax.nn.softplus(along + ONE)

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, D] and the log-determinant [B]."""
        w, u, b, stretch = self.parameters(x, condition)
        bent = jnp.tanh((x * w).sum(-1) + b)
        return x + bent[:, None] * u, log_slope(bent, stretch)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, D] and the log-determinant [B]."""
        w, u, b, stretch = self.parameters(y, condition)
        bent = jnp.tanh(solve((y * w).sum(-1) + b, stretch))
        return y - bent[:, None] * u, -log_slope(bent, stretch)


def told(layer: Bijector, x: Array, condition: Array | None, own: Sequence[Array]) -> list[Array]:
    """Return a layer's own parameters [n], each as [1, n], or [B, n] where its network of the condition adds to it."""
    if layer.net is None:
        return [parameter[None] for parameter in own]
    if condition is None:
        raise ValueError(f"{type(layer).__name__}: expected a condition [B, ...] for its network, got none")
    sizes = [len(parameter) for parameter in own]
    said = layer.net(sum(sizes))(x[:, :0], condition).astype(x.dtype)  # of nothing but the condition
    parts = jnp.split(said, np.cumsum(sizes)[:-1], axis=-1)
    return [parameter[None] + part for parameter, part in zip(own, parts, strict=True)]


def above_minus_one(x: Array) -> Array:
    """Return softplus(x + log(e - 1)) - 1, exact to rounding near 0 also, where it is 0: u divides it by |w|."""
    near = jnp.log1p((1 - 1 / math.e) * jnp.expm1(jnp.clip(x, -1, 1)))
    return jnp.where(jnp.abs(x) < 1, near, jax.nn.softplus(x + ONE) - 1)


def log_slope(bent: Array, stretch: Array) -> Array:
    """Return log(1 + w.u tanh'(a)), at tanh(a) = bent [B], as a sum of what is never negative (equation 12)."""
    return jnp.log(bent**2 + (1 - bent**2) * stretch)


def solve(target: Array, stretch: Array) -> Array:
    """Return a [B] with a + (stretch - 1) tanh(a) = target [B], for a stretch above 0; with gradients of any order."""

    def excess(a):
        return a + (stretch - 1) * jnp.tanh(a) - target

    def bisect(excess, start):
        # |tanh| is at most 1. Each step halves the interval, so that as many as the mantissa has bits, and a few, do.
        reach = jnp.abs(stretch - 1) * jnp.ones_like(target)

        def halve(_, ends):
            low, high = ends
            middle = 0.5 * (low + high)
            above = excess(middle) > 0
            return jnp.where(above, low, middle), jnp.where(above, middle, high)

        low, high = jax.lax.fori_loop(0, jnp.finfo(target.dtype).nmant + 10, halve, (start - reach, start + reach))
        return 0.5 * (low + high)

    def divide(linear, value):
        return value / linear(jnp.ones_like(value))

    return jax.lax.custom_root(excess, target, bisect, divide)
