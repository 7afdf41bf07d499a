"""Every embedded data set, from the command line to the report."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.vae import Config, build
from jaxgen.data import names
from jaxgen.run.cli import main

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8", "--channels=4", "--samples=4", "--samples-chunk=2"]


def scores(out, *flags):
    main("vae", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    result = json.loads((out / "result.json").read_text())
    assert np.isfinite(list(result["scores"].values())).all()
    return result


@pytest.mark.parametrize(
    "name", [name if name in ("digits", "ring") else pytest.param(name, marks=pytest.mark.slow) for name in names()]
)
def test_every_embedded_set_runs_to_its_report(name, tmp_path):
    result = scores(tmp_path / "run", f"--data={name}", "--latent=2")
    if name == "ring":
        assert result["scores"]["exact negative log-density of the data"] < 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--network=conv"],
        ["--likelihood=gaussian", "--scale=0.1"],
        ["--binarise=static", "--warm-up=2", "--free-nats=0.5"],
        ["--binarise=threshold", "--beta=4"],
        ["--hidden"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    scores(tmp_path / "run", *flags)


def test_a_folder_of_a_few_images_runs(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(rng.integers(0, 256, (6, 7), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    scores(tmp_path / "run", f"--data=folder:{tmp_path}")
