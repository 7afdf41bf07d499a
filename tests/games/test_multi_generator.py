"""Several generators, and InfoGAN's codes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.gan import D, G, Played, gan_game
from jaxgen.games.infogan import READER, Reader, coded, information
from jaxgen.games.multi_generator import multi_generator_game
from jaxgen.losses.adversarial import multi_generator, non_saturating
from jaxgen.losses.information import categorical_surprise
from jaxgen.models.gan import GAN, normal
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.models.multi_generator import MultiGenerator
from jaxgen.nn.heads import Logits
from jaxgen.step import init, make_step

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (6, 2))
TX = {D: optax.sgd(0.1), G: optax.sgd(0.1)}


def several(heads):
    return GAN(MultiGenerator(heads, (2,), (8,), (5,)), MLPDiscriminator((7,), head=Logits(heads + 1)), normal(3))


def test_the_losses_of_several_are_cross_entropies():
    real, fake = jax.random.normal(KEY, (4, 3)), jax.random.normal(jax.random.key(1), (4, 2, 3))
    d, g = multi_generator(real, fake)
    p, q = jax.nn.softmax(real), jax.nn.softmax(fake)
    np.testing.assert_allclose(d, -np.log(p[:, 0]) - 0.5 * (np.log(q[:, 0, 1]) + np.log(q[:, 1, 2])), rtol=1e-5)
    np.testing.assert_allclose(g, -np.log(q[:, :, 0]).mean(1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"got \(4, 3\) and \(4, 3, 3\)"):
        multi_generator(real, jnp.zeros((4, 3, 3)))


def test_one_generator_of_several_is_the_plain_game_of_the_difference_of_its_logits():
    real, fake = jax.random.normal(KEY, (5, 2)), jax.random.normal(jax.random.key(1), (5, 1, 2))
    plain = non_saturating(real[:, 0] - real[:, 1], fake[:, 0, 0] - fake[:, 0, 1])
    for several, one in zip(multi_generator(real, fake), plain, strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-5)


def test_heads_share_a_trunk_and_nothing_else():
    gan = several(3)
    params, _ = jax.jit(gan.init)(KEY, X)
    z = jax.random.normal(KEY, (4, 3))
    made = jax.jit(gan.generate)(params, {G: {}, D: {}}, z)
    assert made.shape == (4, 3, 2)
    assert np.abs(made[:, 0] - made[:, 1]).max() > 1e-3

    def first(p):
        return (gan.generate({G: p}, {G: {}, D: {}}, z)[:, 0] ** 2).sum()

    gradient = jax.jit(jax.grad(first))(params[G])
    touched = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)}
    for path, leaf in touched.items():
        own = leaf if "VmapMLP" in path or "VmapDense" in path else None
        if own is None:
            assert np.abs(leaf).max() > 0, path  # the trunk
        else:
            assert np.abs(own[0]).max() > 0, path
            assert not np.abs(own[1:]).any(), path


def test_a_step_of_several_moves_both_and_a_head_too_many_is_refused():
    game = multi_generator_game(several(3), tx=TX, ema=0.5)
    state = jax.jit(lambda: init(game, KEY, {"x": X}))()
    after, metrics = jax.jit(make_step(game))(state, {"x": X})
    assert set(metrics) == {f"{D}/loss", f"{G}/loss"}
    for name in (D, G):
        moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), state.params[name], after.params[name])
        assert all(value > 0 for value in jax.tree.leaves(moved))
    wrong = several(3)._replace(discriminator=MLPDiscriminator((7,), head=Logits(3)))
    with pytest.raises(ValueError, match="several generators: expected logits"):
        game = multi_generator_game(wrong, tx=TX)
        jax.eval_shape(lambda: make_step(game)(init(game, KEY, {"x": X}), {"x": X}))


def test_the_codes_are_read_off_what_they_made_and_both_players_gain():
    categories, continuous = 3, 1
    gan = GAN(MLPGenerator((8,), (2,)), MLPDiscriminator((7,)), coded(2, categories, continuous))
    reader = Reader(categories + continuous, hidden=4)
    terms = information(reader, categories, continuous, weight=2.0, smooth=0.5)
    assert [(term.discriminator, term.generator) for term in terms.values()] == [(2.0, 2.0), (0.5, 0.5)]
    game = gan_game(gan, non_saturating, tx=TX, heads={READER: reader}, terms=terms, adversarial=0.0)
    state = jax.jit(lambda: init(game, KEY, {"x": X}))()

    # Without an adversarial loss the generator's gradient is that of the codes' surprise, and it is there.
    after = jax.jit(make_step(game))(state, {"x": X})[0]
    assert all(
        np.abs(np.asarray(a - b)).max() > 0
        for a, b in zip(jax.tree.leaves(state.params[G]), jax.tree.leaves(after.params[G]), strict=True)
    )

    z = gan.prior(KEY, 6)
    judged = gan.judge(state.params, state.extra, gan.generate(state.params, state.extra, z))
    value = terms["category"].loss(state.params, Played(z, None, X, X, judged, judged, state))
    logits = reader.apply({"params": state.params[READER]}, judged.features)[:, :categories]
    np.testing.assert_allclose(value, categorical_surprise(z[:, 2:5], logits), rtol=1e-6)


def test_codes_that_can_be_told_apart_are_learned():
    gan = GAN(MLPGenerator((16,), (2,)), MLPDiscriminator((16,)), coded(1, 3, 0))
    reader = Reader(3, hidden=8)
    tx = {D: optax.adam(1e-2), G: optax.adam(1e-2)}
    game = gan_game(
        gan, non_saturating, tx=tx, heads={READER: reader}, terms=information(reader, 3, 0), adversarial=0.0
    )
    state = init(game, KEY, {"x": X})
    step = make_step(game)
    run = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, {"x": X}), s, None, length=200))
    metrics = run(state)[1]
    assert metrics["gan/category"][:3].mean() > 0.8
    assert metrics["gan/category"][-20:].mean() < 0.1
