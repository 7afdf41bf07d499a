"""Lower bounds of log p(x), each [B] in nats."""

import math

import chex
import jax


def elbo(log_likelihood: jax.Array, kl: jax.Array, *, beta: jax.Array | float = 1.0) -> jax.Array:
    """Return the evidence lower bound log p(x|z) - beta KL [B] (Kingma and Welling 2014, equation 3).

    log_likelihood, kl: [B], nats. beta: weight of the KL (Higgins et al. 2017); 1 gives a bound.
    """
    chex.assert_rank([log_likelihood, kl], 1)
    chex.assert_equal_shape([log_likelihood, kl])
    return log_likelihood - beta * kl


def importance_weighted(log_weights: jax.Array) -> jax.Array:
    """Return log (1/K) sum_k w_k [B] (Burda et al. 2016, equation 8), nats.

    log_weights: [K, B], log p(x, z_k) - log q(z_k | x) with z_k drawn from q.
    """
    chex.assert_rank(log_weights, 2)
    return jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))
