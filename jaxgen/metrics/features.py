"""Features of images, in which sets of them are compared."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.metrics.batched import over


class Features(NamedTuple):
    """A named function of images.

    apply: images [B, H, W, C], floats in [0, 1] -> features [B, ...]. It is called as it is: compile it before.
    """

    name: str
    apply: Callable[[Any], Any]

    def of(self, images: np.ndarray, *, batch_size: int = 500) -> np.ndarray:
        """Return the features [N, F] of images [N, H, W, C], flat, as numpy."""

        def function(key: jax.Array, batch: Mapping[str, Any]) -> Any:
            return self.apply(batch["image"])

        found = over(function, jax.random.key(0), {"image": images}, batch_size=batch_size)
        return found.reshape(len(images), -1)


PIXELS = Features("pixels", lambda image: image.reshape(len(image), -1))


def checked_pair(who: str, generated: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features [N, F] and [M, F] in float64. Raises ValueError, in the name of `who`, for others."""
    generated, real = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1] or 0 in generated.shape:
        raise ValueError(f"{who}: expected features [N, F] and [M, F], got {generated.shape} and {real.shape}")
    for name, x in (("generated", generated), ("real", real)):
        if bad := int(np.count_nonzero(~np.isfinite(x))):
            raise ValueError(f"{who}: expected finite {name} features, got {bad} of {x.size} that are not")
    return generated, real
