"""The comparison of stabilisers: every one plays, none takes another's examples, one that diverges decides nothing."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments import mode_collapse
from experiments.mode_collapse import STABILISERS, Config, K, build, contender
from jaxgen.game import repeats
from jaxgen.games.gan import D, G
from jaxgen.games.side_by_side import side_by_side
from jaxgen.run.best import watched
from jaxgen.run.experiment import Result
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
        ({"smooth": 0.2}, "--smooth is for --stabilisers smoothing, got none, packing"),
        (
            {"smooth": 1.0, "stabilisers": ("smoothing",)},
            "--stabilisers smoothing: --smooth must be at least 0 and below",
        ),
        (
            {"penalty_centre": 0.5, "stabilisers": ("none", "r1")},
            "--penalty-centre is for --stabilisers gradient or one-",
        ),
        ({"penalty_centre": -1.0}, "--stabilisers gradient: --penalty-centre must be at least 0"),
        (
            {"stabilisers": ("r1", "gradient"), "penalty_weight": 1.0},
            "--penalty-weight has a value of its own for each of --stabilisers r1, gradient, got 1.0",
        ),
        ({"stabilisers": ("none", "clip")}, "must be among none, unrolled"),
        ({"stabilisers": ("none", "none")}, "each once"),
    ],
)
def test_options_that_do_not_fit_a_stabiliser_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options).check()
    Config().check()
    Config(stabilisers=("none", "r1"), penalty="roth", penalty_weight=1.0).check()


def test_smoothing_and_a_centre_are_of_the_stabilisers_that_they_fit(monkeypatch):
    monkeypatch.setattr(mode_collapse, "game_of", lambda one, gan, examples: one)
    config = replace(SMALL, smooth=0.2, penalty_centre=0.5)
    config.check()
    found = {name: game(name, config) for name in STABILISERS if name not in ("k steps", "several generators")}
    assert {name for name, one in found.items() if one.smooth == 0.2} == {"smoothing"}
    assert {name for name, one in found.items() if one.penalty_centre == 0.5} == {"gradient", "one-sided"}
    assert {one.smooth for one in found.values()} == {0, 0.2}
    ground = replace(config, penalty="one-sided")
    assert game("none", ground).penalty_centre == 0.5 and game("r1", ground).penalty_centre == 1


class Fixed:
    """Scores that are what they were made with."""

    watch, mode = "loss", "max"

    def __init__(self, value):
        self.value = value

    def evaluate(self, state):
        return {"loss": self.value, "modes": 8, "other": 0}

    def finish(self, state, progress):
        return Result({"modes": self.value}, "Told.", {"modes": 8}, {"modes": "of 8"}, {"modes": "higher"})


@pytest.fixture
def fixed(monkeypatch):
    """The experiment of two stabilisers with scores 1 and 2."""
    values = iter([1.0, 2.0, 3.0])  # the last are of training examples
    monkeypatch.setattr(mode_collapse, "scores_of", lambda *arguments: Fixed(next(values)))
    return build(Config(stabilisers=("none", "r1")))


def trained(*gone):
    """Return a state in which these stabilisers have diverged."""
    names = ("none", "r1")
    return SimpleNamespace(
        params={
            f"{name}/{network}": np.array([1, np.nan if name in gone else 2]) for name in names for network in (D, G)
        }
    )


def test_every_stabiliser_has_a_best_checkpoint_of_its_own(fixed):
    found = fixed.evaluate(trained())
    assert found == {"none/loss": 1.0, "r1/loss": 2.0, "none/modes": 8, "r1/modes": 8}
    np.testing.assert_array_equal(watched(fixed, found), [1.0, 2.0])
    assert (fixed.watch_mode, fixed.parts) == ("max", ("none", "r1"))


@pytest.mark.parametrize(
    ("gone", "scores"), [((), [1, 2]), (("none",), [np.nan, 2]), (("none", "r1"), [np.nan, np.nan])]
)
def test_one_that_diverged_has_no_scores_and_the_others_have_theirs(gone, scores, fixed):
    result = fixed.finish(trained(*gone), None)
    names = ["modes, none", "modes, r1"]
    np.testing.assert_equal(dict(result.scores), dict(zip(names, scores, strict=True)))
    assert [dict(table) for table in result[2:5]] == [dict.fromkeys(names, one) for one in (8, "of 8", "higher")]
    assert list(result.pictures) == ["modes"]


def test_who_diverged_is_told_and_in_no_mean(fixed):
    results = [fixed.finish(trained(*gone), None) for gone in ((), ("none",), ("none", "r1"), ("none",))]
    summed = fixed.summarise(results)
    assert [summed.scores[name]["mean"] for name in ("modes, none", "modes, r1")] == [1, 2]
    assert summed.protocol.endswith("no mean: none (3 of 4 seeds), r1 (1 of 4 seeds).")
    assert "iverged" not in fixed.summarise(results[:1]).protocol
