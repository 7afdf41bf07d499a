"""Networks that say how a coupling changes the other part: their last layers start at zero, so it starts unchanged."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.condition import check_condition, check_numbers, numbers
from jaxgen.nn.conv import Conv
from jaxgen.nn.mlp import MLP
from jaxgen.nn.residual import ResidualBlock

Array = jax.Array
ZEROS = nn.initializers.zeros


class DenseConditioner(nn.Module):
    """Dense layers: (x [B, D], condition [B, ...] or None) -> [B, outputs]; the condition stands beside x."""

    outputs: int
    hidden: Sequence[int] = (64, 64)
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """x: [B, D]."""
        if x.ndim != 2:
            raise ValueError(f"DenseConditioner: expected x [B, D], got shape {x.shape}")
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        check_numbers(self, x, condition, x.shape[-1])
        if condition is not None:
            x = jnp.concatenate([x, condition.reshape(len(x), -1)], axis=-1)
        features = MLP(self.hidden, self.activation, **types)(x)
        return _full(nn.Dense(self.outputs, kernel_init=ZEROS, **types)(features))


class ConvConditioner(nn.Module):
    """Convolutions 3x3, 1x1, 3x3 of one width: [B, H, W, C] -> [B, H, W, outputs] (Glow, section 5.1).

    A condition [B, K] is added to the hidden maps by a dense layer; one [B, H', W', K] is pooled or repeated to H x W
    and stands beside x.
    """

    outputs: int
    width: int = 512
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """x: [B, H, W, C]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        h = self.activation(enter(self, x, condition, types))
        # A 1x1 convolution; of rows, as XLA's CPU backend takes twice as long for the gradient of [B, H, W, C].
        rows = self.activation(nn.Dense(self.width, **types)(h.reshape(-1, self.width)))
        h = rows.reshape(h.shape)
        return _full(Conv(self.outputs, 3, kernel_init=ZEROS, **types)(h))


class ResidualConditioner(nn.Module):
    """A convolution, residual blocks, and a convolution: [B, H, W, C] -> [B, H, W, outputs] (RealNVP, section 4.1).

    Conditions as for `ConvConditioner`.
    """

    outputs: int
    width: int = 64
    blocks: int = 4
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """x: [B, H, W, C]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        h = enter(self, x, condition, types)
        for _ in range(self.blocks):
            h = ResidualBlock(self.width, self.activation, **types)(h)
        return _full(Conv(self.outputs, 3, kernel_init=ZEROS, **types)(self.activation(h)))


class LinearConditioner(nn.Module):
    """One convolution 3x3, [B, H, W, C] -> [B, H, W, outputs]: Glow's learned prior. Conditions: beside x only."""

    outputs: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None) -> Array:
        """x: [B, H, W, C]."""
        layer = Conv(self.outputs, 3, kernel_init=ZEROS, dtype=self.dtype, param_dtype=self.param_dtype)
        seen = beside(x, condition)
        check_images(self, x, None if condition is None or condition.ndim == 2 else condition)
        return _full(layer(seen))


def beside(x: Array, condition: Array | None) -> Array:
    """Return x [B, H, W, C] with an image condition, brought to its size, in further channels."""
    if x.ndim != 4:
        raise ValueError(f"convolutions need images [B, H, W, C], got {x.shape}")
    if condition is None or condition.ndim == 2:
        return x
    if condition.ndim != 4:
        raise ValueError(f"a condition of images is [B, K] or [B, H, W, K], got {condition.shape}")
    sized = jax.image.resize(condition, (*x.shape[:3], condition.shape[-1]), "linear")
    return jnp.concatenate([x, sized.astype(x.dtype)], axis=-1)


def enter(net: nn.Module, x: Array, condition: Array | None, types: Any) -> Array:
    """Return the first hidden maps [B, H, W, net.width] of x and its condition; the layers are made in the network."""
    seen = beside(x, condition)
    check_images(net, x, condition)
    h = Conv(net.width, 3, **types)(seen)
    if condition is None or condition.ndim != 2:
        return h
    return h + nn.Dense(net.width, use_bias=False, **types)(condition)[:, None, None, :]


def check_images(net: nn.Module, x: Array, condition: Array | None) -> None:
    """Raise ValueError for a condition of another batch than x's, or unlike what the parameters were made with."""
    params = net.variables.get("params", {})
    first, vector = params.get("Conv_0"), params.get("Dense_0", {})
    channels = -1 if first is None else first["kernel"].shape[2] - x.shape[-1]
    # Of the dense layers only the condition's has no bias.
    made = f"images of {channels} channels" if channels else numbers(None)
    if vector and "bias" not in vector:
        made = numbers(vector["kernel"].shape[0])
    came = numbers(None)
    if condition is not None:
        last = condition.shape[-1]
        came = numbers(last) if condition.ndim == 2 else f"images of {last} channels"
    check_condition(net, x, condition, None if channels < 0 else made, came)


def _full(x: Array) -> Array:
    """Return float32 at least: log-determinants are summed there."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
