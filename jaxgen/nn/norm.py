"""Batch normalisation over the whole batch, however many devices it is spread over."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.game import AXIS
from jaxgen.nn.axis import bound


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy 2015) of [B, ..., C], with running statistics in "batch_stats".

    Under pmap the statistics are those of all devices' examples, as they are in a global view.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """x: [B, ..., C]. train: normalise by the batch's own statistics, and let the running ones follow."""
        return nn.BatchNorm(
            use_running_average=not train,
            axis_name=AXIS if bound() else None,
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
        )(x)
