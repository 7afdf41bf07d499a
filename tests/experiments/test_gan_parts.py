"""Parts of the GAN experiments that a run which merely ends does not prove: noise that fades, the class's own loss."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import conditional_gan, infogan
from experiments.common.gan_config import GANConfig
from experiments.common.gans import show_of
from jaxgen.games.gan import D, G
from jaxgen.step import init

KEY = jax.random.key(0)
CLASSES, WEIGHT = 10, 0.7


@pytest.mark.parametrize("options", [{"steps": 8}, {"steps": 100, "noise_steps": 8}])
def test_the_noise_falls_to_zero_in_a_straight_line(options):
    show, x = show_of(GANConfig(noise=0.5, **options)), jnp.ones((4000, 2))
    start, half, end, beyond = (np.asarray(show(KEY, jnp.int32(step), x)) - 1 for step in (0, 4, 8, 9))
    assert abs(start.mean()) < 0.03 and abs(start.std() - 0.5) < 0.02
    np.testing.assert_allclose(half, start / 2, atol=1e-6)
    assert not end.any() and not beyond.any()
    assert (np.asarray(show(jax.random.key(1), jnp.int32(0), x)) - 1 != start).all()


def test_without_noise_it_is_shown_as_it_is_and_in_packs():
    x = jax.random.normal(KEY, (6, 2))
    np.testing.assert_array_equal(show_of(GANConfig())(KEY, jnp.int32(0), x), x)
    packs = show_of(GANConfig(pack=2))(KEY, jnp.int32(0), x)
    np.testing.assert_array_equal(np.sort(packs, axis=None), np.sort(x, axis=None))
    assert packs.shape == (3, 4)


def started(condition, **options):
    """Return the game, a state, and a batch, of small networks without normalisation."""
    options = {"generator_hidden": (), "discriminator_hidden": (8,), "latent": 2, "auxiliary": WEIGHT} | options
    config = conditional_gan.Config(
        condition=condition, network="mlp", generator_norm="none", discriminator_norm="none", **options
    )
    experiment = conditional_gan.build(config)
    rows = {name: experiment.data.train[name][:CLASSES] for name in ("image", "label")}
    batch = experiment.prepare(KEY, rows)
    return experiment.game, init(experiment.game, KEY, batch), batch


def metrics_of(game, state, batch):
    """Return both losses and the metrics, nobody moved."""
    ours, theirs = (phase.loss({}, state, batch, KEY) for phase in game.phases)
    return {**ours[0], **theirs[0], **ours[1].metrics}


@pytest.mark.parametrize(("condition", "blind"), [("auxiliary", True), ("project", False), ("concatenate", False)])
def test_a_discriminator_that_must_tell_the_class_is_not_shown_it(condition, blind):
    game, state, batch = started(condition)
    other = {**batch, "label": (batch["label"] + 1) % CLASSES}
    first, second = (metrics_of(game, state, one) for one in (batch, other))
    assert (first["gan/real_logit"] == second["gan/real_logit"]) == blind


def test_the_class_that_it_must_tell_costs_both_players_a_cross_entropy():
    """Of real and of generated examples, which are all zero with a generator of zeros."""
    game, state, batch = started("auxiliary")
    params = {**state.params, G: jax.tree.map(jnp.zeros_like, state.params[G])}
    found = metrics_of(game, state.replace(params=params), batch)

    own = jax.tree.map(np.float64, state.params)
    dense, head, classifier = own[D]["Dense_0"], own[D]["head"]["Dense_0"], own["classifier"]

    def judged(x):
        hidden = x.reshape(len(x), -1) @ dense["kernel"] + dense["bias"]
        hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
        classes = hidden @ classifier["kernel"] + classifier["bias"]
        p = np.exp(classes) / np.exp(classes).sum(1, keepdims=True)
        surprise = -np.log(p[np.arange(len(x)), np.asarray(batch["label"])])
        return (hidden @ head["kernel"] + head["bias"])[:, 0], surprise

    real, fake = np.asarray(batch["x"], np.float64), np.zeros(batch["x"].shape)
    (real, real_surprise), (fake, fake_surprise) = judged(real), judged(fake)
    surprise = (real_surprise + fake_surprise).mean()
    assert surprise > 2
    np.testing.assert_allclose(found["gan/class"], surprise, rtol=1e-5)
    both = np.logaddexp(0, -real) + np.logaddexp(0, fake)
    np.testing.assert_allclose(found[D], both.mean() + WEIGHT * surprise, rtol=1e-5)
    np.testing.assert_allclose(found[G], np.logaddexp(0, -fake).mean() + WEIGHT * surprise, rtol=1e-5)


@pytest.mark.parametrize(("source", "counts"), [("generated", [1, 1, 1]), ("real", [0, 0, 1])])
def test_a_generator_that_follows_categories_at_the_end_is_scored_from_there(source, counts, monkeypatch):
    scores = SimpleNamespace(watch="fid", mode="min", evaluate=lambda state: {"fid": 3.0})
    monkeypatch.setattr(infogan, "scores_of", lambda *arguments: scores)
    experiment = infogan.build(infogan.Config(data="faces", width=4, information_from=source, steps=100))
    found = [experiment.evaluate(SimpleNamespace(step=np.int32(step))) for step in (10, 99, 100)]
    assert [one["fid"] for one in found] == [3, 3, 3]
    assert np.isfinite([one[experiment.watch] for one in found]).tolist() == counts
