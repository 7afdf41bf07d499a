"""Bijectors one after another, turned round, and repeated with parameters of their own."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector


class Chain(Bijector):
    """These bijectors, the first one first."""

    parts: Sequence[Bijector]

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return the last part's y, and the sum of the log-determinants [B]."""
        total = 0.0
        for part in self.parts:
            x, log_det = part.forward(x, condition)
            total = total + log_det
        return x, total

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return the first part's x, and the sum of the log-determinants [B]."""
        total = 0.0
        for part in reversed(self.parts):
            y, log_det = part.inverse(y, condition)
            total = total + log_det
        return y, total

    def __post_init__(self) -> None:
        """Raise ValueError for an empty chain, or one bijector in two places, which would share parameters."""
        if not self.parts:
            raise ValueError("a chain needs at least one bijector, got none")
        twice = [
            type(part).__name__ for number, part in enumerate(self.parts) if any(part is p for p in self.parts[:number])
        ]
        if twice:
            raise ValueError(f"a chain needs a bijector of its own in each place, got the same {twice[0]} twice")
        super().__post_init__()


class Inverse(Bijector):
    """A bijector the other way round; made through the bijector's own inverse, so none that starts from data."""

    bijector: Bijector

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return the bijector's inverse at x."""
        return self.bijector.inverse(x, condition)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return the bijector's forward at y."""
        return self.bijector.forward(y, condition)


class Repeat(Bijector):
    """One bijector `depth` times over, each time with parameters of its own, as a loop that is compiled once.

    Its parameters are the bijector's, with a leading axis [depth]. A layer that starts from data starts from what
    the layers before it, started, make of the data. Each layer has random streams of its own, the same forward and
    inverse; what layers sow as "intermediates" comes with a leading axis [depth] too.
    """

    bijector: Bijector
    depth: int

    def start(self, key: Array, x: Array, condition: Array | None) -> Any:
        """Return fresh parameters, layer by layer from x."""
        layer = self.bijector.clone(parent=None)

        def one(x, key):
            (y, _), variables = layer.init_with_output(key, x, condition)
            return y, variables.get("params", {})

        x = x.astype(jax.eval_shape(one, x, key)[0].dtype)  # what all layers carry is of one type
        return jax.lax.scan(one, x, jax.random.split(key, self.depth))[1]

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y after all layers, and the sum of the log-determinants [B]."""
        return self.run("forward", x, condition)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x before all layers, and the sum of the log-determinants [B]."""
        return self.run("inverse", y, condition)

    @nn.compact
    def layers(self, x: Array, condition: Array | None) -> Any:
        """Return the parameters [depth, ...], made from x where there are none."""
        if self.has_variable("params", "layers"):
            return self.get_variable("params", "layers")
        if not self.is_initializing() and not self.scope.has_collection("params"):
            return {}  # of layers without any
        return self.param("layers", self.start, x, condition)

    def run(self, method: str, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return one direction through all layers."""
        if method == "inverse" and self.is_initializing():
            raise ValueError("repeated layers may start from data: make their parameters through forward, not inverse")
        layer = self.bijector.clone(parent=None)
        sown = "intermediates"

        def one(x, own):
            params, rngs = own
            (x, log_det), told = layer.apply({"params": params}, x, condition, rngs=rngs, mutable=[sown], method=method)
            return x, (log_det, told.get(sown, {}))

        params = self.layers(x, condition)
        rngs = {name: jax.random.split(self.make_rng(name), self.depth) for name in self.scope.rngs}
        x = x.astype(jnp.result_type(x, *jax.tree.leaves(params)))  # what all layers carry is of one type
        x, (log_dets, told) = jax.lax.scan(one, x, (params, rngs), self.depth, reverse=method == "inverse")
        if told and self.is_mutable_collection(sown):
            self.put_variable(sown, "layers", told)
        return x, log_dets.sum(0)


def layers(bijector: Bijector, params: Any) -> list[tuple[Bijector, Any]]:
    """Return the layers of chains and repeats, first to last, each with its own parameters: to look between them."""
    if isinstance(bijector, Chain):
        pairs = [(part, params.get(f"parts_{number}", {})) for number, part in enumerate(bijector.parts)]
        return [layer for part, own in pairs for layer in layers(part, own)]
    if isinstance(bijector, Repeat):
        numbers = range(bijector.depth)
        owns = [jax.tree.map(lambda a, n=n: a[n], params["layers"]) for n in numbers]
        return [layer for own in owns for layer in layers(bijector.bijector, own)]
    return [(bijector, params)]
