from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.nn.mlp import MLP
from jaxgen.nn.noise import NoisyMLP

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (4, 2, 3))


def add(key, x, size):
    return x + size * jax.random.normal(key, x.shape)


def test_without_an_rng_it_is_an_mlp_of_the_same_parameters():
    noisy, plain = NoisyMLP((5, 6), partial(add, size=1.0)), MLP((5, 6))
    params = noisy.init(KEY, X)
    jax.tree.map(np.testing.assert_array_equal, params, plain.init(KEY, X))
    np.testing.assert_array_equal(noisy.apply(params, X), plain.apply(params, X))


def test_every_layer_gets_noise_of_its_own():
    calls = []

    def note(key, x):
        calls.append((jax.random.key_data(key).tolist(), x.shape))
        return x

    noisy = NoisyMLP((5, 6), note)
    noisy.apply(noisy.init(KEY, X), X, rngs={"noise": KEY})
    assert [shape for _, shape in calls] == [(4, 6), (4, 5)]
    assert calls[0][0] != calls[1][0]


def test_noise_follows_the_rng_alone():
    noisy = NoisyMLP((5,), partial(add, size=1.0), nn.tanh)
    params = noisy.init(KEY, X)
    one, again, other = (noisy.apply(params, X, rngs={"noise": jax.random.key(i)}) for i in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_one_linear_layer_under_noise_is_right_in_the_mean():
    noisy = NoisyMLP((3,), partial(add, size=0.5), lambda x: x)
    params = noisy.init(KEY, X)
    keys = jax.random.split(KEY, 4000)
    mean = jax.vmap(lambda key: noisy.apply(params, X, rngs={"noise": key}))(keys).mean(0)
    np.testing.assert_allclose(mean, noisy.apply(params, X), atol=0.05)
    assert jnp.isfinite(mean).all()
