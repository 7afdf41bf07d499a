"""Statistics of a whole batch for a discriminator to see: what gives a collapsed generator away.

Under pmap the batch is that of all devices.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.axis import gathered

Array = jax.Array


def deviation(x: Array, *, epsilon: float = 1e-8) -> Array:
    """Return the features' standard deviation over the batch, averaged into one number (Karras et al. 2018, section 3).

    x: [B, ...]. Returns: [B, 1], the same number in every row.
    """
    mean = jnp.sqrt(gathered(x).var(0) + epsilon).mean()
    return jnp.broadcast_to(mean, (len(x), 1)).astype(x.dtype)


class MinibatchDiscrimination(nn.Module):
    """How close each example is to the others of its batch, by `kernels` learned distances (Salimans et al. 2016).

    Features f [B, F] -> [B, F + kernels]: o_b = sum over the other examples of exp(-|M_b - M'_b|_1), equation 1 ff.,
    where M is f times a learned tensor [F, kernels, depth].
    """

    kernels: int = 100
    depth: int = 5
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, f: Array) -> Array:
        """f: [B, F]."""
        layer = nn.Dense(self.kernels * self.depth, use_bias=False, dtype=self.dtype, param_dtype=self.param_dtype)
        own = layer(f).reshape(len(f), self.kernels, self.depth)
        others = gathered(own)
        # [B, all, kernels], a sum of terms: that over an axis takes twenty times as long in the gradient on a CPU.
        distance = sum(jnp.abs(own[:, None, :, i] - others[None, :, :, i]) for i in range(self.depth))
        near = jnp.exp(-distance).sum(1) - 1.0  # one of them is the example itself, at distance 0
        return jnp.concatenate([f, near.astype(f.dtype)], axis=-1)
