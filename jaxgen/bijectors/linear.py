"""An invertible linear map of the channels, the 1x1 convolution of images."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import lu, solve_triangular

from jaxgen.bijectors.base import Array, Bijector, constant, places

EXACT = jax.lax.Precision.HIGHEST  # a GPU's products of ten bits would part the map from its inverse


class Linear(Bijector):
    """y = W x at every place, W = P L U (Kingma and Dhariwal 2018, "Glow", section 3.2, equation 10).

    W starts as a random rotation. Its permutation P and the signs of U's diagonal stay as they fall; L below its unit
    diagonal, U above its own and the logarithms of that diagonal's sizes are learned, so W is never singular while its
    type can hold these sizes. Of the parameters `order` and `sign`, which P and the signs follow from, only ranking and
    sign count: no optimiser spoils them. x: [B, ..., C].
    Raises ValueError for sizes beyond the type's, where their values are known: inside a compiled or differentiated
    function they are not.
    """

    @nn.compact
    def factors(self, channels: int, dtype: jnp.dtype) -> tuple[Array, Array, Array, Array]:
        """Return what P puts at each place [C], L and U [C, C], and log|det W|."""
        start = {}
        if self.is_initializing():
            start = _start(self.make_rng("params"), channels, dtype)
        shapes = {"order": 1, "sign": 1, "log_diagonal": 1, "below": 2, "above": 2}
        p = {
            name: self.param(
                name, lambda _, name=name, rank=rank: start.get(name, jnp.zeros((channels,) * rank, dtype))
            )
            for name, rank in shapes.items()
        }
        _check(p["log_diagonal"])
        lower = jnp.tril(p["below"], -1) + jnp.eye(channels, dtype=dtype)
        diagonal = jnp.where(p["sign"] < 0, -1.0, 1.0).astype(dtype) * jnp.exp(p["log_diagonal"])
        return jnp.argsort(p["order"]), lower, jnp.triu(p["above"], 1) + jnp.diag(diagonal), p["log_diagonal"].sum()

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ..., C] and the log-determinant [B]."""
        order, lower, upper, log_det = self.factors(x.shape[-1], x.dtype)
        w = jnp.matmul(lower, upper, precision=EXACT)[order]
        # Of rows: twice as fast a gradient on a CPU.
        rows = jnp.matmul(x.reshape(-1, x.shape[-1]), w.T, precision=EXACT)
        return rows.reshape(x.shape), constant(places(x) * log_det, x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ..., C] and the log-determinant [B]."""
        order, lower, upper, log_det = self.factors(y.shape[-1], y.dtype)

        def solve(columns):
            return solve_triangular(upper, solve_triangular(lower, columns, lower=True, unit_diagonal=True))

        rows = y.reshape(-1, y.shape[-1])
        if len(rows) > len(order):  # one product with W's inverse
            x = jnp.matmul(rows, solve(jnp.eye(len(order), dtype=y.dtype))[:, order].T, precision=EXACT)
        else:
            x = solve(rows.T[jnp.argsort(order)]).T
        return x.reshape(y.shape), constant(-places(y) * log_det, y)


def check_linear(params: Any) -> None:
    """Raise ValueError for a singular W among a flow's parameters, where their values are known."""
    for path, leaf in jax.tree.leaves_with_path(params):
        if jax.tree_util.keystr(path[-1:]) == "['log_diagonal']":
            _check(leaf)


def _check(log_diagonal: Array) -> None:
    if isinstance(log_diagonal, jax.core.Tracer):
        return
    values, limits = np.asarray(log_diagonal), jnp.finfo(log_diagonal.dtype)
    low, high = math.log(limits.tiny), math.log(limits.max)
    held = (values >= low) & (values <= high)  # false for NaN
    if not held.all():
        *layer, channel = (int(i) for i in np.argwhere(~held)[0])
        raise ValueError(
            f"Linear: expected a log_diagonal from {low:.4g} to {high:.4g}, or W is singular in {values.dtype}, "
            f"got {values[*layer, channel]} at channel {channel}" + (f" of layer {layer[0]}" if layer else "")
        )


def _start(key: Array, channels: int, dtype: jnp.dtype) -> dict[str, Array]:
    """Return the parameters of a random rotation."""
    rotation = jnp.linalg.qr(jax.random.normal(key, (channels, channels), dtype))[0]
    permutation, lower, upper = lu(rotation)
    diagonal = jnp.diag(upper)
    return {
        "order": jnp.argmax(permutation, axis=0).astype(dtype),
        "sign": jnp.sign(diagonal),
        "log_diagonal": jnp.log(jnp.abs(diagonal)),
        "below": jnp.tril(lower, -1),
        "above": jnp.triu(upper, 1),
    }
