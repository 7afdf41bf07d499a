"""Repeated layers: each has random streams of its own, and what each sows comes out."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.base import Bijector, constant
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.continuous import Continuous, Drift
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.permute import Reverse
from jaxgen.nn.conditioner import DenseConditioner

KEY = jax.random.key(0)


class Dither(Bijector):
    """y = 2 x + noise of the stream "dither"; sows the noise."""

    def forward(self, x, condition=None):
        return 2 * x + self.noise(x), constant(x.shape[-1] * np.log(2), x)

    def inverse(self, y, condition=None):
        return (y - self.noise(y)) / 2, constant(-y.shape[-1] * np.log(2), y)

    def noise(self, x):
        noise = jax.random.normal(self.make_rng("dither"), x.shape)
        self.sow("intermediates", "noise", noise)
        return noise


def test_each_layer_has_streams_of_its_own_and_what_it_sows_comes_out():
    x, rngs = jnp.ones((2, 3)), {"dither": KEY}
    (y, log_det), told = Repeat(Dither(), 3).apply({"params": {"layers": {}}}, x, rngs=rngs, mutable="intermediates")
    (noise,) = told["intermediates"]["layers"]["noise"]
    assert noise.shape == (3, 2, 3) and len(np.unique(noise)) == noise.size
    chex.assert_trees_all_close(y, 8 * x + 4 * noise[0] + 2 * noise[1] + noise[2], atol=1e-5)
    chex.assert_trees_all_close(log_det, jnp.full(2, 9 * np.log(2)), atol=1e-5)


def test_streams_are_the_same_both_ways():
    flow = Repeat(Chain([Dither(), Repeat(Dither(), 2)]), 3)
    x, rngs = jnp.ones((2, 3)), {"dither": KEY}
    params = flow.init(KEY, x)
    y, log_det = flow.apply(params, x, rngs=rngs)
    back, other = flow.apply(params, y, rngs=rngs, method="inverse")
    chex.assert_trees_all_close((back, other), (x, -log_det), atol=1e-4)


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


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.bfloat16, jnp.float32])
def test_repeated_layers_start_from_whatever_type_they_take(dtype):
    flow, x = Repeat(Coupling(partial(DenseConditioner, hidden=(4,)), affine()), 2), jnp.arange(12).reshape(4, 3)
    params = flow.init(KEY, x.astype(dtype))
    chex.assert_trees_all_equal_shapes_and_dtypes(params, flow.init(KEY, x.astype(jnp.float32)))
    assert jnp.isfinite(flow.apply(params, x.astype(dtype))[0]).all()


def test_one_bijector_in_two_places_is_refused():
    same = Coupling(partial(DenseConditioner, hidden=(4,)), affine())
    with pytest.raises(ValueError, match="a bijector of its own in each place, got the same Coupling twice"):
        Chain([same, Reverse(), same])
