"""Networks whose output for each number of a vector sees only the numbers before it."""

import itertools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.condition import check_condition, count, numbers

Array = jax.Array


def positions(order: str, size: int) -> np.ndarray:
    """Return the place [size], from 0, of each number of a vector in an order: "natural" or "reversed".

    Raises ValueError for another order.
    """
    if order not in ("natural", "reversed"):
        raise ValueError(f'an order is "natural" or "reversed", got {order!r}')
    return np.arange(size) if order == "natural" else np.arange(size)[::-1]


class MaskedDense(nn.Module):
    """Dense layer [B, n] -> [B, m] with only the connections of a mask [n, m] (Germain et al. 2015, equation 8).

    scattered: biases start anywhere within 1 / sqrt(n), as PyTorch's do, and not at zero.
    """

    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    scattered: bool = False
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, mask: np.ndarray) -> Array:
        """x: [B, n]; mask: [n, m], true where input n may be seen by output m."""
        kernel = self.param("kernel", self.kernel_init, mask.shape, self.param_dtype)
        bias_init = within(len(mask) ** -0.5) if self.scattered else nn.initializers.zeros
        bias = self.param("bias", bias_init, mask.shape[1:], self.param_dtype)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        return x @ (kernel * mask) + bias[None]


def within(bound: float) -> nn.initializers.Initializer:
    """Return an initialiser of numbers even between -bound and bound."""
    return lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -bound, bound)


class MADE(nn.Module):
    """x [B, D] -> [B, D, size]: what is said of each number hangs on those before it in the order, and on no other.

    Germain et al. 2015, "MADE: masked autoencoder for distribution estimation", section 4: a hidden unit of degree m
    sees the first m numbers, and what is said of the number at place p, from 0, sees the units of degree p at most.
    Degrees are spread evenly and not drawn. A condition [B, ...], flattened, goes into the first layer; units of degree
    0, which see nothing else, are there to tell the first number of it.

    hidden: widths. order: "natural" or "reversed". kernel_init: the last layer's. scattered: hidden biases start apart,
    so that rectified units bend at different places.
    Raises ValueError for x that is no [B, D], another order, a condition of another batch, or one unlike the one, or
    none, that the parameters were made with.
    """

    hidden: Sequence[int]
    size: int = 1
    order: str = "natural"
    activation: Callable[[Array], Array] = nn.relu
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    scattered: bool = False
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """x: [B, D]; condition: [B, ...] or None."""
        if x.ndim != 2:
            raise ValueError(f"MADE: expected x [B, D], got shape {x.shape}")
        self.check(x, condition)
        last = x.shape[-1] - 1
        place = positions(self.order, x.shape[-1])
        lowest = min(1, last) if condition is None else 0
        # An input at place p is of degree p + 1; an output at place p sees degrees up to p.
        degrees = [place + 1, *(spread(width, lowest, last) for width in self.hidden), place.repeat(self.size)]
        masks = [below[:, None] <= above for below, above in itertools.pairwise(degrees)]
        inits = [nn.initializers.lecun_normal()] * len(self.hidden) + [self.kernel_init]
        scattered = [self.scattered] * len(self.hidden) + [False]
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        h = MaskedDense(inits[0], scattered[0], **types)(x, masks[0])
        if condition is not None:
            flat = condition.reshape(len(condition), -1)
            h = h + nn.Dense(h.shape[-1], use_bias=False, kernel_init=inits[0], name="condition", **types)(flat)
        for mask, init, apart in zip(masks[1:], inits[1:], scattered[1:], strict=True):
            h = MaskedDense(init, apart, **types)(self.activation(h), mask)
        return h.reshape(*x.shape, self.size)

    def check(self, x: Array, condition: Array | None) -> None:
        """Raise ValueError for a condition of another batch, or unlike the one that the parameters were made with."""
        told = self.variables.get("params", {}).get("condition")
        made = numbers(None if told is None else told["kernel"].shape[0])
        check_condition(self, x, condition, made, numbers(count(condition)))


def spread(width: int, lowest: int, highest: int) -> np.ndarray:
    """Return `width` degrees, evenly from lowest to highest; where there are too few for all, the highest is kept."""
    return highest - np.arange(width) * (highest - lowest + 1) // width
