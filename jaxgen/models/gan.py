"""A generator and a discriminator as one value of pure functions."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array
Extra = Mapping[str, Any]  # the collections of a network beside its parameters: running statistics and the like
Prior = Callable[[Array, int], Array]  # (key, n) -> z [n, D]


class Judged(NamedTuple):
    """What a discriminator makes of a batch: logits [B] (or [B, K]), and the features [B, F] that they are made of."""

    logits: Array
    features: Array


def normal(size: int) -> Prior:
    """Return the standard normal prior of z [n, size]."""
    return lambda key, n: jax.random.normal(key, (n, size))


class GAN(NamedTuple):
    """Networks and prior of a generative adversarial network.

    generator: Linen module, (z [B, D], given [B, K] or None, train) -> x [B, ...].
    discriminator: Linen module, (x [B, ...], given, train) -> `Judged`.
    prior: what z is drawn from.
    """

    generator: nn.Module
    discriminator: nn.Module
    prior: Prior

    def init(self, key: Array, x: Array, given: Array | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (params, extra), each {"generator": ..., "discriminator": ...}.

        x: what the discriminator is shown [B, ...]. given: [B', K], the generator's conditions.
        """
        keys = jax.random.split(key, 3)
        count = len(x) if given is None else len(given)
        fresh = {
            "generator": self.generator.init(keys[0], self.prior(keys[1], count), given, train=True),
            "discriminator": self.discriminator.init(keys[2], x, given, train=True),
        }
        params = {name: variables.pop("params") for name, variables in fresh.items()}
        return params, {name: dict(variables) for name, variables in fresh.items()}

    def generate(
        self, params: Mapping[str, Any], extra: Mapping[str, Extra], z: Array, given: Array | None = None
    ) -> Array:
        """Return the generator's x [B, ...] as it is used after training, with running statistics."""
        return self.generator.apply({"params": params["generator"], **extra["generator"]}, z, given, train=False)

    def judge(
        self, params: Mapping[str, Any], extra: Mapping[str, Extra], x: Array, given: Array | None = None
    ) -> Judged:
        """Return the discriminator's view of x [B, ...] as it is used after training."""
        return self.discriminator.apply(
            {"params": params["discriminator"], **extra["discriminator"]}, x, given, train=False
        )


def learn(network: nn.Module, params: Any, extra: Extra, *inputs: Array | None) -> tuple[Any, Extra]:
    """Return (output, extra) of a network in training: statistics of the batch, and its collections moved on."""
    return network.apply({"params": params, **extra}, *inputs, train=True, mutable=list(extra))


def joined(x: Array, given: Array | None) -> Array:
    """Return x with `given` [B, K] beside its last axis: of vectors, or as constant planes of images [B, H, W, C]."""
    if given is None:
        return x
    planes = given.reshape(len(given), *[1] * (x.ndim - 2), given.shape[-1])
    return jnp.concatenate([x, jnp.broadcast_to(planes, (*x.shape[:-1], given.shape[-1])).astype(x.dtype)], axis=-1)


def pack(x: Array, size: int) -> Array:
    """Return packs of `size` examples, [B, ..., C] -> [B / size, ..., C * size] (Lin et al. 2018, "PacGAN").

    Raises ValueError where the batch does not divide.
    """
    if size == 1:
        return x
    if len(x) % size:
        raise ValueError(f"packs of {size} need a batch that {size} divides, got {len(x)} examples")
    return jnp.concatenate([x[number::size] for number in range(size)], axis=-1)
