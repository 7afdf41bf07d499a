"""Log-likelihoods of latent-variable models by importance sampling, and what a trivial model reaches."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp


def importance_sampled(log_weights: Callable[[jax.Array, int], jax.Array], key: jax.Array, *, samples: int, chunk: int):
    """Return the estimate log (1/K) sum_k w_k of log p(x) [B] in nats (Burda et al. 2016, section 5).

    log_weights: (key, n) -> [n, B], log p(x, z) - log q(z|x) of n fresh draws: any latent-variable model.
    samples: K; exp of the estimate is unbiased for p(x), the estimate itself is biased downwards.
    chunk: draws held in memory at once; a sum in log space is carried from chunk to chunk, so the
    result is exact whatever the chunk. Raises ValueError for a chunk that does not divide `samples`.
    """
    check_samples(samples, chunk)
    keys = jax.random.split(key, samples // chunk)

    def add(total, key):
        return jnp.logaddexp(total, jax.nn.logsumexp(log_weights(key, chunk), axis=0)), None

    empty = jnp.full(jax.eval_shape(lambda k: log_weights(k, 1), key).shape[1:], -jnp.inf)
    total, _ = jax.lax.scan(add, empty, keys)
    return total - math.log(samples)


def check_samples(samples: int, chunk: int) -> None:
    """Raise ValueError for numbers of samples that cannot be drawn."""
    if samples < 1 or chunk < 1:
        raise ValueError(f"samples and chunk must be at least 1, got {samples} and {chunk}")
    if samples % chunk:
        raise ValueError(f"the chunk must divide the {samples} samples, got {chunk}")
