"""Radial flows (Rezende and Mohamed 2015, "Variational inference with normalizing flows")."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector
from jaxgen.bijectors.checks import vectors
from jaxgen.bijectors.coupling import Net
from jaxgen.bijectors.planar import ONE, told


class Radial(Bijector):
    """y = x + beta (x - centre) / (alpha + r), r = |x - centre|: pushed from a centre (equation 14). x: [B, D].

    Invertible for any parameters, as alpha > 0 and beta > -alpha (appendix A.2). Here beta = alpha (stretch - 1), where
    stretch, a softplus, is how much the centre's surroundings are stretched; a stretch of 1 is y = x. The inverse is
    in closed form. Many layers: `Repeat(Radial(), depth)`.

    net: makes a network of the condition; what it says of each example is added to the centre and to what alpha and
    stretch are softplus of (section 4.2: parameters that an encoder gives). Without one, a condition is left out.
    Raises ValueError for x that is no [B, D], or a network without a condition.
    """

    net: Net | None = None

    @nn.compact
    def parameters(self, x: Array, condition: Array | None) -> tuple[Array, Array, Array]:
        """Return the centre [1 or B, D], and alpha and stretch, [1 or B]."""
        vectors(x, "Radial")
        centre = self.param("centre", nn.initializers.normal(1.0), (x.shape[-1],), x.dtype)
        alpha = self.param("alpha", nn.initializers.zeros, (), x.dtype)
        stretch = self.param("stretch", nn.initializers.normal(0.01), (), x.dtype)
        centre, alpha, stretch = told(self, x, condition, (centre, alpha[None], stretch[None]))
        return centre, jax.nn.softplus(alpha[:, 0] + ONE), jax.nn.softplus(stretch[:, 0] + ONE)

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, D] and the log-determinant [B]."""
        centre, alpha, stretch = self.parameters(x, condition)
        away = x - centre
        r = length(away)
        grown = (r + alpha * stretch) / (alpha + r)
        return centre + away * grown[:, None], log_det(r, alpha, stretch, x.shape[-1])

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, D] and the log-determinant [B]."""
        centre, alpha, stretch = self.parameters(y, condition)
        away = y - centre
        r = radius(length(away), alpha, stretch)
        shrunk = (alpha + r) / (r + alpha * stretch)
        return centre + away * shrunk[:, None], -log_det(r, alpha, stretch, y.shape[-1])


def length(away: Array) -> Array:
    """Return the length [B] of vectors [B, D], with a gradient of 0 at length 0."""
    square = (away**2).sum(-1)
    return jnp.sqrt(jnp.maximum(square, jnp.finfo(square.dtype).tiny))


def log_det(r: Array, alpha: Array, stretch: Array, size: int) -> Array:
    """Return log|det dy/dx| [B] at radius r [B] of D = `size` numbers: D - 1 slopes around the centre, 1 away from it.

    Equation 14's, with its differences turned into sums of what is never negative.
    """
    around = jnp.log((r + alpha * stretch) / (alpha + r))
    away = jnp.log((r * (2 * alpha + r) + alpha**2 * stretch) / (alpha + r) ** 2)
    return (size - 1) * around + away


def radius(grown: Array, alpha: Array, stretch: Array) -> Array:
    """Return r [B] of the x whose y lies `grown` [B] from the centre: grown (alpha + r) = r (r + alpha stretch).

    The root above 0 of r^2 + p r = q, by that of its two formulas that subtracts no nearly equal numbers.
    """
    p, q = alpha * stretch - grown, alpha * grown
    large = 0.5 * (jnp.abs(p) + jnp.sqrt(p**2 + 4 * q))
    return jnp.where(p > 0, q / large, large)
