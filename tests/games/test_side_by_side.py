import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.side_by_side import alone, joined, own, side_by_side
from jaxgen.games.vae import grow, vae_game
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.mlp import MLP
from jaxgen.step import init, make_step
from tests import toy_gan
from tests.test_step import assert_same

KEY = jax.random.key(0)
MODEL = VAE(Encoder(MLP((5,)), 2), Decoder(MLP((5,)), (3, 3, 1)), BERNOULLI, 2)


def deterministic(rate):
    """A GAN of two phases, batch statistics and an average, with one fixed latent."""
    game = toy_gan.alternating(optax.sgd(rate), repeats=2)

    def fixed(loss):
        return lambda params, state, batch, key: loss(params, state, batch, jax.random.key(7))

    return game._replace(phases=tuple(phase._replace(loss=fixed(phase.loss)) for phase in game.phases))


def test_each_game_plays_as_it_does_alone():
    games = {"slow": deterministic(0.01), "fast": deterministic(0.1)}
    both = side_by_side(games)
    batch = toy_gan.batch(jax.random.key(1), 12)
    state = init(both, KEY, batch)
    apart = {name: alone(name, state) for name in games}
    step = make_step(both)
    for _ in range(3):
        state, metrics = step(state, batch)
        for name, game in games.items():
            apart[name], expected = make_step(game)(apart[name], batch)
            assert_same(own(name, metrics), expected, rtol=1e-5, atol=1e-6)
    for name, expected in apart.items():
        assert expected.extra
        assert expected.ema
        assert_same(alone(name, state), expected, rtol=1e-5, atol=1e-6)


def test_the_states_of_each_game_alone_make_that_of_both():
    games = {"slow": deterministic(0.01), "fast": deterministic(0.1)}
    batch = toy_gan.batch(jax.random.key(1), 12)
    first, second = (init(side_by_side(games), jax.random.key(seed), batch) for seed in range(2))
    assert_same(joined({name: alone(name, first) for name in games}), first)
    mixed = joined({"slow": alone("slow", first), "fast": alone("fast", second)})
    assert jax.tree.structure(mixed) == jax.tree.structure(first)
    for name, source in (("slow", first), ("fast", second)):
        for field in ("params", "extra", "opt_state", "ema"):
            assert_same(own(name, getattr(mixed, field)), own(name, getattr(source, field)))


@pytest.mark.slow
def test_games_start_differently_and_draw_their_own_noise():
    game = vae_game(MODEL, optax.sgd(0.0))
    batch = {"x": jax.random.bernoulli(KEY, 0.5, (6, 3, 3, 1)).astype(jnp.float32)}
    both = side_by_side({"a": game, "b": game})
    state = init(both, KEY, batch)
    a, b = (jax.tree.leaves(own(name, state.params))[-1] for name in "ab")
    assert (a != b).any()
    same = {**state.params, **{f"b/{name}": value for name, value in own("a", state.params).items()}}
    _, metrics = make_step(both)(state.replace(params=same), batch)
    assert metrics["a/vae/kl"] == metrics["b/vae/kl"]
    assert metrics["a/vae/log_likelihood"] != metrics["b/vae/log_likelihood"]


def test_the_loss_of_a_capacity_follows_its_schedule():
    game = vae_game(MODEL, optax.sgd(0.0), beta=lambda step: jnp.float32(10.0), capacity=grow(8.0, 4))
    batch = {"x": jax.random.bernoulli(KEY, 0.5, (1, 3, 3, 1)).astype(jnp.float32)}  # one example: its mean is itself
    state = init(game, KEY, batch)
    for step, capacity in [(0, 0.0), (1, 2.0), (4, 8.0), (99, 8.0)]:
        _, metrics = make_step(game)(state.replace(step=jnp.int32(step)), batch)
        expected = 10 * abs(metrics["vae/kl"] - capacity) - metrics["vae/log_likelihood"]
        np.testing.assert_allclose(metrics["vae/loss"], expected, rtol=1e-5)
        assert metrics["vae/capacity"] == capacity
    assert grow(3.0, 0)(jnp.int32(5)) == 3.0


def test_no_capacity_is_a_beta_vae():
    batch = {"x": jax.random.bernoulli(KEY, 0.5, (6, 3, 3, 1)).astype(jnp.float32)}
    games = [
        vae_game(MODEL, optax.sgd(0.1), beta=lambda step: jnp.float32(4.0), capacity=capacity)
        for capacity in (grow(0.0, 10), None)
    ]
    states = [make_step(game)(init(game, KEY, batch), batch)[0].params for game in games]
    assert_same(*states, rtol=1e-5, atol=1e-6)
