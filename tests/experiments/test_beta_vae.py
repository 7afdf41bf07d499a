import json

import jax
import numpy as np
import pytest

from experiments.beta_vae import Config, bounds, build
from experiments.common.latent import model
from experiments.common.view import view
from jaxgen.data import Dataset
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.run.cli import main
from jaxgen.run.data import open_data

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=2", "--evaluations=1", "--chunk=2", "--hidden=8", "--channels=4", "--latent=3"]
NATS = {"negative ELBO", "KL", "reconstruction"}


def run(out, *flags):
    main("beta_vae", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    result = json.loads((out / "result.json").read_text())
    assert np.isfinite([*result["scores"].values(), *result["baselines"].values()]).all()
    return result


@pytest.mark.parametrize(
    "flags", [["--network=conv"], ["--capacity=5", "--capacity-steps=1", "--gamma=10"], ["--data=ring", "--latent=1"]]
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    result = run(tmp_path / "run", *flags)
    assert set(result["scores"]) == set(result["baselines"]) == NATS
    scores = result["scores"]
    np.testing.assert_allclose(scores["negative ELBO"], scores["KL"] + scores["reconstruction"], rtol=1e-5)
    pictures = {path.name for path in (tmp_path / "run" / "samples").iterdir()}
    assert "kl_of_latents.png" in pictures
    assert ("traversals_beta.png" in pictures) == ("traversals_plain.png" in pictures) == ("--data=ring" not in flags)


def test_known_factors_are_scored(tmp_path):
    result = run(tmp_path / "run", "--data=shapes", "--likelihood=bernoulli", "--steps=1")
    assert set(result["scores"]) == NATS | {"mutual information gap", "factor score"}
    assert "shape, scale, rotation, x, y, colour" in result["protocol"]


def test_factors_that_cannot_be_scored_are_refused_before_training(monkeypatch):
    rows = {"image": np.zeros((6, 4, 4, 1), np.uint8), "factor": np.array([[0], [0], [0], [0], [0], [1]], np.int32)}
    data = Dataset("toy", rows, rows, rows, source="zeros", levels=256, factors=("kind",))
    monkeypatch.setattr("experiments.beta_vae.open_data", lambda config: data)
    with pytest.raises(ValueError, match="expected 2 examples of each value of factor 0, got 1 of one"):
        build(Config(hidden=(8,)))


def test_the_kl_of_the_latents_sums_to_the_kl():
    config = Config(hidden=(8,), latent=4)
    seen = view(open_data(config), None, config.binarise)
    vae, x = model(config, seen), seen.some("test", 5)["x"]
    params = vae.init(jax.random.key(0), x)
    rows = bounds(vae, params, x, jax.random.key(1))
    assert rows["each"].shape == (5, 4)
    np.testing.assert_allclose(rows["kl"], gaussian_kl(*vae.encode(params, x)), rtol=1e-5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--beta=-1"], "--beta must be finite and not negative, got -1.0"),
        (["--gamma=nan"], "--gamma must be finite and not negative, got nan"),
        (["--capacity=-2"], "--capacity must be finite and not negative, got -2.0"),
        (["--capacity-steps=10"], "--capacity-steps needs --capacity, got 10 without one"),
        (["--latent=0"], "--latent must be at least 1, got 0"),
    ],
)
def test_bad_input_is_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main("beta_vae", Config, build, arguments=[f"--out={tmp_path / 'run'}", *flags])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told
