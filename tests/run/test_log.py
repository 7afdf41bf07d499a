"""What a run tells, and what telling it must not cost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from jaxgen.run.experiment import Common
from jaxgen.run.folder import RunFolder, read_metrics
from jaxgen.run.log import Log


def test_curves_are_written_without_importing_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    code = """
import sys
from jaxgen.run.log import _summary_writer
with _summary_writer()(sys.argv[1]) as board:
    board.add_scalar("loss", 1.0, 1)
assert "torch" not in sys.modules
try:
    import torch
except RuntimeError:
    print("torch is found as before")
"""
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "board")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.stdout.strip() == "torch is found as before", done.stderr
    assert list((tmp_path / "board").glob("events*"))


def test_what_is_not_finite_is_a_gap_in_the_curves_without_a_word(tmp_path, caplog):
    folder = RunFolder(tmp_path / "run")
    folder.open("x", Common(), overwrite=False)
    with Log(folder, steps=1, first=0) as log:
        log.scores(1, {"nan": np.nan, "infinite": np.array([1.0, np.inf]), "number": 2.0})
    folder.release()
    assert next(read_metrics(folder.metrics))["number"] == 2.0
    assert not caplog.records
