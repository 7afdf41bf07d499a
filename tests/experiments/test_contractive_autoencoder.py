"""The contractive autoencoder, from the command line to the report."""

import json
from functools import partial

import jax
import numpy as np
import pytest

from experiments.contractive_autoencoder import Config, build, model, penalty
from jaxgen.losses import contraction
from jaxgen.run.cli import main

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=6", "--code=5"]
KEY = jax.random.key(0)


def scores(out, *flags):
    main("contractive_autoencoder", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists() and (out / "samples" / "singular_values.png").exists()
    return json.loads((out / "result.json").read_text())


LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("photos", "shapes")]


@pytest.mark.parametrize("name", ["digits", "faces", *LARGE])
def test_every_set_of_images_runs_to_its_report(name, tmp_path):
    result = scores(tmp_path / "run", f"--data={name}")
    assert np.isfinite(list(result["scores"].values())).all()
    assert ("linear probe, contractive" in result["scores"]) == (name == "digits")  # the others have no labels


@pytest.mark.parametrize(
    "flags",
    [
        ["--network=deep", "--activation=tanh"],
        ["--network=deep", "--signs=2", "--precision=bfloat16"],
        ["--data=ring", "--loss=squared"],
        ["--weight=0", "--seeds=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    scores(tmp_path / "run", *flags)


def test_the_penalty_flattens_the_encoder(tmp_path):
    result = scores(tmp_path / "run", "--steps=300", "--chunk=300", "--code=32", "--weight=1", "--learning-rate=0.01")[
        "scores"
    ]
    assert result["contraction ||J||, contractive"] < 0.8 * result["contraction ||J||, plain"]
    assert result["squared error, contractive"] > result["squared error, plain"]


@pytest.mark.parametrize("flags", [{}, {"network": "deep"}, {"network": "deep", "signs": 4000}])
def test_every_penalty_is_the_squared_norm_of_the_jacobian(flags):
    config = Config(hidden=(6,), code=5, **flags)
    one, x = model(config, (2, 2, 1)), jax.random.uniform(KEY, (3, 2, 2, 1))
    params = one.init(KEY, x)
    expected = contraction.exact(partial(one.encode, params), x)
    np.testing.assert_allclose(penalty(config, one)(params, x, KEY), expected, rtol=0.1 if config.signs else 1e-4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=ring"], "--loss cross-entropy needs images, ring is real-valued"),
        (["--weight=-1"], "--weight must be at least 0 and finite, got -1.0"),
        (["--weight=inf"], "--weight must be at least 0 and finite, got inf"),
        (["--signs=2"], "--signs is for --network deep (one layer has a closed form), got 2"),
        (["--network=deep", "--signs=-2"], "--signs must be at least 0 and finite, got -2"),
        (["--network=deep", "--hidden"], "--hidden must name at least one layer for --network deep, got none"),
        (["--code=0"], "--code must be at least 1, got 0"),
    ],
)
def test_bad_input_is_refused_in_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main("contractive_autoencoder", Config, build, arguments=[*SMALL, f"--out={tmp_path / 'run'}", *flags])
    told = capsys.readouterr().err.strip()
    assert exit.value.code == 2 and message in told and "\n" not in told
    assert not (tmp_path / "run" / "config.json").exists()
