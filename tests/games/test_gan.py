import functools

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.common.gan_config import GANConfig
from experiments.common.gans import optimisers
from jaxgen.data.order import Batches
from jaxgen.games.gan import D, G, Term, Weighted, gan_game, matching
from jaxgen.games.replay import Replay
from jaxgen.losses.adversarial import hinge, minimax, non_saturating, relativistic
from jaxgen.losses.penalties import gradient, r1
from jaxgen.models.gan import GAN, Judged, learn, normal, pack
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.nn.heads import Logits
from jaxgen.nn.norm import BatchNorm
from jaxgen.parallel import compile_steps
from jaxgen.step import init, make_step, split
from tests.test_step import assert_same

KEY = jax.random.key(0)
NOISE = jax.random.normal(jax.random.key(9), (64, 3))
SGD = {D: optax.sgd(0.1), G: optax.sgd(0.3)}
PLAIN = GAN(MLPGenerator((5,), (2,)), MLPDiscriminator((6,), activation=jnp.tanh), normal(3))
FIXED = PLAIN._replace(prior=lambda key, n: NOISE[:n])  # no random number in a round: it can be played by hand
WORKS = FIXED._replace(
    generator=MLPGenerator((5,), (2,), batch_norm=True),
    discriminator=MLPDiscriminator((6,), spectral=True, head=Logits(deviation=True)),
)


def batch(size=12):
    return {"x": jax.random.normal(jax.random.key(1), (size, 2)) + 1.0}


def started(gan=FIXED, loss=non_saturating, size=12, **options):
    game = gan_game(gan, loss, **{"tx": SGD, **options})
    return game, init(game, KEY, batch(size))


def logits_of(gan, params, extra, x):
    """Return the logits of real and of generated examples, in training."""
    fake, _ = learn(gan.generator, params[G], extra[G], NOISE[: len(x)])
    real, later = learn(gan.discriminator, params[D], extra[D], x)
    return real.logits, learn(gan.discriminator, params[D], later, fake)[0].logits


def by_hand(gan, loss, params, extra, x, name):
    """Return (loss, gradient) of one player in its own network."""
    side = 0 if name == D else 1

    def of(own):
        return loss(*logits_of(gan, {**params, name: own}, extra, x))[side].mean()

    return jax.value_and_grad(of)(params[name])


def down(params, gradient, rate):
    return jax.tree.map(lambda p, g: p - rate * g, params, gradient)


def test_the_discriminator_moves_on_equal_slices_then_the_generator_against_it():
    loss = relativistic  # both losses are of both logits
    game, state = started(loss=loss, steps=3)
    after, metrics = jax.jit(make_step(game))(state, batch())

    @jax.jit
    def expected(params, extra):
        slices, values = split(batch(), 3)["x"], []
        for x in slices:
            value, slope = by_hand(FIXED, loss, params, extra, x, D)
            values.append(value)
            params = {**params, D: down(params[D], slope, 0.1)}
        value, slope = by_hand(FIXED, loss, params, extra, slices[0], G)
        return {**params, G: down(params[G], slope, 0.3)}, jnp.stack(values).mean(), value

    params, discriminator, generator = expected(state.params, state.extra)
    assert_same(dict(after.params), params, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics[f"{D}/loss"], discriminator, rtol=1e-5)
    np.testing.assert_allclose(metrics[f"{G}/loss"], generator, rtol=1e-5)


def test_the_joint_step_is_two_separate_gradients_at_one_place():
    game, state = started(simultaneous=True)
    after, _ = jax.jit(make_step(game))(state, batch())

    @jax.jit
    def expected(params, extra):
        slopes = {name: by_hand(FIXED, non_saturating, params, extra, batch()["x"], name)[1] for name in (D, G)}
        return {D: down(params[D], slopes[D], 0.1), G: down(params[G], slopes[G], 0.3)}

    assert_same(dict(after.params), expected(state.params, state.extra), rtol=1e-4, atol=1e-6)


def test_a_step_at_once_is_not_a_step_after_the_other():
    joint, state = started(simultaneous=True)
    turns, _ = started()
    one, other = (jax.jit(make_step(game))(state, batch())[0] for game in (joint, turns))
    assert_same(one.params[D], other.params[D], rtol=1e-5, atol=1e-7)
    assert abs(one.params[G]["Dense_0"]["kernel"] - other.params[G]["Dense_0"]["kernel"]).max() > 1e-4


def everything(**options):
    heads = {"code": nn.Dense(2)}
    terms = {"code": Term(lambda p, r: heads["code"].apply({"params": p["code"]}, r.on_fake.features)[:, 0], 1, 1)}
    return started(WORKS, heads=heads, terms=terms, replay=Replay(20), **options)


def test_a_phase_changes_its_own_networks_and_statistics_and_leaves_all_others_bitwise():
    game, state = everything()
    pool = {"examples": jnp.ones((20, 2)), "seen": jnp.int32(20)}
    state = state.replace(extra={**state.extra, "replay": pool})
    moves = [({D, "code"}, {D, "replay"}, {D}), ({G}, {G}, {G})]
    for phase, (params, extra, players) in zip(game.phases, moves, strict=True):
        after, _ = jax.jit(make_step(game._replace(phases=(phase,))))(state, batch())
        for field, moved in (("params", params), ("extra", extra), ("opt_state", players)):
            old, new = getattr(state, field), getattr(after, field)
            assert set(old) == set(new)
            for name in old:
                same = all(map(np.array_equal, jax.tree.leaves(old[name]), jax.tree.leaves(new[name])))
                assert same == (name not in moved or not jax.tree.leaves(old[name])), (field, name)


def test_statistics_follow_real_then_generated_examples_of_their_own_phase_and_no_other():
    """The penalty's and the other player's passes through a network leave its collections alone."""
    # With the discriminator held where it is, so that both repeats see the same one.
    still = {**SGD, D: optax.sgd(0.0)}
    game, state = started(WORKS, tx=still, steps=2, penalties=(Weighted(r1, 1.0),))
    after, _ = jax.jit(make_step(game))(state, batch())

    @jax.jit
    def expected(params, extra):
        slices = split(batch(), 2)["x"]
        for x in slices:
            fake = learn(WORKS.generator, params[G], extra[G], NOISE[: len(x)])[0]
            _, moved = learn(WORKS.discriminator, params[D], extra[D], x)
            extra = {**extra, D: learn(WORKS.discriminator, params[D], moved, fake)[1]}
        return {**extra, G: learn(WORKS.generator, params[G], extra[G], NOISE[:6])[1]}

    assert_same(dict(after.extra), expected(state.params, state.extra), rtol=1e-5, atol=1e-6)


def test_a_lazy_penalty_is_the_eager_one_on_average_and_zero_between():
    still = {D: optax.sgd(0.0), G: optax.sgd(0.0)}
    rows = {}
    for interval in (1, 3):
        game, state = started(tx=still, penalties=(Weighted(r1, 0.7, interval),))
        step, rows[interval] = jax.jit(make_step(game)), []
        for number in range(6):
            _, metrics = step(state.replace(step=jnp.int32(number)), batch())
            rows[interval].append(metrics)
    eager, lazy = ([float(m["gan/penalty"]) for m in rows[i]] for i in (1, 3))
    np.testing.assert_allclose(eager, eager[0], rtol=1e-5)
    np.testing.assert_allclose(lazy, [3 * eager[0], 0, 0] * 2, rtol=1e-5)
    losses = [np.mean([m[f"{D}/loss"] for m in rows[i]]) for i in (1, 3)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert eager[0] > 0


def test_the_penalty_is_added_to_the_discriminators_loss_with_its_weight():
    game, state = started(penalties=(Weighted(r1, 0.7), Weighted(gradient, 2.0)))
    plain, _ = started()
    x = batch()["x"]
    with_it, without = (jax.jit(make_step(g))(state, batch())[1] for g in (game, plain))

    def critic(x):
        return FIXED.judge(state.params, state.extra, x).logits

    np.testing.assert_allclose(with_it["gan/penalty"], 0.7 * r1(critic, x, x, KEY).mean(), rtol=1e-5)
    extra = with_it["gan/penalty"] + with_it["gan/penalty1"]
    np.testing.assert_allclose(with_it[f"{D}/loss"], without[f"{D}/loss"] + extra, rtol=1e-5)
    assert with_it["gan/penalty1"] > 0


def test_every_random_number_of_a_step_has_a_key_of_its_own():
    """fold_in(key, n) is split(key)[n]: a penalty's mixing weights must not be the latent variables' bits."""
    keys = []

    def keep(key):
        keys.append(tuple(np.asarray(jax.random.key_data(key))))

    def prior(key, n):
        keep(key)
        return NOISE[:n]

    def show(key, step, x):
        keep(key)
        return x

    def penalty(critic, real, fake, key):
        keep(key)
        return jnp.zeros(len(real))

    _, state = started(PLAIN)
    game = gan_game(
        PLAIN._replace(prior=prior), hinge, tx=SGD, show=show, penalties=tuple(Weighted(penalty, 1.0) for _ in range(6))
    )
    make_step(game)(state, batch())
    assert len(keys) == 2 * 3 + 6
    assert len(set(keys)) == len(keys)


def test_networks_and_heads_start_from_keys_of_their_own():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, z, given=None, *, train):
            return nn.Dense(2, name="same")(z)

    class Head(nn.Module):
        @nn.compact
        def __call__(self, f):
            return nn.Dense(2, name="same")(f)

    gan = GAN(Plain(), MLPDiscriminator((3,)), normal(3))
    names = [f"head{n}" for n in range(4)]
    _, state = started(gan, heads={name: Head() for name in names})
    starts = [tuple(np.asarray(state.params[name]["same"]["kernel"]).ravel()) for name in (G, *names)]
    assert len(set(starts)) == 5


def own(name):
    """Return the discriminator's optimiser of an experiment that unrolls."""
    return optimisers(GANConfig(unroll=2, optimiser=name, discriminator_rate=0.05))[D]


UNROLLED = {
    "sgd": optax.sgd(0.5),
    "adam": optax.adam(0.05, 0.5, eps_root=1e-8),
    "own-adam": own("adam"),
    "own-rmsprop": own("rmsprop"),
}


def double(state):
    return jax.tree.map(lambda a: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a, state)


@pytest.mark.parametrize("tx", UNROLLED.values(), ids=UNROLLED)
@pytest.mark.parametrize("unroll", [2])
def test_the_unrolled_gradient_is_that_of_finite_differences_through_the_updates(tx, unroll):
    """In float64, along a random direction, of a loss unrolled by hand in a Python loop."""
    with jax.enable_x64(True):
        gan = FIXED._replace(prior=lambda key, n: jnp.asarray(NOISE[:n], jnp.float64))
        both = {D: tx, G: optax.sgd(0.1)}
        game, state = started(gan, minimax, tx=both, unroll=unroll, penalties=(Weighted(r1, 0.1),))
        x = {"x": jnp.asarray(batch()["x"], jnp.float64)}
        phase = game._replace(phases=game.phases[:1])
        state = jax.jit(make_step(phase))(double(state), x)[0]  # Adam's moments are not zero from here on

        def cost(params, side):
            fake = gan.generator.apply({"params": params[G]}, NOISE[:12].astype(jnp.float64), train=True)

            def critic(x):
                return gan.discriminator.apply({"params": params[D]}, x, train=True).logits

            value = minimax(critic(x["x"]), critic(fake))[side].mean()
            return value + 0.1 * r1(critic, x["x"], fake, KEY).mean() if side == 0 else value

        @jax.jit
        def hand(generator):
            params, opt = {**state.params, G: generator}, state.opt_state[D]
            for _ in range(unroll):
                slope = jax.grad(lambda d, params=params: cost({**params, D: d}, 0))(params[D])
                moves, opt = tx.update({D: slope}, opt, {D: params[D]})
                params = {**params, **optax.apply_updates({D: params[D]}, moves)}
            return cost(params, 1)

        def ours(game):
            def value(generator):
                return game.phases[1].loss({G: generator}, state, x, KEY)[0][G]

            return jax.jit(jax.value_and_grad(value))(state.params[G])

        value, slope = ours(game)
        leaves, tree = jax.tree.flatten(slope)
        rng = np.random.default_rng(1)
        along = [rng.normal(size=a.shape) for a in leaves]

        def at(t):
            return hand(jax.tree.map(lambda p, d: p + t * d, state.params[G], jax.tree.unflatten(tree, along)))

        expected = (at(1e-5) - at(-1e-5)) / 2e-5
        np.testing.assert_allclose(value, at(0.0), rtol=1e-10)
        np.testing.assert_allclose(sum((a * b).sum() for a, b in zip(leaves, along, strict=True)), expected, rtol=1e-6)

        plain = jax.tree.leaves(ours(gan_game(gan, minimax, tx=both))[1])
        assert abs(sum((a * b).sum() for a, b in zip(plain, along, strict=True)) - expected) > 1e-3 * abs(expected)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_the_unrolled_gradient_is_finite_where_the_discriminator_has_none(name):
    """A unit that no example reaches has a second moment of zero, whose root has an infinite derivative."""
    gan = FIXED._replace(discriminator=MLPDiscriminator((6,), activation=nn.relu))
    game, state = started(gan, tx={D: own(name), G: optax.sgd(0.1)}, unroll=2)
    bias = state.params[D]["Dense_0"]["bias"].at[0].set(-100.0)
    dead = {**state.params[D], "Dense_0": {**state.params[D]["Dense_0"], "bias": bias}}
    state = state.replace(params={**state.params, D: dead})
    slope = jax.jit(jax.grad(lambda p: game.phases[1].loss({G: p}, state, batch(), KEY)[0][G]))(state.params[G])
    assert all(np.isfinite(leaf).all() and (leaf != 0).any() for leaf in jax.tree.leaves(slope))


def test_unrolling_leaves_the_discriminator_its_optimiser_and_its_statistics_where_they_are():
    game, state = started(WORKS, unroll=1)
    after, _ = jax.jit(make_step(game._replace(phases=game.phases[1:])))(state, batch())
    for field in ("params", "extra", "opt_state"):
        assert_same(getattr(after, field)[D], getattr(state, field)[D])
    moved = jax.tree.map(lambda a, b: abs(a - b).max(), after.params[G], state.params[G])
    assert max(jax.tree.leaves(moved)) > 0


def test_terms_are_in_both_losses_with_their_weights_and_heads_move_with_the_discriminator():
    head = nn.Dense(2)

    def code(params, played):
        guess = head.apply({"params": params["code"]}, played.on_fake.features)
        return ((guess - played.z[:, :2]) ** 2).sum(-1)

    terms = {"code": Term(code, 0.5, 2.0)}
    game, state = started(heads={"code": head}, terms=terms, simultaneous=True, adversarial=0.7)
    after, metrics = jax.jit(make_step(game))(state, batch())

    @jax.jit
    def expected(params):
        def of(params):
            real, fake = logits_of(FIXED, params, state.extra, batch()["x"])
            made = FIXED.generate(params, state.extra, NOISE[:12])
            features = FIXED.judge(params, state.extra, made).features
            guess = head.apply({"params": params["code"]}, features)
            told = ((guess - NOISE[:12, :2]) ** 2).sum(-1).mean()
            adversarial = [side.mean() for side in non_saturating(real, fake)]
            return jnp.stack([adversarial[0] + 0.5 * told, 0.7 * adversarial[1] + 2.0 * told, told])

        slopes = jax.jacrev(of)(params)
        first, second = (jax.tree.map(lambda a, row=row: a[row], slopes) for row in (0, 1))
        return of(params), {
            D: down(params[D], first[D], 0.1),
            "code": down(params["code"], first["code"], 0.1),
            G: down(params[G], second[G], 0.3),
        }

    values, params = expected(dict(state.params))
    assert_same(dict(after.params), params, rtol=1e-4, atol=1e-6)
    measured = [metrics[name] for name in (f"{D}/loss", f"{G}/loss", "gan/code")]
    np.testing.assert_allclose(measured, values, rtol=1e-5)


def test_the_average_is_the_generators_alone():
    game, state = started(ema=0.8)
    after, _ = jax.jit(make_step(game))(state, batch())
    assert set(after.ema) == {G}
    expected = jax.tree.map(lambda a, b: 0.8 * a + 0.2 * b, state.params[G], after.params[G])
    assert_same(after.ema[G], expected, rtol=1e-5, atol=1e-7)
    assert started()[1].ema == {}


def test_packs_are_judged_together():
    game, state = started(show=lambda key, step, x: pack(x, 3), loss=hinge)
    assert state.params[D]["Dense_0"]["kernel"].shape == (6, 6)
    after, metrics = jax.jit(make_step(game))(state, batch())
    real = FIXED.judge(state.params, state.extra, pack(batch()["x"], 3)).logits
    assert real.shape == (4,)
    np.testing.assert_allclose(metrics["gan/real_logit"], real.mean(), rtol=1e-5)
    assert abs(after.params[G]["Dense_0"]["kernel"] - state.params[G]["Dense_0"]["kernel"]).max() > 0


def test_what_is_shown_may_depend_on_the_step_and_differs_between_real_and_generated():
    noises = []

    def show(key, step, x):
        noise = jax.random.normal(key, x.shape) * jnp.maximum(1.0 - step / 4, 0.0)
        noises.append(noise)
        return x + noise

    game, state = started(show=show, simultaneous=True)
    noises.clear()
    for number in (0, 2, 4):
        make_step(game)(state.replace(step=jnp.int32(number)), batch())
    real, fake = np.asarray(noises[::2]), np.asarray(noises[1::2])
    assert (real[0] != fake[0]).all()
    assert 0.5 < real[0].std() < 1.5
    assert 0.25 < real[1].std() < 0.75
    assert not real[2].any() and not fake[2].any()


def test_matching_moves_the_generator_to_the_mean_features():
    game, state = started(terms={"feature_matching": matching(1.0)}, adversarial=0.0)
    phase = jax.jit(make_step(game._replace(phases=game.phases[1:])))
    after, metrics = phase(state, batch())
    features = [
        FIXED.judge(state.params, state.extra, x).features.mean(0)
        for x in (batch()["x"], FIXED.generate(state.params, state.extra, NOISE[:12]))
    ]
    np.testing.assert_allclose(metrics[f"{G}/loss"], abs(features[0] - features[1]).mean(), rtol=1e-5)
    assert phase(after, batch())[1][f"{G}/loss"] < metrics[f"{G}/loss"]


def test_seeds_together_equal_each_alone():
    game = gan_game(PLAIN, non_saturating, tx=SGD, penalties=(Weighted(r1, 1.0, 2),), replay=Replay(10), ema=0.9)
    step = make_step(game)
    together, alone = jax.jit(jax.vmap(step, in_axes=(0, None))), jax.jit(step)
    each = [init(game, key, batch()) for key in jax.random.split(KEY, 2)]
    states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    for _ in range(4):
        states, _ = together(states, batch())
        each = [alone(state, batch())[0] for state in each]
    for number, state in enumerate(each):
        assert_same(jax.tree.map(lambda a, i=number: a[i], states), state, rtol=1e-4, atol=1e-5)


def test_collections_survive_serialisation_and_the_game_goes_on_bitwise():
    """Spectral vectors, running statistics and the pool are all of the state there is."""
    game, state = started(WORKS, replay=Replay(20))
    step = jax.jit(make_step(game))
    state = step(state, batch())[0]
    stored = flax.serialization.to_bytes(dict(state.extra))
    blank = jax.tree.map(jnp.zeros_like, dict(state.extra))
    back = state.replace(extra=jax.tree.map(jnp.asarray, flax.serialization.from_bytes(blank, stored)))
    assert_same(step(back, batch()), step(state, batch()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simultaneous": True, "steps": 2}, "at once"),
        ({"simultaneous": True, "unroll": 1}, "at once"),
        ({"simultaneous": True, "replay": Replay(4)}, "at once"),
        ({"unroll": -1}, "unroll of at least 0"),
        ({"penalties": (Weighted(r1, 1.0, 0),)}, r"intervals of at least 1, got 0 and \[0\]"),
        ({"replay": Replay(0)}, "size of at least 1"),
        ({"replay": Replay(4, 1.5)}, r"share in \[0, 1\], got 4, 1.5"),
        ({"show": lambda key, step, x: pack(x, 5)}, "packs of 5 need a batch that 5 divides, got 12"),
        (
            {"show": lambda key, step, x: pack(x, 2), "given": lambda batch: batch["x"]},
            "got 6 shown and 12 conditions",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        started(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": lambda real, fake: (fake.mean(), -fake)}, r"the loss must .* got shape \(\)"),
        ({"loss": lambda real, fake: (fake, -fake.mean())}, r"the loss must .* got shape \(\)"),
        ({"penalties": (Weighted(lambda c, r, f, k: r**2, 1.0),)}, r"the penalty must .* got shape \(12, 2\)"),
        ({"terms": {"own": Term(lambda p, r: r.fake, 1.0, 1.0)}}, r"the term 'own' must .* got shape \(12, 2\)"),
        ({"steps": 5}, "5 slices, got 12"),
    ],
)
def test_what_is_not_per_example_is_refused(options, message):
    game, state = started(**options)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(make_step(game), state, batch())


class Mixed(nn.Module):
    """A discriminator with everything of the batch: its statistics, deviations and distances."""

    @nn.compact
    def __call__(self, x, given=None, *, train):
        x = jnp.tanh(BatchNorm()(nn.Dense(6)(x), train=train))
        return Judged(*Logits(deviation=True, kernels=3)(x, train=train))


@functools.cache
def play(devices, how):
    """Play a game without random numbers: its noise comes with the data, as conditions."""
    gan = PLAIN._replace(discriminator=Mixed(), prior=lambda key, n: jnp.zeros((n, 1)))
    game = gan_game(
        gan,
        non_saturating,
        tx={D: optax.sgd(0.05), G: optax.sgd(0.01)},
        given=lambda batch: batch["noise"],
        unroll=1,
        terms={"feature_matching": matching(1.0)},
        ema=0.9,
    )
    data = {**batch(96), "noise": jax.random.normal(jax.random.key(5), (96, 3))}
    return run(game, data, devices=devices, how=how)


def run(game, data, **how):
    index = Batches(KEY, 96, 48).indices(0, 4)
    compiled = compile_steps(game, **how)
    state = compiled.place(init(game, KEY, data))
    return jax.device_get(compiled.run(state, compiled.place(data), index, index, 4))


@pytest.mark.parametrize("how", ["jit", "pmap"])
def test_four_devices_equal_one_with_statistics_of_the_whole_batch(how):
    """Deviations, distances, batch norm, matched features, and the discriminator's unrolled step."""
    assert_same(play(4, how), play(1, "jit"), rtol=2e-4, atol=2e-6)


def test_four_devices_equal_one_with_random_numbers_and_a_pool():
    """In global view the same numbers are drawn, whatever the devices."""
    game = gan_game(PLAIN, hinge, tx=SGD, steps=2, replay=Replay(30))
    assert_same(run(game, batch(96), devices=4), run(game, batch(96)), rtol=1e-4, atol=1e-5)


def test_replay_refuses_conditions_that_old_examples_have_lost():
    with pytest.raises(ValueError, match="replayed examples come without their conditions"):
        gan_game(PLAIN, non_saturating, tx=SGD, replay=Replay(10), given=lambda batch: batch["x"])
