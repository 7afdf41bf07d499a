"""Anomaly detection from the command line to the report, and what is refused."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import sweep
from experiments.anomaly_detection import SCORES, Config, anomaly_scores, baseline_scores, build
from experiments.common.latent import model
from experiments.common.view import view
from jaxgen.data import load
from jaxgen.metrics.anomaly import auroc
from jaxgen.run.cli import main

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8", "--samples=4", "--samples-chunk=2", "--latent=2"]


def run(out, *flags):
    main("anomaly_detection", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


def arrays(tmp_path, **changed):
    random = np.random.RandomState(0)
    label = random.randint(0, 3, 90)
    x = random.normal(size=(90, 4)) + 2 * label[:, None]
    np.savez(tmp_path / "toy.npz", **{"x": x.astype(np.float32), "label": label, **changed})
    return f"--data=npz:{tmp_path / 'toy.npz'}"


def test_all_classes_of_digits_run_to_their_report(tmp_path):
    result = run(tmp_path / "run")
    each = [result["scores"][f"AUROC of -log p(x), {digit} left out"] for digit in range(10)]
    assert result["scores"]["AUROC of -log p(x)"] == pytest.approx(np.mean(each))
    assert all(0 <= value <= 100 for value in result["scores"].values())
    assert result["baselines"]["AUROC of -ELBO"] > 95  # the nearest neighbour, who needs no training
    for name in ("auroc", "most_anomalous", "least_anomalous"):
        assert (tmp_path / "run" / "samples" / f"{name}.png").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--left-out", "7", "3", "--seeds=2"],
        [
            "--left-out",
            "3",
            "--network=conv",
            "--channels=4",
            "--likelihood=bernoulli",
            "--devices=2",
            "--parallel=pmap",
        ],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    scores = run(tmp_path / "run", *flags)["scores"]
    assert "AUROC of -log p(x), 3 left out" in scores and "AUROC of -log p(x), 4 left out" not in scores
    assert ("seeds" in str(scores)) == ("--seeds=2" in flags)


def test_vectors_with_labels_run(tmp_path):
    assert len(run(tmp_path / "run", arrays(tmp_path))["scores"]) == 7


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=faces"], "needs labels: faces has none"),
        (["--left-out", "3", "10"], "classes of the test set, each once: 0 1 2 3 4 5 6 7 8 9; got 3 10"),
        (["--left-out", "3", "3"], "got 3 3"),
        (["--left-out"], "got none"),
        (["--samples=5"], "chunk must divide the 5 samples"),
        (["--latent=0"], "--latent must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", *flags)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error


def test_data_of_one_class_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", arrays(tmp_path, label=np.zeros(90, int)))
    assert "at least two in every part, train has 1" in capsys.readouterr().err


def test_the_three_scores_are_means_and_bounds_of_the_same_draws():
    config = Config(hidden=(8,), latent=2)
    seen = view(load("digits"), "gaussian", "dynamic")
    vae = model(config, seen)
    x = seen.some("test", 6)["x"]
    params = vae.init(jax.random.key(0), x)
    scores = anomaly_scores(vae, params, x, jax.random.key(1), samples=6, chunk=2)

    keys = jax.random.split(jax.random.key(1), 3)
    weights = jnp.concatenate([vae.log_weights(params, x)(key, 2) for key in keys])
    given = jnp.concatenate([vae.log_weights(params, x, beta=0.0)(key, 2) for key in keys])
    top = weights.max(0, keepdims=True)
    expected = -weights.mean(0), -given.mean(0), -jnp.log(jnp.exp(weights - top).mean(0)) - top[0]
    for name, values in zip(SCORES, expected, strict=True):
        np.testing.assert_allclose(scores[name], values, rtol=1e-4)
    assert (scores["-log p(x)"] < scores["-ELBO"]).all()


def test_baselines_leave_the_class_out():
    data = load("digits")
    train, test = (np.asarray(part["image"]).reshape(len(part["label"]), -1) / 16 for part in (data.train, data.test))
    rows = baseline_scores(data, (4, 7), 5)
    others = train[np.asarray(data.train["label"]) != 7]
    nearest = ((test[:9, None] - others[None]) ** 2).sum(-1).min(1)
    np.testing.assert_allclose(rows["nearest neighbour"][1][:9], nearest, atol=1e-3)
    basis = np.linalg.svd(others - others.mean(0), full_matrices=False)[2][:5]
    away = test - others.mean(0)
    np.testing.assert_allclose(rows["PCA"][1], (away**2).sum(1) - ((away @ basis.T) ** 2).sum(1), atol=1e-4)
    assert auroc(rows["nearest neighbour"][1], np.asarray(data.test["label"]) == 7) > 95


def test_validation_leaves_the_class_out():
    config = Config(hidden=(8,), latent=2, left_out=(3, 5))
    experiment = build(config)
    batch = {"image": jnp.zeros((4, 8, 8, 1), jnp.uint8), "label": jnp.arange(4), "index": jnp.arange(4)}
    game = experiment.variant({"left_out": 3.0})
    from jaxgen.step import init

    state = init(game, jax.random.key(0), experiment.prepare(jax.random.key(0), batch))
    validation = dict(experiment.data.validation)
    here = experiment.evaluate(state)["elbo"]
    third = validation["label"] == 3
    validation["image"] = np.where(third[:, None, None, None], 16 - validation["image"], validation["image"])
    object.__setattr__(experiment.data, "validation", validation)
    assert experiment.evaluate(state)["elbo"] == here
    validation["image"] = 16 - validation["image"]
    assert experiment.evaluate(state)["elbo"] != here


def test_its_learning_rate_can_be_swept(tmp_path):
    options = "--options=--hidden 8 --samples 4 --samples-chunk 2 --latent 2 --left-out 3"
    flags = ["--experiment=anomaly_detection", "--values", "0.001", "0.01", "--seeds=1", *SMALL[:3], options]
    main("sweep", sweep.Config, sweep.build, arguments=[*flags, f"--out={tmp_path / 'run'}"])
    assert len(json.loads((tmp_path / "run" / "result.json").read_text())["scores"]) == 6
