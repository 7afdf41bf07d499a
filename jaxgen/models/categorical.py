"""Independent categorical variables, fitted in closed form: the plainest prior of a grid of codes."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


class Categorical(NamedTuple):
    """log_p [P, K]: log-probability of each of K values at each of P places, all independent."""

    log_p: Array

    def log_prob(self, index: Array) -> Array:
        """Return log P(index) [B] in nats. index: integers [B, ...], P in all."""
        places = index.reshape(len(index), -1)
        chex.assert_axis_dimension(places, 1, len(self.log_p))
        return self.log_p[jnp.arange(len(self.log_p)).reshape(1, -1), places].sum(-1)

    def sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Return draws, int32 [*shape], the first axis of which counts the draws."""
        draws = jax.random.categorical(key, self.log_p[None], shape=(shape[0], len(self.log_p)))
        return draws.astype(jnp.int32).reshape(shape)


def fit(index: Array, size: int) -> Categorical:
    """Return the most probable of them for index, integers [N, ...] below `size`.

    Each place has seen one example more, spread over all values, so that none is impossible.
    """
    places = index.reshape(len(index), -1)
    column = jnp.arange(places.shape[1]).reshape(1, -1)
    counts = jnp.zeros((places.shape[1], size)).at[column, places].add(1.0)
    return Categorical(jnp.log((counts + 1 / size) / (len(index) + 1)))
