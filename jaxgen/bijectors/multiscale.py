"""The multi-scale architecture: half of what each level makes is done, the other half goes on."""

import math
from collections.abc import Sequence

import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector


class MultiScale(Bijector):
    """Levels of bijectors of images, [B, H, W, C] -> [B, H W C] (Dinh et al. 2017, "RealNVP", section 3.6).

    Each level squeezes once, wherever it likes; after each but the last, the second half of the channels leaves, and
    the first half goes on to the next. A learned prior of what leaves given what goes on (Glow, the authors' code) is
    a coupling at the end of the level: see `jaxgen.models.glow`. shape: of one image [H, W, C].
    """

    levels: Sequence[Bijector]
    shape: tuple[int, int, int]

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return z [B, H W C], the first to leave first, and the log-determinant [B]."""
        if x.shape[1:] != tuple(self.shape):
            raise ValueError(f"this flow is of images of shape {tuple(self.shape)}, got {x.shape}")
        left, total = [], 0.0
        for number, level in enumerate(self.levels):
            h, w, c = x.shape[1:]
            x, log_det = level.forward(x, condition)
            total = total + log_det
            if x.shape[1:] != (h // 2, w // 2, 4 * c):
                raise ValueError(f"level {number} must squeeze {(h, w, c)} once, but makes {x.shape[1:]} of it")
            if number < len(self.levels) - 1:
                x, leaves = jnp.split(x, 2, axis=-1)
                left.append(leaves)
        return jnp.concatenate([part.reshape(len(x), -1) for part in (*left, x)], axis=-1), total

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, H, W, C] and the log-determinant [B]."""
        if y.ndim != 2 or y.shape[1] != math.prod(self.shape):
            raise ValueError(f"codes of images {tuple(self.shape)} are [B, {math.prod(self.shape)}], got {y.shape}")
        shapes = self.leaving()
        ends = [sum(math.prod(shape) for shape in shapes[: n + 1]) for n in range(len(shapes) - 1)]
        parts = [part.reshape(-1, *shape) for part, shape in zip(jnp.split(y, ends, axis=-1), shapes, strict=True)]
        x, total = parts.pop(), 0.0
        for number, level in reversed(list(enumerate(self.levels))):
            if number < len(self.levels) - 1:
                x = jnp.concatenate([x, parts.pop()], axis=-1)
            x, log_det = level.inverse(x, condition)
            total = total + log_det
        return x, total

    def leaving(self) -> list[tuple[int, int, int]]:
        """Return the shape [H, W, C] of what leaves after each level."""
        (h, w, c), shapes = self.shape, []
        for number in range(len(self.levels)):
            h, w, c = h // 2, w // 2, 4 * c
            if number < len(self.levels) - 1:
                c //= 2
            shapes.append((h, w, c))
        return shapes
