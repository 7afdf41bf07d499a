"""Seconds to the first step: what is measured, and what is refused."""

import json

import pytest

from benchmarks import first_step

STEPS = """
import sys, time
time.sleep(0.3)
folder = sys.argv[sys.argv.index("--out") + 1]
with open(folder + "/metrics.jsonl", "w") as file:
    file.write('{"step": 1}' + chr(10))
time.sleep(60)
"""


@pytest.fixture
def experiments(tmp_path, monkeypatch):
    """A folder of two experiments, one that makes a step after 0.3 seconds, and one that ends without."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").touch()
    (tmp_path / "experiments" / "quick.py").write_text(STEPS)
    (tmp_path / "experiments" / "refused.py").write_text("import sys; sys.exit(2)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_run_is_timed_to_its_first_step_and_ended(experiments, capsys):
    first_step.main(["--json", "found.json"])
    found = json.loads((experiments / "found.json").read_text())["seconds"]
    assert found["refused"] == {"cold": None, "warm": None}
    assert all(0.3 < found["quick"][kind] < 30 for kind in ("cold", "warm"))
    assert capsys.readouterr().out.count("none") == 2


def test_cold_and_warm_share_a_cache_that_is_new(experiments):
    see = "import os; print(len(os.listdir(os.environ['JAXGEN_CACHE'])), file=open('seen', 'a'))"
    keep = "open(os.environ['JAXGEN_CACHE'] + '/kept', 'w').close()"
    (experiments / "experiments" / "quick.py").write_text(f"{see}\n{keep}\n{STEPS}")
    first_step.main(["--experiments", "quick", "--repeats", "2"])
    assert (experiments / "seen").read_text().split() == ["0", "1", "0", "1"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--experiments", "no_such"], "--experiments must be among quick, refused, got no_such"),
        (["--repeats", "0"], "--repeats"),
        (["--json", "no/such/file.json"], "--json"),
    ],
)
def test_bad_input_is_told_in_a_line(experiments, flags, words, capsys):
    with pytest.raises(SystemExit) as stop:
        first_step.main(flags)
    told = capsys.readouterr().err
    assert stop.value.code == 2 and words in told and told.count("\n") == 1
