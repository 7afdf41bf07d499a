"""Repeated layers: each has random streams of its own, and what each sows comes out."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Bijector, constant
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.continuous import Continuous, Drift

KEY = jax.random.key(0)


class Dither(Bijector):
    """y = x + noise of the stream "dither"; sows the noise."""

    def forward(self, x, condition=None):
        noise = self.noise(x)
        return x + noise, constant(noise[0, 0], x)

    def inverse(self, y, condition=None):
        noise = self.noise(y)
        return y - noise, constant(-noise[0, 0], y)

    def noise(self, x):
        noise = jax.random.normal(self.make_rng("dither"), x.shape)
        self.sow("intermediates", "noise", noise)
        return noise


def test_each_layer_has_streams_of_its_own_and_what_it_sows_comes_out():
    x, rngs = jnp.ones((2, 3)), {"dither": KEY}
    (y, log_det), told = Repeat(Dither(), 3).apply({"params": {"layers": {}}}, x, rngs=rngs, mutable="intermediates")
    (noise,) = told["intermediates"]["layers"]["noise"]
    assert noise.shape == (3, 2, 3) and len(np.unique(noise)) == noise.size
    chex.assert_trees_all_close((y, log_det), (x + noise.sum(0), constant(noise[:, 0, 0].sum(), x)), atol=1e-6)


def test_streams_are_the_same_both_ways():
    flow = Repeat(Chain([Dither(), Repeat(Dither(), 2)]), 3)
    x, rngs = jnp.ones((2, 3)), {"dither": KEY}
    params = flow.init(KEY, x)
    y, log_det = flow.apply(params, x, rngs=rngs)
    assert jnp.abs(y - x).min() > 1e-3
    back, other = flow.apply(params, y, rngs=rngs, method="inverse")
    chex.assert_trees_all_close((back, other), (x, -log_det), atol=1e-5)


def test_repeated_continuous_layers_estimate_and_say_their_steps():
    flow = Repeat(Continuous(Drift((8,), nn.tanh, nn.initializers.normal(0.5)), "hutchinson"), 2)
    x, rngs = jax.random.normal(KEY, (4, 3)), {"trace": KEY}
    params = jax.jit(flow.init)(KEY, x)

    @jax.jit
    def run(params):
        (y, log_det), told = flow.apply(params, x, rngs=rngs, mutable="intermediates")
        return log_det, flow.apply(params, y, rngs=rngs, method="inverse"), told["intermediates"]["layers"]

    log_det, (back, other), told = run(params)
    chex.assert_trees_all_close((back, other), (x, -log_det), atol=1e-3)
    (steps,) = told["solves"]
    assert steps["accepted"].shape == (2,) and (steps["accepted"] > 1).all()
