"""Linear and deep autoencoders, from the command line to the report."""

import json

import numpy as np
import pytest

from experiments.autoencoder import Config, build
from jaxgen.run.cli import main

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=6", "--codes", "1", "2"]


def scores(out, *flags):
    main("autoencoder", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    result = json.loads((out / "result.json").read_text())
    assert np.isfinite(list(result["baselines"].values())).all()
    assert set(result["baselines"]) == set(result["scores"])
    return result


LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("photos", "shapes")]


@pytest.mark.parametrize("name", ["digits", "faces", "ring", *LARGE])
def test_every_kind_of_data_runs_to_its_report(name, tmp_path):
    result = scores(tmp_path / "run", f"--data={name}")
    assert set(result["scores"]) == {f"squared error, {kind} {code}" for kind in ("linear", "deep") for code in (1, 2)}
    if name == "ring":  # two components of two dimensions are everything
        assert result["baselines"]["squared error, deep 2"] < 1e-6


@pytest.mark.parametrize(
    "flags",
    [
        ["--kinds", "linear"],
        ["--kinds", "deep", "--loss=cross-entropy", "--activation=silu"],
        ["--hidden", "--codes", "3"],
        ["--precision=bfloat16"],
        ["--seeds=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    scores(tmp_path / "run", *flags)


def test_the_linear_one_comes_within_a_percent_of_pca(tmp_path):
    flags = ["--steps=2500", "--chunk=500", "--kinds", "linear", "--codes", "2", "4", "--linear-rate=0.02"]
    result = scores(tmp_path / "run", *flags)
    for name, best in result["baselines"].items():
        assert abs(result["scores"][name] / best - 1) < 0.01


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--codes", "65"], "at most 64 for the 1439 training examples of 64 dimensions of digits, got 65"),
        (["--data=ring", "--codes", "3"], "at most 2 for the 100000 training examples of 2 dimensions"),
        (["--data=faces", "--codes", "81"], "at most 80 for the 80 training examples of 625 dimensions"),
        (["--codes", "0"], "--codes must be at least 1, got 0"),
        (["--codes", "2", "2"], "--codes must be one or more, each once, got 2 2"),
        (["--codes"], "--codes must be one or more, each once, got none"),
        (["--kinds"], "--kinds must be one or more, each once, got none"),
        (["--hidden", "4", "0"], "--hidden must be at least 1, got 4 0"),
        (["--learning-rate=0"], "--learning-rate must be above 0 and finite, got 0.0"),
        (["--linear-rate=nan"], "--linear-rate must be above 0 and finite, got nan"),
        (["--data=ring", "--codes", "1", "--loss=cross-entropy"], "--loss cross-entropy needs images, ring is real"),
    ],
)
def test_bad_input_is_refused_in_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main("autoencoder", Config, build, arguments=[*SMALL[:-3], f"--out={tmp_path / 'run'}", *flags])
    told = capsys.readouterr().err.strip()
    assert exit.value.code == 2 and message in told and "\n" not in told
    assert not (tmp_path / "run" / "config.json").exists()
