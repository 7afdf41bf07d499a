"""Missing data from the command line to the report, and what is refused."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.missing_data import Config, build
from jaxgen.run.cli import main

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8", "--samples=4", "--samples-chunk=2", "--latent=2"]


def run(out, *flags):
    main("missing_data", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


def test_digits_run_to_their_report(tmp_path):
    result = run(tmp_path / "run")
    for kind in ("random", "half"):
        name = f"squared error, {kind} masks"
        ways = [result["scores"][f"{name}, {way}"] for way in ("mean", "nearest neighbour")]
        assert result["baselines"][name] == min(ways)
        assert result["scores"][name] > 0
        assert (tmp_path / "run" / "samples" / f"imputed_{kind}.png").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ["--train-masks", "left", "block", "--test-masks", "right", "--redraw", "--seeds=2"],
        ["--likelihood=bernoulli", "--network=conv", "--channels=4", "--test-masks", "top", "--precision=bfloat16"],
        ["--data=faces", "--scale=0.1", "--k=1", "--hidden-share=0.9", "--test-masks", "bottom", "--devices=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    assert len(run(tmp_path / "run", *flags)["scores"]) == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=ring"], "masks hide pixels of images, ring has vectors"),
        (["--hidden-share=1"], "--hidden-share must be above 0 and below 1, got 1.0"),
        (["--hidden-share=0"], "--hidden-share must be above 0 and below 1, got 0.0"),
        (["--block-side=1"], "--block-side must be above 0 and below 1, got 1.0"),
        (["--block-side=0.99", "--test-masks", "block"], "expected a part of the 8 x 8 image, got 8 x 8"),
        (["--block-side=0.01", "--train-masks", "block"], "expected a part of the 8 x 8 image, got 0 x 0"),
        (["--test-masks"], "--test-masks must name kinds of masks, each once; got none"),
        (["--train-masks", "half", "half"], "each once; got half half"),
        (["--train-masks", "most"], "most"),
        (["--k=0"], "--k must be at least 1, got 0"),
        (["--samples=5"], "chunk must divide the 5 samples"),
        (["--scale=0"], "--scale must be above 0"),
        (["--scale=0.1", "--likelihood=bernoulli"], "--scale is of a gaussian output, got 0.1"),
        (["--hidden-share=0.99"], "at least one pixel of 8 x 8 and not all"),
        (["--network=conv", "--channels"], "--channels must name at least one layer"),
    ],
)
def test_what_cannot_be_is_refused(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", *flags)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error


def test_an_image_hides_the_same_pixels_for_ever_unless_they_are_redrawn():
    for redraw in (False, True):
        experiment = build(Config(hidden=(4,), redraw=redraw))
        batch = {"image": jnp.asarray(experiment.data.train["image"][:20]), "index": jnp.arange(20)}
        first, second = (experiment.prepare(jax.random.key(epoch), batch)["x"] for epoch in range(2))
        assert first.shape == (20, 8, 8, 2)
        assert (np.asarray(first) != np.asarray(second)).any() == redraw
        assert 0.4 < first[..., 1].mean() < 0.6
