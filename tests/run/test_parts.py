"""Games side by side in one run: each has its own best checkpoint, one that diverges is told and leaves others be.

Every network here is a number that counts the steps it was trained for, so that its score tells its checkpoint.
"""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.data import load
from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.games.side_by_side import own, side_by_side
from jaxgen.run.cli import main
from jaxgen.run.divergence import fallen
from jaxgen.run.experiment import Common, Experiment, Result
from jaxgen.run.seeds import spread
from jaxgen.run.start import started
from jaxgen.step import STEPS

SEEDS = 4
FLAGS = ["--steps=12", "--evaluations=3", "--chunk=4", "--batch-size=8", "--no-compilation-cache"]
BEST = {"early": 4, "late": 8, "wild": 4}  # the step of the best score of each


def unlucky(key):
    """Say whether the wild game of a seed diverges, after 5 steps; key: a state's."""
    return jax.random.bernoulli(jax.random.fold_in(key, 1))


def counter(wild=False):
    """Return a game whose network counts its steps, until it diverges where it is wild."""

    def loss(params, state, batch, key):
        value = -params["network"]["count"]
        if wild:
            value = value * jnp.where((state.step >= 5) & unlucky(state.key), jnp.nan, 1.0)
        return {"player": value}, Aux({}, {})

    return Game(
        init=lambda key, batch: ({"network": {"count": jnp.zeros(())}}, {}),
        players={"player": Player(("network",), optax.sgd(1.0))},
        phases=(Phase(("player",), loss),),
    )


def build(config, parts=tuple(BEST)):
    """Return the experiment of these games; a score is the steps from the best."""

    def finish(state, progress):
        gone = fallen(parts, state.params)
        counts = {part: own(part, state.params)["network"]["count"] for part in parts}
        assert all(np.isnan(counts[part]) for part in gone)
        return Result({f"steps, {part}": np.nan if part in gone else float(counts[part]) for part in parts}, "")

    return Experiment(
        game=side_by_side({part: counter(part == "wild") for part in parts}),
        data=load("ring"),
        prepare=lambda key, batch: {"x": batch["x"]},
        evaluate=lambda state: {f"{part}/missed": abs(int(state.step) - BEST[part]) for part in parts},
        pictures=lambda state: {},
        finish=finish,
        watch="missed",
        watch_mode="min",
        parts=parts,
    )


def told(out):
    """Return the result without its time, and the metrics without theirs."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    rows = [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]
    result = json.loads((out / "result.json").read_text())
    return {name: result[name] for name in ("scores", "best_step")}, rows


@pytest.fixture(scope="module")
def lost():
    """The seeds whose wild game diverges."""
    found = [seed for seed in range(SEEDS) if unlucky(jax.random.fold_in(jax.random.key(seed), STEPS))]
    assert 0 < len(found) < SEEDS
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    main("x", Common, build, arguments=[*FLAGS, f"--seeds={SEEDS}", f"--out={out}"])
    return out


def test_each_part_of_each_seed_is_scored_from_its_own_best_step_and_what_diverged_is_nan(whole, lost):
    result, rows = told(whole)
    steps = [np.nan if seed in lost else 4.0 for seed in range(SEEDS)]
    np.testing.assert_equal(
        {name: score["seeds"] for name, score in result["scores"].items()},
        {"steps, early": [4.0] * SEEDS, "steps, late": [8.0] * SEEDS, "steps, wild": steps},
    )
    assert result["scores"]["steps, wild"]["mean"] == 4 and result["scores"]["steps, wild"]["std"] == 0
    at = [12 if seed in lost else 4 for seed in range(SEEDS)]
    assert result["best_step"] == {"early": [4] * SEEDS, "late": [8] * SEEDS, "wild": at}
    notes = [row["note"] for row in rows if "note" in row]
    assert notes == [f"wild with seed {seed} has diverged by step 8, the others go on" for seed in lost]


def test_the_report_and_the_last_lines_tell_how_many_seeds_count(whole, lost, capsys):
    count = f"{SEEDS - len(lost)} of {SEEDS} seeds"
    assert f"{count} count: " in (whole / "report.html").read_text()
    main("x", Common, build, arguments=[*FLAGS, f"--seeds={SEEDS}", f"--out={whole}"])
    assert f"steps, wild: 4.00 +- 0.00 over {count}" in capsys.readouterr().out


def test_killed_after_a_part_diverged_it_ends_where_it_would_have(whole, tmp_path):
    def dying(config):
        def evaluate(state):
            if state.step == 12:
                raise InterruptedError
            return build(config).evaluate(state)

        return replace(build(config), evaluate=evaluate)

    arguments = [*FLAGS, f"--seeds={SEEDS}", f"--out={tmp_path / 'run'}"]
    with pytest.raises(InterruptedError):
        main("x", Common, dying, arguments=arguments)
    while list(
        (tmp_path / "run" / "checkpoints").rglob("*tmp*")
    ):  # a killed process writes nothing more; this one does
        time.sleep(0.05)
    main("x", Common, build, arguments=arguments)
    np.testing.assert_equal(told(tmp_path / "run"), told(whole))


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_run_ends_where_no_part_is_left(seeds, lost, tmp_path, capsys):
    assert lost[:2] == [0, 1]
    with pytest.raises(SystemExit) as stop:
        main(
            "x",
            Common,
            lambda config: build(config, ("wild",)),
            arguments=[*FLAGS, f"--seeds={seeds}", f"--out={tmp_path / 'run'}"],
        )
    assert stop.value.code == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: every one of wild diverged at step 8 or before; the last good checkpoint is")
    assert not (tmp_path / "run" / "result.json").exists()


def test_one_seed_tells_its_steps_by_part(lost, tmp_path):
    main("x", Common, build, arguments=[*FLAGS, f"--seed={lost[0]}", f"--out={tmp_path / 'run'}"])
    result, rows = told(tmp_path / "run")
    assert result["best_step"] == {"early": 4, "late": 8, "wild": 12}
    np.testing.assert_equal(result["scores"], {"steps, early": 4.0, "steps, late": 8.0, "steps, wild": np.nan})
    assert [row["note"] for row in rows if "note" in row] == ["wild has diverged by step 8, the others go on"]


def test_no_run_starts_from_several_games(whole):
    with pytest.raises(ValueError, match=r"needs a run of one game, .* has early, late, wild"):
        started(counter(), SimpleNamespace(start_from=whole))


def test_what_is_nan_is_in_no_mean():
    np.testing.assert_equal(
        spread(np.array([1.0, np.nan, 3.0])), {"mean": 2.0, "std": np.sqrt(2), "seeds": [1.0, np.nan, 3.0]}
    )
    np.testing.assert_equal(spread(np.array([np.nan])), {"mean": np.nan, "std": 0.0, "seeds": [np.nan]})
