"""Time to a score: which line of a run's metrics ends it, and what is refused."""

import json
import threading
import time

import pytest

from benchmarks import time_to_quality
from benchmarks.time_to_quality import Config, follow, score

SMALL = "--hidden 8 --latent 2 --samples 20 --samples-chunk 20"


def test_lines_are_read_as_they_are_written_and_none_is_lost(tmp_path):
    path, writing = tmp_path / "metrics.jsonl", threading.Event()
    writing.set()

    def write():
        time.sleep(0.05)
        with path.open("w") as file:
            for step in range(20):
                text = json.dumps({"step": step}) + "\n"
                file.write(text[:5])
                file.flush()
                time.sleep(0.005)
                file.write(text[5:])
                file.flush()
        writing.clear()

    thread = threading.Thread(target=write)
    thread.start()
    assert [line["step"] for line in follow(path, writing.is_set)] == list(range(20))
    thread.join()


@pytest.mark.parametrize(("value", "enough"), [(2.0, True), (1.9, False)])
def test_higher_or_lower_may_be_better(value, enough):
    assert Config(at_least=2.0).reached(value) == enough
    assert Config(at_most=-2.0).reached(-value) == enough


def test_a_run_is_ended_when_it_is_good_enough(capsys):
    flags = ["--run", f"vae --steps 10 --chunk 2 --evaluations 5 {SMALL}", "--repeats", "1"]
    time_to_quality.main([*flags, "--at-least", "-1000"])
    printed = capsys.readouterr().out
    assert "seed 0: " in printed and "at step 2;" in printed and "median" in printed


def test_a_run_that_never_is_good_enough_is_told(capsys):
    flags = ["--run", f"vae --steps 4 --evaluations 2 {SMALL}", "--repeats", "1"]
    with pytest.raises(SystemExit) as stop:
        time_to_quality.main([*flags, "--at-least", "0"])
    assert stop.value.code == 1
    assert "not reached" in capsys.readouterr().out


def test_a_score_is_found_among_the_others():
    assert score("elbo", {"step": 1, "validation/elbo": -2.0}) == -2.0
    assert score("elbo", {"step": 1, "train/elbo": -2.0}) is None
    for line in ({"validation/fid": 1.0}, {"validation/elbo": [1.0, 2.0]}):
        with pytest.raises(ValueError, match="--score must be one number"):
            score("elbo", line)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--at-least and --at-most"),
        (["--at-least", "1", "--at-most", "1"], "--at-least and --at-most"),
        (["--at-least", "1", "--repeats", "0"], "--repeats"),
        (["--at-least", "1", "--run", "no_such_experiment"], "experiment's name"),
        (["--at-least", "1", "--run", "vae --seed 3"], "--seed"),
        (["--at-least", "1", "--run", "vae --seeds=3"], "--seeds"),
        (["--at-least", "1", "--run", "vae --hidden 0"], "refused"),
        (["--at-least", "1", "--json", "no/such/file.json"], "--json"),
    ],
)
def test_bad_input_is_told_in_a_line(flags, words, capsys):
    with pytest.raises(SystemExit) as stop:
        time_to_quality.main(flags)
    told = capsys.readouterr().err
    assert stop.value.code == 2 and words in told and told.count("\n") == 1
