"""What a flag of the command line says arrives in the game: rates, their decay, weights, intervals, players."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.common.gans import INITS, game_of, loss_of, networks, optimisers
from experiments.common.plain import generating
from experiments.gan import Config
from experiments.mode_collapse import Config as Compared
from experiments.mode_collapse import contender
from experiments.multi_generator_gan import multi_gan
from jaxgen.games.gan import D, G
from jaxgen.losses.adversarial import LOSSES
from jaxgen.models.gan import learn
from jaxgen.step import init, make_step

PLAIN = Config(
    loss="non-saturating",
    penalty="none",
    noise=0.0,
    decay=False,
    ema=0.0,
    generator_hidden=(8,),
    discriminator_hidden=(8,),
    latent=3,
    steps=20,
    batch_size=12,
)
X = jax.random.normal(jax.random.key(7), (12, 2))


def game(config):
    return game_of(config, networks(config, (2,)), 1000)


def path(config, steps, one=None):
    """Return the state after each step."""
    one = one or game(config)
    state, step = init(one, jax.random.key(0), {"x": X}), jax.jit(make_step(one))
    states = [state]
    for _ in range(steps):
        state = step(state, {"x": X})[0]
        states.append(state)
    return states


def moves(states, name):
    """Return the largest move of any weight of a network in each step."""
    params = [state.params[name] for state in states]
    return [
        max(float(jnp.abs(a - b).max()) for a, b in zip(jax.tree.leaves(p), jax.tree.leaves(q), strict=True))
        for p, q in itertools.pairwise(params)
    ]


@pytest.mark.parametrize(("name", "other"), [(G, D), (D, G)])
def test_each_player_has_its_own_rate(name, other):
    config = replace(PLAIN, optimiser="sgd", generator_rate=0.1, discriminator_rate=0.1)
    twice = replace(config, **{f"{name}_rate": 0.2})
    before, after = path(config, 1), path(twice, 1)
    np.testing.assert_allclose(moves(after, D)[0], moves(before, D)[0] * (2 if name == D else 1), rtol=1e-5)
    if name == G:  # it moves after the discriminator, which its move depends on
        np.testing.assert_allclose(moves(after, G)[0], 2 * moves(before, G)[0], rtol=1e-5)


@pytest.mark.parametrize("several", [{}, {"discriminator_steps": 3}, "k steps"], ids=["one", "slices", "k steps"])
def test_both_rates_fall_in_a_straight_line_to_the_end_of_the_run(several):
    """Whatever the number of the discriminator's steps: its own count of them is not the run's."""
    config = replace(PLAIN, decay=True, optimiser="sgd", steps=10)
    if several == "k steps":
        whole = Compared(**{**vars(config), "stabilisers": ("k steps",), "noise_steps": None})
        one, each = contender(whole, "k steps", (2,), 1000)[0], 5
    else:
        config = replace(config, **several)
        one, each = game(config), config.discriminator_steps
    gradient = {"w": jnp.ones(())}
    for name, count in ((G, 10), (D, 10 * each)):
        tx = one.players[name].tx
        state, rates = tx.init(gradient), []
        for _ in range(count):
            update, state = tx.update(gradient, state, gradient)
            rates.append(-float(update["w"]))
        start = config.generator_rate if name == G else config.discriminator_rate
        np.testing.assert_allclose(rates, start * (1 - np.arange(count) / count), rtol=1e-4)
    assert min(moves(path(config, 10, one), D)) > 0


def test_adam_has_the_betas_asked_for():
    config = replace(PLAIN, beta1=0.3, beta2=0.7, generator_rate=1e-2)
    ours, theirs = optimisers(config, 1)[G], optax.adam(1e-2, 0.3, 0.7)
    params = {"w": jnp.zeros(())}
    states = ours.init(params), theirs.init(params)
    for slope in (1.0, -3.0, 0.5):
        gradient = {"w": jnp.array(slope)}
        (a, first), (b, second) = (tx.update(gradient, s, params) for tx, s in zip((ours, theirs), states, strict=True))
        states = first, second
        np.testing.assert_array_equal(a["w"], b["w"])


def losses(config, step=0):
    """Return both players' losses at one start, {player: loss}, and the discriminator's metrics."""
    one = game(config)
    state = init(one, jax.random.key(0), {"x": X}).replace(step=jnp.int32(step))
    found, told = {}, {}
    for number, phase in enumerate(one.phases):
        params = {name: state.params[name] for player in phase.players for name in one.players[player].moves}
        values, aux = phase.loss(params, state, {"x": X}, jax.random.key(5 if number == 0 else 6))
        found |= values
        told |= aux.metrics
    return {name: float(value) for name, value in found.items()}, {name: float(value) for name, value in told.items()}


def test_weights_of_the_losses_are_those_asked_for():
    plain, _ = losses(PLAIN)
    assert losses(replace(PLAIN, adversarial=0.25))[0] == pytest.approx({D: plain[D], G: 0.25 * plain[G]}, rel=1e-5)
    one, told = losses(replace(PLAIN, feature_matching=1.0))
    three, _ = losses(replace(PLAIN, feature_matching=3.0))
    assert told["gan/feature_matching"] > 0
    assert three[G] - plain[G] == pytest.approx(3 * (one[G] - plain[G]), rel=1e-4) and one[D] == plain[D]


def test_a_penalty_has_its_weight_and_its_interval():
    plain, _ = losses(PLAIN)
    once, _ = losses(replace(PLAIN, penalty="r1", penalty_weight=2.0))
    lazy = replace(PLAIN, penalty="r1", penalty_weight=4.0, penalty_interval=3)
    at, between = losses(lazy)[0], losses(lazy, step=1)[0]
    assert once[D] > plain[D] and at[D] - plain[D] == pytest.approx(6 * (once[D] - plain[D]), rel=1e-4)
    assert between[D] == pytest.approx(losses(PLAIN, step=1)[0][D])


def test_the_discriminators_targets_are_smooth_where_asked():
    assert losses(replace(PLAIN, smooth=0.3))[0][D] != losses(PLAIN)[0][D]
    real, fake = jnp.array([1.0, 2.0]), jnp.array([0.5, -1.0])

    for ours, theirs in zip(
        loss_of(replace(PLAIN, smooth=0.3))(real, fake), LOSSES["non-saturating"](real, fake, smooth=0.3), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_players_that_move_at_once_or_look_ahead_are_those_asked_for():
    assert [phase.players for phase in game(replace(PLAIN, simultaneous=True)).phases] == [(D, G)]
    assert [phase.repeats for phase in game(replace(PLAIN, discriminator_steps=4)).phases] == [4, 1]
    ahead = [losses(replace(PLAIN, unroll=count))[0] for count in (0, 1, 4)]
    assert len({round(one[D], 6) for one in ahead}) == 1 and len({round(one[G], 6) for one in ahead}) == 3


def test_only_the_discriminators_weights_are_clipped():
    tx = optimisers(replace(PLAIN, clip=0.01), 1)[D]
    for before in ("", "clipping/"):
        params = {f"{before}{D}": {"w": jnp.ones(3)}, f"{before}reader": {"w": jnp.ones(3)}}
        updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
        after = optax.apply_updates(params, updates)
        assert float(after[f"{before}{D}"]["w"].max()) <= 0.01 and float(after[f"{before}reader"]["w"].min()) == 1


def test_orthogonal_weights_have_the_gain_of_the_papers_code():
    w = np.asarray(INITS["orthogonal"](jax.random.key(0), (16, 16), jnp.float32), np.float64)
    np.testing.assert_allclose(w @ w.T, 1.4**2 * np.eye(16), atol=1e-5)


def test_several_generators_share_all_layers_but_the_last():
    gan = multi_gan(replace(PLAIN, generator_hidden=(5, 6, 7)), (2,), 3)
    params = gan.init(jax.random.key(0), X)[0][G]
    shapes = {tuple(np.shape(leaf)) for leaf in jax.tree.leaves(params)}
    assert {(3, 5), (5, 6), (3, 6, 7), (3, 7, 2)} <= shapes


def test_an_average_generates_with_running_statistics_of_its_own_weights():
    config = replace(PLAIN, generator_norm="batch", ema=200.0, generator_rate=0.05, steps=40)
    gan = networks(config, (2,))
    state = path(config, 40, game_of(config, gan, 1000))[-1]
    params, extra = jax.jit(lambda state: generating(gan)(state))(state)
    jax.tree.map(np.testing.assert_array_equal, params[G], state.ema[G])
    # What the statistics should be: of the first layer's outputs, before it is normalised, over many more draws.
    z = gan.prior(jax.random.key(3), 20_000)
    one = {"params": params[G], **extra[G]}
    first = z @ params[G]["Dense_0"]["kernel"] + params[G]["Dense_0"].get("bias", jnp.zeros(1))[None]
    own = jax.tree.leaves_with_path(extra[G]["batch_stats"])
    mean, var = (next(np.asarray(leaf) for place, leaf in own if kind in str(place)) for kind in ("mean", "var"))
    scale = np.asarray(first.std(0))
    assert (np.abs(mean - np.asarray(first.mean(0))) < 0.15 * scale).all()
    np.testing.assert_allclose(np.sqrt(var), scale, rtol=0.1)
    live = {"params": params[G], **state.extra[G]}
    batch, _ = learn(gan.generator, params[G], state.extra[G], z, None)  # by the statistics of 20,000 examples
    off = [float(jnp.abs(gan.generator.apply(v, z, None, train=False) - batch).mean()) for v in (one, live)]
    assert off[0] < 0.5 * off[1]
