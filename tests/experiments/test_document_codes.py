"""Document codes from the command line to the report, and what is refused."""

import json
import re

import numpy as np
import pytest

from experiments.document_codes import Config, build, probabilities, unigram
from jaxgen.run.cli import main

SMALL = ["--steps=4", "--evaluations=1", "--chunk=4", "--hidden=8"]


def counts(tmp_path, **arrays):
    random = np.random.RandomState(0)
    path = tmp_path / "counts.npz"
    np.savez(path, **{"x": random.poisson(1.0, (60, 20)), "label": random.randint(0, 3, 60), **arrays})
    return path


def run(out, *flags):
    main("document_codes", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


@pytest.mark.slow
def test_docstrings_run_to_their_report_with_both_planes(tmp_path):
    result = run(tmp_path / "run")
    assert set(result["scores"]) == set(result["baselines"])
    assert all(0 <= result["scores"][f"same topic, {k} nearest"] <= 100 for k in (1, 5, 15))
    assert (tmp_path / "run" / "samples" / "planes.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [["--code=5", "--drop=0"], ["--seeds=2"], ["--precision=bfloat16"], ["--hidden"], ["--devices=2"]]
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    scores = run(tmp_path / "run", f"--data=npz:{counts(tmp_path)}", *flags)["scores"]
    assert len(scores) == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=digits"], "must be word counts, such as docstrings; digits has images"),
        (["--data=ring"], "must have labels"),
        (["--drop=1"], "--drop must be at least 0 and below 1, got 1.0"),
        (["--code=0"], "--code must be at least 1"),
        (["--learning-rate=-1"], "--learning-rate must be at least 0"),
    ],
)
def test_what_cannot_be_is_refused(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", *flags)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error


def test_rows_that_are_no_counts_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", f"--data=npz:{counts(tmp_path, x=np.full((60, 20), 0.5))}")
    assert "whole numbers from 0 up" in capsys.readouterr().err


def test_a_code_of_as_many_dimensions_as_words_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", f"--data=npz:{counts(tmp_path)}", "--code=20")
    assert "--code must be below the 20 words or training documents there are, got 20" in capsys.readouterr().err


def test_a_document_without_words_has_no_frequencies():
    np.testing.assert_array_equal(probabilities(np.array([[0.0, 0.0], [1.0, 3.0]])), [[0, 0], [0.25, 0.75]])


def test_the_baseline_is_the_entropy_where_test_and_training_agree():
    counts = np.array([[3e6, 1e6]])
    p = np.array([0.75, 0.25])
    assert unigram(counts, counts) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
