"""Heads of discriminators: features [B, F] to logits."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.nn.minibatch import MinibatchDiscrimination, deviation

Array = jax.Array


class Logits(nn.Module):
    """Features [B, F], condition [B, K] or None -> (logits [B], or [B, classes] with several classes, features).

    projects: add the inner product of the features with an embedding of the condition (Miyato and Koyama 2018,
    equation 3); the networks before then do not see the condition. deviation, kernels: append the batch's deviation, or
    so many kernels of minibatch discrimination, to the features. spectral: weights over their largest singular value.
    """

    classes: int = 1
    projects: bool = False
    deviation: bool = False
    kernels: int = 0
    spectral: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, f: Array, given: Array | None = None, *, train: bool) -> tuple[Array, Array]:
        """See the class."""
        types = {"dtype": self.dtype, "param_dtype": self.param_dtype}

        def dense(layer, x):
            return nn.SpectralNorm(layer)(x, update_stats=train) if self.spectral else layer(x)

        seen = f
        if self.kernels:
            seen = MinibatchDiscrimination(self.kernels, **types)(seen)
        if self.deviation:
            seen = jnp.concatenate([seen, deviation(f)], axis=-1)
        logits = dense(nn.Dense(self.classes, kernel_init=self.kernel_init, **types), seen)
        if self.projects and given is not None:
            embedding = dense(nn.Dense(f.shape[-1], use_bias=False, kernel_init=self.kernel_init, **types), given)
            logits = logits + (f * embedding).sum(-1, keepdims=True)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        return (logits[:, 0] if self.classes == 1 else logits), f
