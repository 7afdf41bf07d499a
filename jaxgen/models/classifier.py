"""Classifiers: a network of features, each layer's at hand, and a linear head."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.models.vae import full
from jaxgen.nn.conv import Conv

Array = jax.Array


class ConvFeatures(nn.Module):
    """Images [B, H, W, C] -> one map a stage, [B, ceil(H / 2^i), ceil(W / 2^i), channels[i]], then [B, width].

    Stage 0 keeps the image's size and each later one halves it; all are convolutions 3x3 with a ReLU.
    """

    channels: Sequence[int]
    width: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, ...]:
        """x: [B, H, W, C]."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        found = []
        for stage, channels in enumerate(self.channels):
            x = nn.relu(Conv(channels, 3, 1 if stage == 0 else 2, **types)(x))
            found.append(x)
        last = nn.relu(nn.Dense(self.width, **types)(x.reshape(len(x), -1)))
        return *found, last


class MLPFeatures(nn.Module):
    """Any data [B, ...], flattened -> the activations of every layer, [B, hidden[i]]."""

    hidden: Sequence[int]
    activation: Callable[[Array], Array] = nn.relu
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, ...]:
        """x: [B, ...]."""
        x = x.reshape(len(x), -1)
        found = []
        for width in self.hidden:
            x = self.activation(nn.Dense(width, dtype=self.dtype, param_dtype=self.param_dtype)(x))
            found.append(x)
        return tuple(found)


class Head(nn.Module):
    """Features [B, ...], flattened -> logits [B, classes], linear, float32 at least."""

    classes: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, features: Array) -> Array:
        """features: [B, ...]."""
        flat = features.reshape(len(features), -1)
        return full(nn.Dense(self.classes, dtype=self.dtype, param_dtype=self.param_dtype)(flat))


class Classifier(NamedTuple):
    """Networks; the parameters are {"body": ..., "head": ...}.

    body: x [B, ...] -> features, a tuple of [B, ...] layer by layer, or the last alone, such as an encoder's code.
    head: the last features -> logits [B, K].
    """

    body: nn.Module
    head: nn.Module

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters for data like x [B, ...]."""
        keys = jax.random.split(key)
        features, body = self.body.init_with_output(keys[0], x)
        return {"body": body, "head": self.head.init(keys[1], _layers(features)[-1])}

    def features(self, params: Any, x: Array) -> tuple[Array, ...]:
        """Return the features of x [B, ...], a tuple of [B, ...], the last layer's at the end."""
        return _layers(self.body.apply(params["body"], x))

    def logits(self, params: Any, x: Array) -> Array:
        """Return the logits [B, K] of x [B, ...]."""
        return self.head.apply(params["head"], self.features(params, x)[-1])


def _layers(features: Array | tuple[Array, ...]) -> tuple[Array, ...]:
    return features if isinstance(features, tuple) else (features,)
