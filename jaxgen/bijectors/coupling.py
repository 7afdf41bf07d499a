"""Couplings: one part of x, unchanged, says how the other part changes."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array, Bijector, per_example
from jaxgen.bijectors.elementwise import Elementwise

Net = Callable[[int], nn.Module]
"""How many numbers to return at each place -> a network (kept [B, ..., C], condition) -> [B, ..., that many]."""


class _Coupling(Bijector):
    """What couplings of halves and of masks share: their network, and which function is the inverse of which."""

    net: Net
    elementwise: Elementwise

    @nn.compact
    def parameters(self, kept: Array, changed: Array, condition: Array | None) -> Array:
        """Return what the network says of `changed` [B, ..., C], [B, ..., C, size]."""
        size = self.elementwise.size
        expected = (*changed.shape[:-1], changed.shape[-1] * size)
        said = self.net(expected[-1])(kept, condition)
        if said.shape != expected:
            raise ValueError(
                f"a coupling's network must make {expected} of {kept.shape}, {size} for each of the {changed.shape} "
                f"numbers that change; it makes {said.shape}"
            )
        return said.reshape(*changed.shape, size)

    def run(self, function: Callable, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return one direction."""
        raise NotImplementedError

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y, of x's shape, and the log-determinant [B]."""
        return self.run(self.elementwise.forward, x, condition)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x, of y's shape, and the log-determinant [B]."""
        return self.run(self.elementwise.inverse, y, condition)


class Coupling(_Coupling):
    """One half of the last axis changes as the other half says (Dinh et al. 2017, "RealNVP", section 3.2).

    x: [B, ..., C]; the second half changes, or with `flip` the first; of an odd C the first half is the smaller.
    net: makes the network of the kept half.
    """

    flip: bool = False

    def run(self, function: Callable, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return one direction."""
        if x.shape[-1] < 2:
            raise ValueError(f"a coupling needs two numbers along the last axis at least, got x of shape {x.shape}")
        first, second = jnp.split(x, [x.shape[-1] // 2], axis=-1)
        kept, changed = (second, first) if self.flip else (first, second)
        changed, log_det = function(changed, self.parameters(kept, changed, condition))
        both = (changed, kept) if self.flip else (kept, changed)
        return jnp.concatenate(both, axis=-1), per_example(log_det)


class MaskedCoupling(_Coupling):
    """What a mask leaves out changes as the rest says (Dinh et al. 2017, "RealNVP", equation 9).

    mask: shape of an example -> array of that shape, true where x is kept. The network sees all of x, with zeros
    where it changes.
    """

    mask: Callable[[tuple[int, ...]], np.ndarray]

    def run(self, function: Callable, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """Return one direction."""
        mask = np.asarray(self.mask(x.shape[1:]), bool)
        if mask.shape != x.shape[1:] or mask.all() or not mask.any():
            what = "of another shape" if mask.shape != x.shape[1:] else "all kept" if mask.all() else "all changed"
            raise ValueError(f"a coupling's mask must keep some of an example {x.shape[1:]}, not all; it is {what}")
        mask = jnp.asarray(mask)[None]
        y, log_det = function(x, self.parameters(jnp.where(mask, x, 0), x, condition))
        return jnp.where(mask, x, y), per_example(jnp.where(mask, 0, log_det))


def checkerboard(shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask [H, W, C] that is true on every other pixel, from the first on."""
    height, width, channels = shape
    board = (np.arange(height)[:, None] + np.arange(width)) % 2 == 0
    return np.repeat(board[..., None], channels, axis=-1)


def other(mask: Callable[[tuple[int, ...]], np.ndarray]) -> Callable[[tuple[int, ...]], np.ndarray]:
    """Return a mask that keeps what this one changes."""
    return lambda shape: ~mask(shape)


def alternate(shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask [..., C] that is true on every other number of the last axis, from the first on."""
    return np.broadcast_to(np.arange(shape[-1]) % 2 == 0, shape)
