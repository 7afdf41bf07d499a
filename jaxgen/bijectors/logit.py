"""The logit, which takes the unit cube to all of space: how pictures enter a flow, and noise its cell."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array, Bijector, per_example


class Logit(Bijector):
    """y = logit(s) with s = alpha + (1 - 2 alpha) x, x in [0, 1].

    The logit of Dinh et al. 2017 ("RealNVP", section 4.1, there s = alpha + (1 - alpha) x), in the symmetric form of
    Papamakarios et al. 2017 ("MAF"; alpha 1e-6 for MNIST, 0.05 for CIFAR-10). It flattens the ends: a density of
    pixels that are 0 or 1 need not run to infinity there.

    Attributes:
      alpha: in [0, 1/2). At 0, x must lie inside (0, 1).
    """

    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Raise ValueError for an alpha outside [0, 1/2)."""
        if not 0 <= self.alpha < 0.5:
            raise ValueError(f"Logit: expected alpha in [0, 0.5), got {self.alpha}")
        super().__post_init__()

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y, and log|det dy/dx| [B] in nats.

        Raises ValueError for x outside [0, 1], or at its ends with alpha 0, where the values are known: inside a
        compiled or differentiated function they are not, and y is NaN or infinite there.
        """
        if not isinstance(x, jax.core.Tracer):
            _check(np.asarray(x), self.alpha)
        y, log_slope = logit(x, alpha=self.alpha)
        return y, per_example(log_slope)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x, and log|det dx/dy| [B] in nats; a y beyond the image of [0, 1] gives an x beyond [0, 1]."""
        x, log_slope = logit_inverse(y, alpha=self.alpha)
        return x, per_example(log_slope)


def logit(x: Array, *, alpha: float = 0.0) -> tuple[Array, Array]:
    """Return y = logit(alpha + (1 - 2 alpha) x), and log(dy/dx), number by number, each [...]."""
    # 1 - s from 1 - x, which float32 holds exactly near 1: alpha may be far below its precision there.
    s, rest = alpha + (1 - 2 * alpha) * x, alpha + (1 - 2 * alpha) * (1 - x)
    log_s, log_rest = jnp.log(s), jnp.log(rest)
    return log_s - log_rest, jnp.log1p(-2 * alpha) - log_s - log_rest


def logit_inverse(y: Array, *, alpha: float = 0.0) -> tuple[Array, Array]:
    """Return x = (sigmoid(y) - alpha) / (1 - 2 alpha), and log(dx/dy), number by number, each [...]."""
    x = (jax.nn.sigmoid(y) - alpha) / (1 - 2 * alpha)
    return x, jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y) - jnp.log1p(-2 * alpha)


def _check(x: np.ndarray, alpha: float) -> None:
    inside = (x >= 0) & (x <= 1) if alpha else (x > 0) & (x < 1)  # false for NaN
    if not inside.all():
        first = tuple(np.argwhere(~inside)[0].tolist())
        raise ValueError(
            f"Logit: expected x in {'[0, 1]' if alpha else '(0, 1), as alpha is 0'}, got values from {x.min()} to "
            f"{x.max()}, the first outside {x[first]} at index {first} of shape {x.shape}"
        )
