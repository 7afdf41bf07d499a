import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.spatial.distance import cdist

from jaxgen.game import AXIS, Game
from jaxgen.games.clustering import NAME, Clustering, beside, nearest
from jaxgen.games.gan import D, G, Played, gan_game
from jaxgen.games.infogan import coded, information
from jaxgen.losses.adversarial import non_saturating
from jaxgen.losses.information import categorical_surprise
from jaxgen.metrics.matching import matched_accuracy
from jaxgen.models.clusterer import Clusterer
from jaxgen.models.gan import GAN
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.step import init, make_step

KEY = jax.random.key(0)
LABEL = np.arange(90) % 3
CENTRES = 4 * np.array([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]])
X = jnp.asarray(CENTRES[LABEL] + 0.3 * np.random.default_rng(0).normal(size=(90, 2)), jnp.float32)


def jitter(key, x):
    return x + 0.1 * jax.random.normal(key, x.shape)


def start(game):
    return jax.jit(lambda: init(game, KEY, {"x": X}))()


CLUSTERING = Clustering(Clusterer(3, (16,)), jitter, settle=100, attempts=3)


def test_groups_are_found_without_a_label_and_the_information_grows():
    nothing = Game(lambda key, batch: ({}, {}), {}, ())
    game = beside(nothing, CLUSTERING, optax.adam(1e-2))
    state, step = start(game), make_step(game)
    run = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, {"x": X}), s, None, length=300))
    state, metrics = run(state)
    assert metrics["clusterer/information"][0] < 0.9 < metrics["clusterer/information"][-1] <= np.log(3)
    found = np.asarray(CLUSTERING.logits(state.params, state.extra, X).argmax(-1))
    assert matched_accuracy(found, LABEL, found, LABEL) == 1


def test_the_attempt_with_the_most_information_is_the_one_that_is_read():
    params, extra = jax.jit(CLUSTERING.init)(KEY, X)
    for best in range(3):
        chosen = {**extra, "information": jnp.zeros(3).at[best].set(1.0)}
        own = jax.tree.map(lambda a, n=best: a[n], {"params": params, "batch_stats": extra["batch_stats"]})
        expected = CLUSTERING.clusterer.apply(own, X, train=False)
        found = CLUSTERING.logits({NAME: params}, {NAME: chosen}, X)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_nearest_other_example_on_whichever_device():
    x = jax.random.normal(KEY, (8, 3, 2))
    apart = cdist(*[np.asarray(x).reshape(8, -1)] * 2) + np.diag(np.full(8, np.inf))
    np.testing.assert_allclose(nearest(x), apart.min(1), rtol=1e-4)
    split = jax.pmap(nearest, axis_name=AXIS)(x.reshape(4, 2, 3, 2))
    np.testing.assert_allclose(split.reshape(-1), apart.min(1), rtol=1e-4)


def test_beside_a_gan_it_learns_from_real_examples_and_the_generator_from_it():
    gan = GAN(MLPGenerator((8,), (2,)), MLPDiscriminator((7,)), coded(2, 3, 0))
    tx = {D: optax.sgd(0.1), G: optax.sgd(0.1)}
    terms = information(None, 3, 0, weight=2.0, clustering=CLUSTERING)
    assert (terms["category"].discriminator, terms["category"].generator) == (0.0, 2.0)
    plain = gan_game(gan, non_saturating, tx=tx, terms=terms, adversarial=0.0)
    game = beside(plain, CLUSTERING, optax.sgd(0.1))
    state = start(game)
    clusters, *rest = game.phases
    after = jax.jit(make_step(game._replace(phases=(clusters,))))(state, {"x": X})[0]
    for name in (D, G):
        assert_same(after.params[name], state.params[name])
    moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), after.params[NAME], state.params[NAME])
    assert sum(value > 0 for value in jax.tree.leaves(moved)) >= len(jax.tree.leaves(moved)) - 1

    # Without an adversarial loss nothing but the categories' surprise moves the generator, once they have settled.
    follow = jax.jit(make_step(game._replace(phases=tuple(rest))))
    assert_same(follow(state, {"x": X})[0].params[G], state.params[G])
    state = aged(state, 100)
    after = follow(state, {"x": X})[0]
    assert_same(after.params[NAME], state.params[NAME])
    assert all(
        np.abs(np.asarray(a - b)).max() > 0
        for a, b in zip(jax.tree.leaves(state.params[G]), jax.tree.leaves(after.params[G]), strict=True)
    )


def test_the_generators_term_is_the_surprise_of_the_best_attempt():
    gan = GAN(MLPGenerator((8,), (2,)), MLPDiscriminator((7,)), coded(2, 3, 0))
    terms = information(None, 3, 0, clustering=CLUSTERING)
    tx = {D: optax.sgd(0.1), G: optax.sgd(0.1)}
    game = beside(gan_game(gan, non_saturating, tx=tx, terms=terms), CLUSTERING, optax.sgd(0.1))
    state = start(game)
    z = gan.prior(KEY, 6)
    fake = gan.generate(state.params, state.extra, z)
    judged = gan.judge(state.params, state.extra, fake)
    expected = categorical_surprise(z[:, 2:], CLUSTERING.logits(state.params, state.extra, fake))
    for age, share in [(99, 0), (100, 1)]:
        played = Played(z, None, X, fake, judged, judged, aged(state, age - 1))  # the clustering has moved in this step
        np.testing.assert_allclose(terms["category"].loss(state.params, played), share * expected, rtol=1e-5)


def test_attempts_compete_until_they_settle_and_go_on_learning():
    game = beside(Game(lambda key, batch: ({}, {}), {}, ()), CLUSTERING, optax.sgd(0.1))
    state, step = start(game), jax.jit(make_step(game))
    for age, moves in [(99, True), (100, False)]:
        before = aged(state, age)
        after = step(before, {"x": X})[0]
        changed = after.extra[NAME]["information"] != before.extra[NAME]["information"]
        assert changed.all() if moves else not changed.any()
        assert after.step == age + 1
        assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (after.params, before.params)), strict=True))


def aged(state, age):
    """Return the state as if so many steps had been played."""
    return state.replace(step=jnp.int32(age))


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)
