import json
from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments import conditional_flow, ffjord, glow, iaf, maf, nice, realnvp, spline_flow
from experiments.common import flow_pictures, flows
from experiments.common.flow_scores import Scores, flow_view, full_gaussian
from experiments.common.keys import fixed_key
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.data import load
from jaxgen.models.flow import Flow
from jaxgen.run.cli import main
from jaxgen.run.data import first
from jaxgen.step import init, make_step
from tests.bijectors.laws import moved

KEY = jax.random.key(0)
TINY = ["--steps=4", "--evaluations=1", "--chunk=2", "--batch-size=16", "--hidden", "8", "--width=4", "--blocks=1"]


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def run(module, out, *flags):
    name = module.__name__.rpartition(".")[2]
    main(name, module.Config, module.build, arguments=[*TINY, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of correlated columns in raw units."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) * [1, 100, 0.01] + [0, 1000, 5]
    path = tmp_path_factory.mktemp("table") / "rows.txt"
    np.savetxt(path, x)
    return f"table:{path}"


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        (maf, ["--layers=1"]),
        slow(realnvp, ["--layers=2", "--ema=0.9", "--clip=1", "--mix"]),
        slow(spline_flow, ["--layers=2", "--data=ring", "--precision=float64"]),
        slow(spline_flow, ["--layers=2", "--components=9", "--precision=float64", "--ema=0.9"]),
        slow(spline_flow, ["--layers=1", "--kind=autoregressive", "--no-mix"]),
        slow(ffjord, ["--steps=2", "--chunk=1", "--tolerance=1e-2"]),
    ],
)
def test_flows_of_the_plane(module, flags, tmp_path):
    result = run(module, tmp_path / "run", *flags)
    scores = result["scores"]
    assert np.isfinite(list(scores.values())).all()
    truth = result["baselines"]["negative log-likelihood"]
    np.testing.assert_allclose(scores["above the truth"], scores["negative log-likelihood"] - truth, atol=1e-5)
    names = {path.name for path in (tmp_path / "run" / "samples").iterdir()}
    density = f"density_{result['steps']:08d}.png"
    assert {density, "warp.png", "temperatures.png"} <= names


def test_an_image_is_of_the_class_under_which_it_is_likeliest(monkeypatch):
    data = load("digits")
    data = replace(data, test={name: np.asarray(column[:8]) for name, column in data.test.items()})
    config = conditional_flow.Config(dequantise="variational", bound_samples=2, levels=1, depth=1, width=4)
    seen, given = flow_view(data), conditional_flow.by_label(data)
    noise = flows.noise_of(config, seen)
    flow = Flow(Chain([Logit(config.alpha), glow.make(config, seen.shape)]), (64,))
    rows, label = first(data.test, 8), np.asarray(data.test["label"])
    x = rows["image"].astype(np.int32)
    params = flow.init(KEY, (x + 0.5) / 17, given.of(rows)) | {"noise": noise.init(KEY, KEY, x)["params"]}
    state = SimpleNamespace(params=moved(params, 0.05), ema={})
    scores, found = Scores(config, seen, flow, noise, given), []

    def over(function, key, rows, **_):
        found.append(np.asarray(function(key, first(rows, 8))))
        return found[-1]

    monkeypatch.setattr(conditional_flow, "over", over)
    told = given.scores(scores, state, lambda text: None)
    of_classes = found[0]  # [8, 10]
    assert told == {"classified by density": 100 * (of_classes.argmax(1) == label).mean()}
    assert abs(of_classes - of_classes.mean(1, keepdims=True)).max() > 0.1  # the class matters
    # Its own class's column is its score: by the noise that was trained, as many draws of it, and the same for each.
    own = scores.compiled(state.params, 2, "test", fixed_key(), rows)
    np.testing.assert_allclose(of_classes[np.arange(8), label], own, rtol=1e-5)
    for sign, expected in ((5.0, 100.0), (-5.0, 0.0)):
        monkeypatch.setattr(conditional_flow, "over", lambda *_, s=sign, **__: s * np.eye(10)[label])
        assert given.scores(scores, state, lambda text: None) == {"classified by density": expected}


def test_the_noise_of_images_starts_uniform_and_knows_its_density():
    data = load("digits")
    config = glow.Config(dequantise="variational", width=8)
    noise = flows.noise_of(config, flow_view(data))
    x = data.train["image"][:4].astype(np.int32)
    params = noise.init(KEY, KEY, x)
    log_scale = 64 * np.log(17)
    np.testing.assert_allclose(noise.apply(params, KEY, x)[1], log_scale, rtol=1e-6)
    params = moved(params, 0.03)
    y, log_q = noise.apply(params, KEY, x)
    np.testing.assert_array_equal(np.floor(y * 17), x)
    again = noise.apply(params, x, y * 17 - x, method="log_density")
    np.testing.assert_allclose(log_q, again + log_scale, atol=1e-2)
    assert abs(log_q - log_scale).max() > 1


def test_noise_by_squares_of_pixels_needs_even_sides():
    seen = SimpleNamespace(images=True, shape=(8, 7, 1))
    with pytest.raises(ValueError, match=r"even sides, digits has \(8, 7, 1\)"):
        flows.noise_of(glow.Config(dequantise="variational"), seen)


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        (nice, ["--pairs=1"]),
        slow(realnvp, ["--data=digits", "--precision=bfloat16"]),
        slow(glow, ["--depth=2", "--dequantise=variational", "--bound-samples=2", "--components=3"]),
        slow(maf, ["--data=digits", "--layers=1"]),
        slow(conditional_flow, ["--depth=1", "--dequantise=variational"]),
        slow(conditional_flow, ["--depth=1", "--condition=coarse"]),
    ],
)
def test_flows_of_images(module, flags, tmp_path):
    result = run(module, tmp_path / "run", "--learning-rate=1e-6", *flags)
    assert np.isfinite(list(result["scores"].values())).all()
    assert result["scores"]["inverse error"] < (0.1 if "--precision=bfloat16" in flags else 1e-4)
    assert 2 < result["baselines"]["bits/dim"] < 4.1  # digits have 17 intensities, log2(17) = 4.09
    names = {path.name for path in (tmp_path / "run" / "samples").iterdir()}
    assert {"samples_00000004.png", "temperatures.png", "interpolation.png"} <= names
    assert ("classified by density" in result["scores"]) == (module is conditional_flow and "coarse" not in flags[-1])
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    watched = [row["validation/bits_per_dim"] for row in rows if "validation/bits_per_dim" in row][-1]
    # The game's own log-density of the last batch, of y for uniform noise, whose scaling is not in it. Nothing moved.
    # A Jacobian too few would be log2(17) = 4.09 bits.
    trained = [row["train/flow/log_prob"] for row in rows if "train/flow/log_prob" in row][-1]
    bits = (0 if "--dequantise=variational" in flags else np.log2(17)) - trained / 64 / np.log(2)
    for score in (watched, result["scores"]["bits/dim"]):
        assert abs(score - bits) < 0.3 + 0.06 * bits


@pytest.mark.slow
@pytest.mark.parametrize("posterior", ["iaf", "coupling", "planar", "radial"])
def test_posteriors_by_flows(posterior, tmp_path):
    flags = ["--steps=2", "--evaluations=1", "--chunk=2", "--hidden", "8", "--samples=50", f"--posterior={posterior}"]
    main("iaf", iaf.Config, iaf.build, arguments=[*flags, f"--out={tmp_path / 'run'}", "--layers=2"])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    for scores in (result["scores"], result["baselines"]):
        gap = scores["negative ELBO"] - scores["negative log-likelihood"]
        assert gap > -0.1  # both are estimates
        np.testing.assert_allclose(scores["posterior gap"], gap, atol=1e-5)


@pytest.mark.slow
def test_seeds_of_a_table(table, tmp_path):
    result = run(maf, tmp_path / "run", f"--data={table}", "--layers=1", "--seeds=2")
    assert len(result["scores"]["log-likelihood"]["seeds"]) == 2


@pytest.mark.parametrize("module", [realnvp, slow(spline_flow), slow(maf), slow(ffjord)])
def test_flows_of_tables(module, table, tmp_path):
    result = run(module, tmp_path / "run", f"--data={table}", *([] if module is ffjord else ["--layers=2"]))
    assert "mean 0 and deviation 1" in result["protocol"]
    assert np.isfinite(result["scores"]["log-likelihood"])
    assert (tmp_path / "run" / "samples" / "samples_00000004.png").exists()


@pytest.mark.parametrize(("bad", "words"), [(0, "examples. The"), (3, "examples. 3 have no finite density. The")])
def test_scores_tell_what_has_no_density(bad, words, table, monkeypatch):
    config = maf.Config(data=table)
    scores = Scores(config, flow_view(load(table)), None, None, conditional_flow.Condition())
    monkeypatch.setattr(Scores, "of", lambda *_: np.array([1.0] * 5 + [np.nan] * bad))
    result = scores.finish(None, lambda text: None)
    assert words in result.protocol and np.isnan(result.scores["log-likelihood"]) == bool(bad)


def test_tables_are_standardised_by_their_training_part(table):
    seen = flow_view(load(table))
    train = np.asarray(seen.some("train", 10**6)["x"])
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-4)
    # What a Gaussian with all covariances reaches, in these units, hangs on the correlations alone.
    correlation = np.corrcoef(np.asarray(seen.data.train["x"], np.float64).T)
    entropy = 0.5 * (3 * np.log(2 * np.pi * np.e) + np.linalg.slogdet(correlation)[1])
    np.testing.assert_allclose(-full_gaussian(train)(train).mean(), entropy, rtol=1e-3)
    assert flow_view(load("moons")).standard is None


def test_a_flow_learns_in_a_few_steps():
    experiment = realnvp.build(realnvp.Config(layers=2, hidden=(16,), learning_rate=1e-2))
    x = experiment.data.train["x"][:256]
    game, batch = experiment.game, experiment.prepare(KEY, {"x": x, "index": np.arange(256)})
    state, step = init(game, KEY, batch), jax.jit(make_step(game))
    losses = []
    for _ in range(40):
        state, metrics = step(state, batch)
        losses.append(float(metrics["flow/loss"]))
    assert losses[-1] < losses[0] - 0.2


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        (glow, {"data": "moons"}, "Glow is of images, moons"),
        (glow, {"levels": 4}, "16 divides"),
        (realnvp, {"layers": 3}, "pairs, got 3"),
        (realnvp, {"dequantise": "variational"}, "are for images, moons"),
        (realnvp, {"bound_samples": 5}, "are for images, moons"),
        (conditional_flow, {"data": "moons"}, "needs labelled images, moons"),
        (conditional_flow, {"data": "moons", "condition": "coarse"}, r"even height and width, moons has \(2,\)"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(module, options, words):
    with pytest.raises(ValueError, match=words):
        module.build(module.Config(**options))


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (realnvp, {"alpha": 0.5}),
        (realnvp, {"temperatures": ()}),
        (realnvp, {"temperatures": (0.0,)}),
        (glow, {"depth": 0}),
        (spline_flow, {"bound": 0.0}),
        (spline_flow, {"bins": 0}),
        (ffjord, {"tolerance": 0.0}),
        (nice, {"pairs": 0}),
        (maf, {"layers": 0}),
        (iaf, {"flow_hidden": (0,)}),
        (realnvp, {"learning_rate": -1.0}),
    ],
)
def test_values_that_no_run_can_have(module, options):
    with pytest.raises(ValueError, match=next(iter(options)).replace("_", "[-_]")):
        module.Config(**options).check()


def test_a_table_is_shown_without_samples_that_leave_it_no_room(monkeypatch):
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    drawn = rows.copy()
    drawn[7], drawn[9] = 1e3, np.nan
    monkeypatch.setattr(flow_pictures, "sampler", lambda flow: lambda params, key, n: drawn)
    shown = {}

    def scatter(points, labels, **told):
        shown.update(told, points=points, labels=labels)

    monkeypatch.setattr(flow_pictures, "scatter", scatter)
    view = SimpleNamespace(some=lambda part, number: {"x": rows})
    flow_pictures.table_picture(None, None, view)
    assert "1 of 50 samples far outside" in shown["title"]
    assert len(shown["points"]) == len(shown["labels"]) == 99 and shown["labels"].sum() == 49
    assert np.isnan(shown["points"]).any(axis=1).sum() == 1  # which the picture counts by itself
    drawn[7] = 0
    flow_pictures.table_picture(None, None, view)
    assert "outside" not in shown["title"] and len(shown["points"]) == 100
