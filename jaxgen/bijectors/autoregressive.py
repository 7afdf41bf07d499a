"""Autoregressive flows: each number changes as the numbers before it say."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, per_example
from jaxgen.bijectors.checks import vectors
from jaxgen.bijectors.elementwise import Elementwise
from jaxgen.nn.masked import MADE, positions

Net = Callable[[int], MADE]
"""How many numbers to return for each number of x -> a network (x [B, D], condition) -> [B, D, that many]."""


class Autoregressive(Bijector):
    """One direction takes one pass through the network, the other D passes, one number after another. x: [B, D].

    As it is, `forward` takes one pass: densities are fast and samples slow (Papamakarios et al. 2017, "Masked
    autoregressive flow", section 3.1). `inverted`, `inverse` takes one pass: the inverse autoregressive flow (Kingma et
    al. 2016) of a flow from data to noise, samples fast and densities slow. A VAE's posterior, which needs only
    z = forward(noise) and its log-determinant, is fast as it is: there, forward starts from noise.

    Both directions have gradients, and both make the same parameters. The network's order is the flow's order.
    Raises ValueError for x that is no [B, D], or a network of another size than the function takes.
    """

    net: Net
    elementwise: Elementwise
    inverted: bool = False

    def setup(self) -> None:
        """Make the network."""
        self.made = self.net(self.elementwise.size)
        if self.made.size != self.elementwise.size:
            wanted, got = self.elementwise.size, self.made.size
            raise ValueError(f"the function takes {wanted} parameters for each number, the network gives {got}")

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, D] and the log-determinant [B]."""
        return (self.many if self.inverted else self.once)(x, condition)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, D] and the log-determinant [B]."""
        return (self.once if self.inverted else self.many)(y, condition)

    def once(self, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return f(x; what the network says of x), and its log-determinant."""
        vectors(x, "Autoregressive")
        y, log_det = self.elementwise.forward(x, self.made(x, condition))
        return y, per_example(log_det)

    def many(self, y: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return the x that `once` maps to y: after pass k, the first k numbers are known, and the others are zero."""
        vectors(y, "Autoregressive")
        if self.is_initializing():
            self.made(y, condition)
        made, variables = self.made.unbind()
        place = positions(made.order, y.shape[-1])[None]

        def step(x, passed):
            known = self.elementwise.inverse(y, made.apply(variables, x, condition))[0]
            return jnp.where(place <= passed, known, 0), None

        last = y.shape[-1] - 1
        x, _ = jax.lax.scan(step, jnp.zeros_like(y), jnp.arange(last))
        x, log_det = self.elementwise.inverse(y, made.apply(variables, x, condition))
        return x, per_example(log_det)
