"""The denoising autoencoder, from the command line to the report."""

import json

import jax
import numpy as np
import pytest

from experiments.common.autoencoders import open_scaled
from experiments.denoising_autoencoder import Config, build, classical, corruption
from jaxgen.run.cli import main

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=6", "--channels=3", "--code=5"]
PROBES = {"linear probe, plain", "linear probe, denoising"}


def scores(out, *flags):
    main("denoising_autoencoder", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists() and (out / "samples" / "repaired_test.png").exists()
    return json.loads((out / "result.json").read_text())


LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("photos", "shapes")]


@pytest.mark.parametrize("name", ["digits", "faces", *LARGE])
def test_every_set_of_images_runs_to_its_report(name, tmp_path):
    result = scores(tmp_path / "run", f"--data={name}")
    assert np.isfinite(list(result["scores"].values())).all()
    assert (set(result["scores"]) >= PROBES) == (name == "digits")  # the others have no labels


@pytest.mark.parametrize(
    "flags",
    [
        ["--corruption=gaussian", "--level=1.5"],
        ["--corruption=salt-and-pepper"],
        ["--corruption=block", "--network=conv"],
        ["--network=mlp", "--layer-noise=0.3", "--activation=silu"],
        ["--loss=squared", "--precision=bfloat16"],
        ["--seeds=2", "--corruption=block"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    result = scores(tmp_path / "run", *flags)
    assert set(result["scores"]) >= PROBES and set(result["baselines"]) == {*PROBES, "PSNR, denoising"}


def test_it_learns_to_repair(tmp_path):
    result = scores(tmp_path / "run", "--steps=400", "--chunk=400", "--code=64", "--learning-rate=0.01")["scores"]
    assert result["PSNR, denoising"] > result["PSNR, corrupted"] + 2
    assert result["PSNR, denoising"] > result["PSNR, plain"] + 0.3
    assert result["squared error of clean images, plain"] < result["squared error of clean images, denoising"]


def test_the_filter_is_told_the_block_that_was_hidden():
    config = Config(corruption="block", level=0.3)
    data, key = open_scaled(config, "squared"), jax.random.key(0)
    x = data.some("test", 6)
    y = np.asarray(corruption(config, data.shape)(key, x))
    name, repaired = classical(config, key, y)
    assert "inpainting" in name
    seen = y != 0
    np.testing.assert_allclose(repaired[seen], x[seen], atol=1e-6)
    assert (repaired != y).any()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=ring", "--loss=squared"], "repairs images, ring has vectors of shape (2,)"),
        (["--data=ring"], "--loss cross-entropy needs images, ring is real-valued"),
        (["--level=1"], "--level must be above 0 and below 1, got 1.0"),
        (["--level=0.99"], "masking: expected to leave at least one of 64 numbers"),
        (["--level=0"], "--level must be above 0 and below 1, got 0.0"),
        (["--corruption=gaussian", "--level=inf"], "--level must be above 0 and finite, got inf"),
        (["--corruption=block", "--level=0.99"], "--level 0.99 makes a block of the whole 8 x 8 image"),
        (["--layer-noise=0.1"], "--layer-noise needs --network mlp, got 0.1 for tied"),
        (["--network=mlp", "--layer-noise=0"], "--layer-noise must be above 0 and finite, got 0.0"),
        (["--network=conv", "--channels"], "--channels must name at least one layer"),
        (["--code=0"], "--code must be at least 1, got 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main("denoising_autoencoder", Config, build, arguments=[*SMALL, f"--out={tmp_path / 'run'}", *flags])
    told = capsys.readouterr().err.strip()
    assert exit.value.code == 2 and message in told and "\n" not in told
    assert not (tmp_path / "run" / "config.json").exists()
