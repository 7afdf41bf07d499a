"""The experiments of latent variables, from the command line to the report, and their bad inputs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.naive_bayes import BernoulliNB

from experiments import conditional_vae, hierarchical_vae, iwae, latent_space, monte_carlo_likelihood, vae
from experiments.common.latent import model
from experiments.common.view import view
from jaxgen.data import load
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models.conditional import given
from jaxgen.run.cli import main

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8", "--latent=3"]
SAMPLES = {monte_carlo_likelihood: ["--samples-chunk=2"], latent_space: []}


def scores(module, out, *flags):
    name = module.__name__.split(".")[-1]
    small = [*SMALL, *SAMPLES.get(module, ["--samples=4", "--samples-chunk=2"])]
    main(name, module.Config, module.build, arguments=[*small, f"--out={out}", *flags])
    result = json.loads((out / "result.json").read_text())
    values = [value["mean"] if isinstance(value, dict) else value for value in result["scores"].values()]
    assert (out / "report.html").exists() and np.isfinite(values).all()
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    "module, flags",
    [
        (vae, ["--likelihood=logistic"]),
        (vae, ["--likelihood=logistic", "--data=faces", "--network=conv", "--channels=3"]),
        (iwae, ["--k=3"]),
        (iwae, ["--k=2", "--gradient=doubly", "--likelihood=gaussian", "--seeds=2"]),
        (iwae, ["--data=ring", "--latent=2"]),
        (hierarchical_vae, ["--above=3", "2", "--above-hidden=6"]),
        (hierarchical_vae, ["--inference=chain", "--k=2", "--network=conv", "--channels=3", "--precision=bfloat16"]),
        (conditional_vae, ["--seeds=2"]),
        (conditional_vae, ["--network=conv", "--channels=3", "--likelihood=logistic"]),
        (monte_carlo_likelihood, ["--most=10", "--repeats=2", "--examples=5"]),
        (latent_space, ["--latent=2"]),
        (latent_space, ["--likelihood=gaussian", "--data=faces", "--network=conv", "--channels=3", "--seeds=2"]),
    ],
)
def test_they_run_to_their_reports(module, flags, tmp_path):
    scores(module, tmp_path / "run", *flags)


@pytest.mark.parametrize(
    "module, flags, says",
    [
        (iwae, ["--k=0"], "--k must be at least 1"),
        (iwae, ["--samples=5", "--samples-chunk=2"], "chunk must divide"),
        (iwae, ["--samples-chunk=0"], "at least 1"),
        (iwae, ["--start-from=nowhere"], "a finished run"),
        (hierarchical_vae, ["--k=0"], "--k must be at least 1"),
        (hierarchical_vae, ["--above"], "--above must name"),
        (hierarchical_vae, ["--above=0"], "--above must be at least 1"),
        (conditional_vae, ["--data=photos"], "no labels"),
        (vae, ["--likelihood=logistic", "--data=ring"], "needs images"),
        (vae, ["--scale=0.1"], "--scale is of gaussian and logistic outputs, got 0.1 for bernoulli"),
        (latent_space, ["--data=ring"], "latent_space draws images"),
        (monte_carlo_likelihood, ["--repeats=1"], "--repeats must be at least 2"),
        (monte_carlo_likelihood, ["--most=0"], "--most must be at least 1"),
        (monte_carlo_likelihood, ["--samples-chunk=0"], "--samples-chunk must be at least 1, got 0"),
    ],
)
def test_bad_input_is_told_in_a_line(module, flags, says, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        scores(module, tmp_path / "run", *flags)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_starts_from_another_ones_networks(tmp_path, capsys):
    first = scores(vae, tmp_path / "first", "--steps=20")
    scores(iwae, tmp_path / "second", f"--start-from={tmp_path / 'first'}", "--learning-rate=0", "--k=4")
    second = json.loads((tmp_path / "second" / "result.json").read_text())
    name = "negative log-likelihood"
    np.testing.assert_allclose(second["scores"][name], first["scores"][name], rtol=1e-6)
    with pytest.raises(SystemExit):
        scores(iwae, tmp_path / "third", f"--start-from={tmp_path / 'first'}", "--hidden=9")
    assert "has other networks" in capsys.readouterr().err
    for flag, told in [("--activation=relu", "tanh there and relu"), ("--likelihood=logistic", "None there and log")]:
        with pytest.raises(SystemExit):
            scores(iwae, tmp_path / "fourth", f"--start-from={tmp_path / 'first'}", flag)
        assert told in capsys.readouterr().err


def test_estimates_are_running_log_means():
    weights = np.log(np.random.default_rng(0).uniform(0.1, 2.0, (3, 10, 2)))
    found = monte_carlo_likelihood.estimates(weights, [1, 10])
    np.testing.assert_allclose(found[0], weights[:, 0])
    np.testing.assert_allclose(found[1], np.log(np.exp(weights).mean(1)))
    assert monte_carlo_likelihood.sizes(5000) == [5, 50, 500, 5000]
    assert monte_carlo_likelihood.sizes(1) == [1]


def test_the_baseline_of_a_logistic_output_counts_intensities():
    data = load("digits")
    seen = view(data, "logistic", "dynamic")
    train, test = (part["image"].reshape(len(part["image"]), -1) for part in (data.train, data.test))
    p = np.stack([[(np.sum(column == v) + 1) / (len(train) + data.levels) for v in range(17)] for column in train.T])
    expected = -np.mean([np.log(p[np.arange(64), row]).sum() for row in test])
    np.testing.assert_allclose(seen.baseline(), expected, rtol=1e-6)


def test_the_baseline_of_a_conditional_model_is_naive_bayes():
    data = load("digits")
    trivial, error = conditional_vae.by_class(view(data, "bernoulli", "threshold"), 10)
    train, test = (
        (part["image"].reshape(-1, 64) > (data.levels - 1) / 2).astype(np.float64) for part in (data.train, data.test)
    )
    bayes = BernoulliNB(alpha=0.5, fit_prior=False).fit(train, data.train["label"])
    label = data.test["label"]
    log_p = bayes.predict_joint_log_proba(test)[np.arange(len(label)), label] + np.log(10)
    np.testing.assert_allclose(trivial, -log_p.mean(), rtol=1e-5)
    np.testing.assert_allclose(error, 1 - bayes.score(test, label))


def test_evidence_is_example_by_class_each_under_its_own_condition():
    config = conditional_vae.Config(hidden=(8,), latent=2)
    seen = view(load("digits"), "bernoulli", "threshold")
    vae = model(config, seen)
    latent, key = conditional_vae.latent_of(vae, 10), jax.random.key(1)
    batch = {"image": seen.data.test["image"][:3], "index": np.arange(3)}
    x = seen.see("test", key, batch)
    params = given(vae, jnp.zeros((3, 10))).init(key, x)
    found = conditional_vae.log_evidence(latent, seen, 10, params, key, batch)
    assert found.shape == (3, 10)
    for label in (0, 7):
        weights = given(vae, jnp.tile(jnp.eye(10)[label], (3, 1))).log_weights(params, x)
        expected = importance_sampled(weights, key, samples=50, chunk=50)
        np.testing.assert_allclose(found[:, label], expected, rtol=1e-5)
    assert abs(found[:, 0] - found[:, 7]).min() > 1e-2
