"""Lower bounds of log p(x), each [B] in nats."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import chex
import jax


def elbo(log_likelihood: jax.Array, kl: jax.Array, *, beta: jax.Array | float = 1.0) -> jax.Array:
    """Return the evidence lower bound log p(x|z) - beta KL [B] (Kingma and Welling 2014, equation 3).

    log_likelihood, kl: [B], nats. beta: weight of the KL (Higgins et al. 2017); 1 gives a bound.
    """
    chex.assert_rank([log_likelihood, kl], 1)
    chex.assert_equal_shape([log_likelihood, kl])
    return log_likelihood - beta * kl


def capacity_bound(
    log_likelihood: jax.Array, kl: jax.Array, *, gamma: jax.Array | float, capacity: jax.Array | float
) -> jax.Array:
    """Return log p(x|z) - gamma |KL - C| [B], nats, which holds the KL at the capacity C (Burgess et al. 2018).

    log_likelihood, kl: [B], nats. gamma: weight of the distance to the capacity. At capacity 0 it is `elbo` with gamma
    as beta; a bound of log p(x) where gamma |KL - C| is at least the KL.
    """
    chex.assert_rank([log_likelihood, kl], 1)
    chex.assert_equal_shape([log_likelihood, kl])
    return log_likelihood - gamma * abs(kl - capacity)


def importance_weighted(log_weights: jax.Array) -> jax.Array:
    """Return log (1/K) sum_k w_k [B] (Burda et al. 2016, equation 8), nats.

    log_weights: [K, B], log p(x, z_k) - log q(z_k | x) with z_k drawn from q.
    """
    chex.assert_rank(log_weights, 2)
    return jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def doubly_reparameterised(log_weights: Callable[[Any, Any], jax.Array], theta: Any, z: Any) -> jax.Array:
    """Return the bound of `importance_weighted` [B], whose gradient to the posterior is the doubly reparameterised one.

    log_weights: (theta, z) -> [K, B], log p(x, z) - log q(z|x), in which q's own parameters are constants. theta:
    whatever else it depends on; its gradient is that of the bound. z: tree of [K, B, ...], drawn from q by
    reparameterisation: its gradient is weighted once more by the normalised weights (Tucker et al. 2019,
    equation 6), so that the encoder's gradient is unbiased and its signal does not fade as K grows.
    """
    return importance_weighted(log_weights(theta, z))


def _doubly_forward(log_weights, theta, z):
    weights, pull = jax.vjp(log_weights, theta, z)
    return importance_weighted(weights), (pull, jax.nn.softmax(weights, axis=0))


def _doubly_backward(log_weights, kept, gradient):
    pull, share = kept
    to_theta, to_z = pull(share * gradient[None])
    again = jax.tree.map(lambda g: g * share.reshape(*share.shape, *[1] * (g.ndim - 2)), to_z)
    return to_theta, again


doubly_reparameterised.defvjp(_doubly_forward, _doubly_backward)
