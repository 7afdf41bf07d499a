"""Batch norm on one device, and on eight under both wrappers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.nn.norm import BatchNorm
from jaxgen.parallel import compile_steps
from jaxgen.step import init
from tests.test_step import assert_same

KEY = jax.random.key(0)


class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(BatchNorm()(nn.Dense(6)(x), train=train))
        return nn.Dense(1)(x)[:, 0]


def critic_game():
    net = Critic()

    def start(key, batch):
        variables = net.init(key, batch["x"], train=True)
        return {"critic": variables["params"]}, {"critic": variables["batch_stats"]}

    def loss(params, state, batch, key):
        variables = {"params": params["critic"], "batch_stats": state.extra["critic"]}
        out, changed = net.apply(variables, batch["x"], train=True, mutable=["batch_stats"])
        error = (out - batch["x"].sum(-1)) ** 2
        return {"critic": error.mean()}, Aux({"critic": changed["batch_stats"]}, {"critic/output": out.mean()})

    phases = (Phase(("critic",), loss, 2),)
    return Game(start, {"critic": Player(("critic",), optax.sgd(1e-2))}, phases, ema={"critic": 0.5})


def test_output_has_mean_zero_and_deviation_one():
    x = 3.0 * jax.random.normal(KEY, (64, 5)) + 7.0
    layer = BatchNorm()
    y, _ = layer.apply(layer.init(KEY, x, train=True), x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y.mean(0), jnp.zeros(5), atol=1e-5)
    np.testing.assert_allclose(y.std(0), jnp.ones(5), atol=1e-4)


@pytest.mark.parametrize("how", ["jit", "pmap"])
def test_eight_devices_normalise_as_one(how):
    game = critic_game()
    # Plain descent: Adam would blow up the rounding of the first bias, whose gradient is zero before a norm.
    # Examples in order of size: each device's own statistics would be far from the batch's.
    data = {"x": jnp.sort(jax.random.normal(KEY, (64, 3)), axis=0)}
    index = np.stack([np.arange(64, dtype=np.int32)] * 4)

    def play(**options):
        compiled = compile_steps(game, **options)
        state = compiled.place(init(game, KEY, data))
        return jax.device_get(compiled.run(state, compiled.place(data), index, index, 4))

    assert_same(play(devices=8, how=how), play(), rtol=1e-3, atol=1e-4)
