"""What a run tells, and what telling it must not cost."""

import os
import subprocess
import sys
from pathlib import Path


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
