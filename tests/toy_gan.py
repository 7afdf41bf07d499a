"""A GAN-shaped game small enough to reason about: linear networks, batch statistics, repeats, an average."""

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player

DATA = 3
LATENT = 2


def generate(generator, z):
    return z @ generator["w"] + generator["b"][None]


def judge(discriminator, x):
    return jnp.tanh(x @ discriminator["w"]) @ discriminator["v"]


def init(key, batch):
    keys = jax.random.split(key, 3)
    params = {
        "generator": {"w": jax.random.normal(keys[0], (LATENT, DATA)), "b": jnp.zeros(DATA)},
        "discriminator": {"w": jax.random.normal(keys[1], (DATA, 5)), "v": jax.random.normal(keys[2], (5,))},
        "spectator": {"w": jnp.ones(2)},
    }
    return params, {"discriminator": {"mean": jnp.zeros(DATA), "seen": jnp.zeros((), jnp.int32)}}


def losses(params, state, batch, key):
    """Both players' losses of one forward pass, and the discriminator's running mean of the data."""
    params = {**state.params, **params}
    fake = generate(params["generator"], jax.random.normal(key, (len(batch["x"]), LATENT)))
    real_logits = judge(params["discriminator"], batch["x"])
    fake_logits = judge(params["discriminator"], fake)
    statistics = state.extra["discriminator"]
    statistics = {
        "mean": 0.9 * statistics["mean"] + 0.1 * batch["x"].mean(0),
        "seen": statistics["seen"] + 1,
    }
    discriminator = (jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)).mean()
    generator = jax.nn.softplus(-fake_logits).mean()
    aux = Aux({"discriminator": statistics}, {"gan/real": real_logits.mean()})
    return {"discriminator": discriminator, "generator": generator}, aux


def only(player):
    def loss(params, state, batch, key):
        both, aux = losses(params, state, batch, key)
        return {player: both[player]}, aux

    return loss


def players(tx):
    return {"discriminator": Player(("discriminator",), tx), "generator": Player(("generator",), tx)}


def alternating(tx=None, repeats=5):
    """The discriminator `repeats` times, then the generator once; the generator is averaged."""
    phases = (Phase(("discriminator",), only("discriminator"), repeats), Phase(("generator",), only("generator")))
    return Game(init, players(tx or optax.adam(1e-2)), phases, ema={"generator": 0.9})


def simultaneous(tx=None):
    """Both at once, from one forward pass."""
    return Game(init, players(tx or optax.adam(1e-2)), (Phase(("discriminator", "generator"), losses),))


def batch(key, size=20):
    return {"x": jax.random.normal(key, (size, DATA)) + 2.0}
