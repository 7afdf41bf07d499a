"""An invertible linear map of the channels, the 1x1 convolution of images."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.scipy.linalg import lu, solve_triangular

from jaxgen.bijectors.base import Array, Bijector, constant, places


class Linear(Bijector):
    """y = W x at every place, W = P L U (Kingma and Dhariwal 2018, "Glow", section 3.2, equation 10).

    W starts as a random rotation. Its permutation P and the signs of U's diagonal stay as they fall; L below its unit
    diagonal, U above its own and the logarithms of that diagonal's sizes are learned, so W is never singular. Of the
    parameters `order` and `sign`, which P and the signs follow from, only ranking and sign count: no optimiser spoils
    them. x: [B, ..., C].
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
        lower = jnp.tril(p["below"], -1) + jnp.eye(channels, dtype=dtype)
        diagonal = jnp.where(p["sign"] < 0, -1.0, 1.0).astype(dtype) * jnp.exp(p["log_diagonal"])
        return jnp.argsort(p["order"]), lower, jnp.triu(p["above"], 1) + jnp.diag(diagonal), p["log_diagonal"].sum()

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ..., C] and the log-determinant [B]."""
        order, lower, upper, log_det = self.factors(x.shape[-1], x.dtype)
        rows = x.reshape(-1, x.shape[-1]) @ (lower @ upper)[order].T  # of rows: twice as fast a gradient on a CPU
        return rows.reshape(x.shape), constant(places(x) * log_det, x)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ..., C] and the log-determinant [B]."""
        order, lower, upper, log_det = self.factors(y.shape[-1], y.dtype)
        unordered = y.reshape(-1, y.shape[-1]).T[jnp.argsort(order)]
        x = solve_triangular(upper, solve_triangular(lower, unordered, lower=True, unit_diagonal=True))
        return x.T.reshape(y.shape), constant(-places(y) * log_det, y)


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
