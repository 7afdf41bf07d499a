"""The networks before training are drawn too, though training has begun by then."""

from dataclasses import replace

import numpy as np
import pytest

from jaxgen.games.side_by_side import own
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common
from tests.run import test_parts


@pytest.mark.parametrize("flags", [["--steps=12"], ["--steps=3"], ["--steps=12", "--seeds=2"]], ids=" ".join)
def test_the_start_is_drawn_once_the_first_steps_are_told_and_before_anything_is_saved(flags, tmp_path):
    seen, out = [], tmp_path / "run"

    def build(config):
        def pictures(state):
            told = "train/" in (out / "metrics.jsonl").read_text()
            saved = any((out / "checkpoints").glob("[0-9]*"))
            seen.append((int(state.step), float(own("early", state.params)["network"]["count"]), told, saved))
            return {"grey": np.zeros((4, 4, 1), np.uint8)}

        return replace(test_parts.build(config, ("early", "late")), pictures=pictures)

    main("x", Common, build, arguments=[*test_parts.FLAGS, *flags, f"--out={out}"])
    assert seen[0] == (0, 0.0, True, False)
    assert [step for step, *_ in seen].count(0) == 1 and (out / "samples" / "grey_00000000.png").exists()
