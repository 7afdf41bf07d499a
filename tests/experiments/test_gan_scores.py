"""What generators are scored by, on samples whose scores are known; and the score that the best checkpoint is kept by.

Generators are stood in for: here the state is the name of the samples that it makes.
"""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.gan_scores import PlaneScores, scores_of
from experiments.common.image_scores import ImageScores
from experiments.common.mode_scores import MixtureScores, StackedScores
from experiments.common.plain import Plain, drawer
from experiments.multi_generator_gan import one_each
from jaxgen.data import Dataset, load
from jaxgen.data.toys import TOYS
from jaxgen.run.features import FeatureNetwork

RING = TOYS["ring"]
NAN = np.full((20, 2), np.nan, np.float32)


def silent(text):
    pass


def drawing(samples):
    """Return a draw of the samples that the state names, over and over."""

    def draw(state, key, number, first=0):
        return np.resize(samples[state], (first + number, *samples[state].shape[1:]))[first:]

    return draw


def finished(scores, state):
    """Return the result, every score of which has a direction, a baseline and a number."""
    result = scores.finish(state, silent)
    assert set(result.scores) == set(result.better) == set(result.baselines)
    assert np.isfinite([*result.scores.values(), *result.baselines.values()]).all()
    return result


@pytest.mark.parametrize(
    ("data", "options", "watch"),
    [
        ("digits", {"network": "mlp", "features": "pixels"}, "fid"),
        ("ring", {}, "loss_of_modes"),
        ("moons", {}, "missed"),
    ],
)
def test_the_best_checkpoint_has_the_lowest_score_and_the_worse_generator_a_higher_one(
    data, options, watch, monkeypatch
):
    samples = {}
    monkeypatch.setattr("experiments.common.gan_experiment.drawer", lambda gan, with_: drawing(samples))
    gan = importlib.import_module("experiments.gan")
    experiment = gan.build(gan.Config(data=data, **options))
    real = Plain(experiment.data).some("validation", 2000)
    broken = np.full_like(real[:1], np.nan)
    samples |= {"real": real, "few": real[:5], "constant": np.zeros_like(real[:1]), "broken": broken}
    assert (experiment.watch, experiment.watch_mode) == (watch, "min")
    values = [experiment.evaluate(state)[watch] for state in samples]
    assert values[0] < values[1] < values[2] <= values[3], values


@pytest.mark.parametrize(
    ("name", "options", "watch"),
    [
        ("dcgan", {}, "fid"),
        ("dcgan", {"data": "stacked:digits"}, "reverse_kl"),
        ("conditional_gan", {}, "fid"),
        ("infogan", {}, "fid"),
        ("unrolled_gan", {}, "loss_of_modes"),
        ("multi_generator_gan", {}, "loss_of_modes"),
    ],
)
def test_its_relatives_keep_the_lowest_score_too(name, options, watch):
    module = importlib.import_module(f"experiments.{name}")
    experiment = module.build(module.Config(**options))
    assert (experiment.watch, experiment.watch_mode) == (watch, "min")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ring", MixtureScores), ("moons", PlaneScores), ("digits", ImageScores), ("stacked:digits", StackedScores)],
)
def test_the_kind_of_the_data_says_what_scores_there_are(name, kind):
    features = "pixels" if kind is ImageScores else None
    assert type(scores_of(Plain(load(name)), drawing({}), features, 500)) is kind


def test_modes_of_a_mixture_are_counted():
    two = RING.centres[[1, 5]]
    samples = {"real": load("ring").train["x"], "two": two, "astray": np.zeros((1, 2)), "half": [*two, [0, 0], [0, 0]]}
    samples = {name: np.asarray(x, np.float32) for name, x in samples.items()} | {"broken": NAN}
    scores = MixtureScores(RING, Plain(load("ring")), drawing(samples), 400)
    expected = {  # modes, high quality, reverse KL
        "two": (2, 100, np.log(4)),
        "half": (2, 50, np.log(4)),
        "astray": (0, 0, np.log(8)),
        "broken": (0, 0, np.log(8)),
    }
    for state, (modes, quality, kl) in expected.items():
        result = finished(scores, state)
        assert result.protocol.startswith("400 samples")
        assert result.scores == pytest.approx({"modes": modes, "high quality": quality, "reverse KL": kl})
        lost = min(kl - np.log(quality / 100), 99) if quality else 99
        told = {"loss_of_modes": lost, "modes": modes, "high_quality": quality, "reverse_kl": kl}
        assert scores.evaluate(state) == pytest.approx(told)
        assert result.better == {"modes": "higher", "high quality": "higher", "reverse KL": "lower"}
    result = finished(MixtureScores(RING, Plain(load("ring")), drawing(samples), 2000), "real")
    for table in (result.scores, result.baselines):
        assert table["modes"] == 8 and table["high quality"] == pytest.approx(98.9, abs=0.8)
        assert 0 <= table["reverse KL"] < 0.02


@pytest.fixture
def stacked(monkeypatch):
    """Scores of stacked images of three classes, which are brightnesses, 27 combinations in all."""
    levels = np.array([0.0, 0.5, 1.0])
    label = np.arange(3, dtype=np.int32)
    single = {"image": np.repeat(2 * label, 16).reshape(3, 4, 4, 1).astype(np.uint8), "label": label}
    base = Dataset("greys", single, single, single, "made here", levels=5)
    every = np.stack(np.meshgrid(*[levels] * 3, indexing="ij"), axis=-1).reshape(27, 1, 1, 3)
    every = np.broadcast_to(every, (27, 4, 4, 3))
    rows = {"image": (4 * every).astype(np.uint8)}
    network = FeatureNetwork(None, lambda images: -((images.mean((1, 2)) - levels[None]) ** 2), 0.9)
    monkeypatch.setattr("experiments.common.mode_scores.feature_network", lambda data: {"greys": network}[data.name])
    real = (2 * every - 1).astype(np.float32)
    samples = {"real": real, "two": real[[5, 21]], "one": real[5:6]}
    return StackedScores(
        Plain(Dataset("stacked:greys", rows, rows, rows, "made here", levels=5)), base, drawing(samples), 270
    )


@pytest.mark.parametrize(("state", "modes", "kl"), [("real", 27, 0), ("two", 2, np.log(13.5)), ("one", 1, np.log(27))])
def test_combinations_of_classes_of_stacked_images_are_counted(stacked, state, modes, kl):
    result = finished(stacked, state)
    assert result.protocol.startswith("270 samples")
    assert result.scores == pytest.approx({"modes": modes, "reverse KL": kl}, abs=1e-6)
    assert result.baselines == pytest.approx({"modes": 27, "reverse KL": 0}, abs=1e-6)
    assert result.better == {"modes": "higher", "reverse KL": "lower"}
    assert stacked.evaluate(state) == pytest.approx({"modes": modes, "reverse_kl": kl}, abs=0.01)


def test_points_of_the_plane_are_compared_with_their_nearest_neighbours():
    data = Plain(load("moons"))
    test = data.some("test", 2000)
    samples = {"test": test, "validation": data.some("validation", 2000), "one": test[:1], "far": test + 100}
    scores = PlaneScores(data, drawing(samples | {"broken": NAN}))
    names = ("precision", "recall", "coverage")
    result = finished(scores, "test")
    assert [result.scores[name] for name in names] == [100, 100, 100]
    assert 0.9 < result.scores["density"] < 1.5
    assert all(90 < result.baselines[name] < 100 for name in names)
    assert set(result.better.values()) == {"higher"}
    far = finished(scores, "far").scores
    assert [far[name] for name in (*names, "density")] == [0, 0, 0, 0]
    one = finished(scores, "one").scores
    assert one["precision"] == 100 and one["coverage"] < 2

    watched = {state: scores.evaluate(state)["missed"] for state in ("validation", "one", "far", "broken")}
    assert watched["validation"] == 0 and 0.9 < watched["one"] <= 2
    assert watched["far"] == watched["broken"] == 2


def test_images_are_compared_in_features():
    data = Plain(load("digits"))
    test = data.some("test", 2000)
    digit = test[np.asarray(data.data.test["label"]) == 3]
    samples = {"test": test, "digit": digit, "constant": np.zeros_like(test)}
    scores = ImageScores(data, drawing(samples), "pixels", 720)
    tables = {state: finished(scores, state) for state in samples}
    better = {"FID": "lower", "KID": "lower", "precision": "higher", "recall": "higher"}
    assert tables["test"].better == better | {"density": "higher", "coverage": "higher"}
    found = tables["test"].scores
    assert found["FID"] == pytest.approx(0, abs=0.01) and found["KID"] < 0.01
    assert [found[name] for name in ("precision", "recall", "coverage")] == [100, 100, 100]
    floor = tables["test"].baselines
    assert found["FID"] < floor["FID"] < tables["digit"].scores["FID"] < tables["constant"].scores["FID"]
    assert floor["KID"] < tables["digit"].scores["KID"] < tables["constant"].scores["KID"]
    digit = tables["digit"].scores
    assert digit["precision"] == 100 and digit["recall"] < 50 and digit["coverage"] < 20
    constant = tables["constant"].scores
    assert [constant[name] for name in ("precision", "density", "coverage")] == [0, 0, 0]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_fewer_images_than_features_are_refused_before_training(part):
    whole = load("digits")
    few = replace(whole, **{part: {name: rows[:63] for name, rows in getattr(whole, part).items()}})
    with pytest.raises(ValueError, match=f"at least 64 {part} examples for 64 features, got 63"):
        ImageScores(Plain(few), drawing({}), "pixels", 720)
    shrunk = ImageScores(Plain(few), drawing({}), "shrunk", 720)
    assert shrunk.space.size == 7 * 7 and len(shrunk.of_validation.mean) == 49


def test_an_image_that_is_no_number_is_infinitely_far():
    data = Plain(load("digits"))
    images = data.some("test", 300).copy()
    images[7, 0, 0, 0] = np.nan
    assert ImageScores(data, drawing({"broken": images}), "pixels", 500).evaluate("broken") == {"fid": np.inf}


def conditional():
    """Return the draw of a generator whose pixels are the class asked for, of three."""
    gan = SimpleNamespace(
        prior=lambda key, number: jnp.zeros((number, 1)),
        generate=lambda params, extra, z, given: jnp.broadcast_to(
            given.argmax(-1)[:, None, None, None], (len(z), 8, 8, 1)
        ),
    )
    return drawer(gan, lambda index: jax.nn.one_hot(index % 3, 3))


def several():
    """Return the draw of three generators, whose pixels are their numbers."""
    gan = SimpleNamespace(
        generator=SimpleNamespace(heads=3),
        prior=lambda key, number: jnp.zeros((number, 1)),
        generate=lambda params, extra, z, given: jnp.broadcast_to(
            jnp.arange(3)[:, None, None, None], (len(z), 3, 8, 8, 1)
        ),
    )
    return one_each(gan, drawer(gan))


@pytest.mark.parametrize("make", [conditional, several])
def test_what_an_example_is_asked_to_be_is_not_of_the_pieces_that_examples_come_in(make, monkeypatch):
    scores = ImageScores(Plain(load("digits")), make(), "pixels", 720)
    monkeypatch.setattr("experiments.common.image_scores.to_pixels", lambda x: x)
    state = SimpleNamespace(params={}, extra={}, ema={})
    for piece in (100, 700, 2000):
        monkeypatch.setattr("experiments.common.image_scores.PIECE", piece)
        found = np.concatenate(list(scores.pieces(state, 1500)))
        np.testing.assert_array_equal(found, np.broadcast_to(np.arange(1500).reshape(-1, 1, 1, 1) % 3, found.shape))


def test_a_classifier_of_the_images_gives_features_and_an_inception_score(monkeypatch):
    """Here its last features are the pixels, and it reads the class off the first ten."""

    def features(images):
        return 0 * images, images.reshape(len(images), -1)

    network = FeatureNetwork(features, lambda images: 1000 * features(images)[-1][:, :10], 0.9)
    monkeypatch.setattr("experiments.common.image_features.WIDTH", 64)
    monkeypatch.setattr("experiments.common.image_features.feature_network", lambda data: network)
    classes = 2 * np.eye(10, 64, dtype=np.float32).reshape(10, 8, 8, 1) - 1
    samples = {"every": classes, "one": classes[3:4]}
    data = Plain(load("digits"))
    scores, pixels = (ImageScores(data, drawing(samples), kind, 1000) for kind in ("classifier", "pixels"))
    every, one = (finished(scores, state) for state in samples)
    same = finished(pixels, "every").scores
    assert {name: every.scores[name] for name in same} == pytest.approx(same)
    assert every.better["Inception score"] == "higher"
    assert 9.5 < every.scores["Inception score"] < 10
    assert one.scores["Inception score"] == pytest.approx(1)
    assert "90.0 % test accuracy" in every.protocol
