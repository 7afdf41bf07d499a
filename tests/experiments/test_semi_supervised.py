"""Semi-supervised learning from the command line to the report, and what is refused."""

import json
import re

import flax.linen as nn
import jax
import numpy as np
import pytest

from experiments.common.against import summarise_against
from experiments.semi_supervised import ARMS, Config, build, standardised, title
from jaxgen.models.autoencoder import CodeEncoder
from jaxgen.nn.mlp import MLP
from jaxgen.run.cli import main
from jaxgen.run.experiment import Result

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8", "--seeds=1", "--labels=20", "--fine-steps=3"]


def run(out, *flags):
    main("semi_supervised", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--labels", "20", "100", "--seeds=2", "--code=3"],
        ["--hidden", "--noise=0", "--fine-rates=0.01"],
        ["--precision=bfloat16"],
        ["--devices=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    result = run(tmp_path / "run", *flags)
    labels = (20, 100) if "100" in flags else (20,)
    assert set(result["scores"]) == {title(count, arm) for count in labels for arm in ARMS}
    if "--seeds=2" in flags:
        assert all(len(score["seeds"]) == 2 for score in result["scores"].values())
    assert set(result["baselines"]) == {title(count, ARMS[0]) for count in labels}


@pytest.mark.slow
def test_rows_of_numbers_with_labels_run(tmp_path):
    random = np.random.RandomState(0)
    np.savez(tmp_path / "rows.npz", x=random.randn(90, 5).astype(np.float32), label=np.arange(90) % 2)
    run(tmp_path / "run", f"--data=npz:{tmp_path / 'rows.npz'}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=faces"], "--data must have labels for the classifier to learn, faces has none"),
        (["--labels=25"], "--labels 25 of digits: .* multiple of the 10 classes, got 25"),
        (["--labels=5000"], "--labels 5000 of digits: .* expected at most 1[0-9]+.*got 5000"),
        (["--labels", "20", "20"], "each once"),
        (["--labels"], "--labels must be one or more"),
        (["--fine-rates=0"], "--fine-rates must be one or more, above 0"),
        (["--fine-steps=0"], "--fine-steps must be at least 1"),
        (["--noise=-1"], "--noise must be at least 0"),
    ],
)
def test_what_cannot_be_is_refused(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", *flags)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error), error


def test_standardised_codes_have_mean_zero_and_variance_one_and_are_else_the_same():
    x = 3 + np.random.RandomState(0).randn(200, 6)
    encoder = CodeEncoder(MLP((7,), nn.tanh), 4)
    params = encoder.init(jax.random.key(0), x)
    before, after = (np.asarray(encoder.apply(p, x)) for p in (params, standardised(encoder, params, x)))
    np.testing.assert_allclose(after.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(after.std(0), 1, rtol=2e-3)
    np.testing.assert_allclose(after, (before - before.mean(0)) / before.std(0), rtol=2e-3, atol=1e-4)


def test_the_baseline_of_pretraining_is_the_mean_from_scratch():
    results = [Result(dict(zip((title(20, a) for a in ARMS), e, strict=True)), "p") for e in ((1.0, 4.0), (3.0, 8.0))]
    summed = summarise_against({title(20, ARMS[0]): title(20, ARMS[1])}, results)
    assert summed.baselines == {title(20, "pretrained"): 6.0}
    assert summed.scores[title(20, "pretrained")]["mean"] == 2.0
