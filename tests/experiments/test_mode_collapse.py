"""The comparison of stabilisers: every one plays, none takes another's examples, one that diverges decides nothing."""

import jax
import numpy as np
import pytest

from experiments import mode_collapse
from experiments.mode_collapse import STABILISERS, Config, K, build, contender
from jaxgen.game import repeats
from jaxgen.games.gan import D, G
from jaxgen.games.side_by_side import side_by_side
from jaxgen.step import init, make_step

SMALL = Config(generator_hidden=(4, 4), discriminator_hidden=(4, 4), stabilisers=tuple(STABILISERS), generators=3)
BATCH = {"x": np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)}


def game(name, config=SMALL):
    return contender(config, name, (2,), 1000)[0]


@pytest.mark.parametrize("name", STABILISERS)
def test_every_stabiliser_plays_on_the_whole_batch(name):
    one = game(name)
    assert repeats(one) == 1

    def step(key):
        state = init(one, key, BATCH)
        return state, make_step(one)(state, BATCH)[0]

    before, after = jax.eval_shape(step, jax.random.key(0))
    assert jax.tree.map(np.shape, before) == jax.tree.map(np.shape, after)
    assert {D, G} <= set(after.params)


def test_the_options_of_one_are_not_those_of_another():
    both = side_by_side({name: game(name) for name in ("none", "average")})
    assert list(both.ema) == [f"average/{G}"]


def test_k_steps_are_so_many_moves_of_the_discriminator():
    assert [phase.players for phase in game("k steps").phases] == [(D,)] * K + [(G,)]
    assert [phase.players for phase in game("none").phases] == [(D,), (G,)]


def test_clipping_clips():
    one = game("clipping")
    before = init(one, jax.random.key(0), BATCH)
    after = jax.jit(make_step(one))(before, BATCH)[0]
    largest = [max(np.abs(leaf).max() for leaf in jax.tree.leaves(state.params[D])) for state in (before, after)]
    assert largest[1] <= 0.1 < largest[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stabilisers": ("smoothing",), "loss": "hinge"}, "--stabilisers smoothing: --smooth is for --loss minimax"),
        ({"stabilisers": ("k steps",), "simultaneous": True}, "--stabilisers k steps: --simultaneous players take one"),
        ({"stabilisers": ("none", "several generators"), "noise": 0.1}, "several generators have --noise 0.0 only"),
        ({"stabilisers": ("none", "clip")}, "must be among none, unrolled"),
        ({"stabilisers": ("none", "none")}, "each once"),
    ],
)
def test_options_that_do_not_fit_a_stabiliser_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options).check()
    Config().check()


def test_one_that_diverges_does_not_choose_the_checkpoint(monkeypatch):
    class Fixed:
        watch, mode = "loss", "max"

        def __init__(self, value):
            self.value = value

        def evaluate(self, state):
            return {"loss": self.value}

    values = iter([1.0, 1e9, 2.0])
    monkeypatch.setattr(mode_collapse, "scores_of", lambda *arguments: Fixed(next(values)))
    experiment = build(Config(stabilisers=("none", "noise", "r1")))
    assert experiment.evaluate(None) == {"watched": 2.0}
    assert (experiment.watch, experiment.watch_mode) == ("watched", "max")
