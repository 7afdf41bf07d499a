"""Law 4: a run killed at any moment ends, after the same command again, bitwise where it would have ended."""

import json
import os
import signal
import subprocess
import sys
import time

import jax
import pytest

from experiments import gan, realnvp
from jaxgen.run.checkpoint import Checkpoints
from jaxgen.step import init, make_step
from tests.test_step import assert_same

OPTIONS = {"steps": 240, "evaluations": 8, "chunk": 10, "hidden": 32, "latent": 4, "samples": 100, "batch-size": 64}


def start(out):
    command = [
        sys.executable,
        "-m",
        "experiments.vae",
        *(f"--{name}={value}" for name, value in OPTIONS.items()),
        f"--out={out}",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def finish(out):
    process = start(out)
    told = process.communicate()
    assert process.returncode == 0, told


def wait_for(path, process):
    while not list(path.parent.glob(path.name)) and process.poll() is None:
        time.sleep(0.005)
    assert process.poll() is None, f"the run ended before {path.name} appeared: {process.communicate()}"


def remains(out):
    """All that must be equal: metrics without times, scores, every picture, and the digests of the checkpoints."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    rows = [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]
    result = json.loads((out / "result.json").read_text())
    pictures = {path.name: path.read_bytes() for path in sorted((out / "samples").iterdir())}
    about = {path.parent.parent.name: path.read_bytes() for path in sorted(out.glob("checkpoints/*/about/metadata"))}
    assert len(about) >= 2
    return rows, result["scores"], result["best_step"], pictures, about


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(out)
    return remains(out)


def test_killed_thrice_it_ends_bitwise_where_the_uninterrupted_run_ends(whole, tmp_path):
    out = tmp_path / "run"
    # While the first checkpoint is being written; between checkpoints; while the scores are being made.
    for moment in ("checkpoints/30*", "samples/samples_00000150.png", "checkpoints/240*"):
        process = start(out)
        wait_for(out / moment, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (out / "result.json").exists()
    finish(out)
    for killed, straight in zip(remains(out), whole, strict=True):
        assert killed == straight


@pytest.mark.slow
def test_interrupted_by_the_user_it_saves_and_goes_on(whole, tmp_path):
    out = tmp_path / "run"
    process = start(out)
    wait_for(out / "samples/samples_00000060.png", process)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130, told
    assert "the same command goes on" in told
    finish(out)
    for stopped, straight in zip(remains(out)[:4], whole[:4], strict=True):
        assert stopped == straight


def assert_goes_on(game, batches, folder, saved):
    """Play all batches, save after five, and play the others from what was saved too. saved: says what state it is."""
    state, step = init(game, jax.random.key(0), batches[0]), jax.jit(make_step(game))
    like = jax.eval_shape(lambda: state)
    for batch in batches[:5]:
        state = step(state, batch)[0]
    assert saved(state)

    manager = Checkpoints(folder, mode="min")
    manager.save(5, state, {"step": 5}, None)
    manager.close()
    again = Checkpoints(folder, mode="min").restore(5, like)
    for batch in batches[5:]:
        state, again = step(state, batch)[0], step(again, batch)[0]
    assert_same(again, state)


def test_a_pool_of_replayed_examples_goes_on_bitwise_from_its_checkpoint(tmp_path):
    """With the discriminator's spectral vectors and the generator's average; a killed run of it is a slow test."""
    narrow = {"generator_hidden": (8,), "discriminator_hidden": (8,), "latent": 2}
    experiment = gan.build(gan.Config(replay=20, discriminator_norm="spectral", ema=2000, **narrow))
    x = experiment.data.train["x"]
    batches = [experiment.prepare(None, {"x": x[first : first + 8]}) for first in range(0, 72, 8)]
    # more than it holds
    assert_goes_on(experiment.game, batches, tmp_path, lambda state: state.extra["replay"]["seen"] == 40)


def test_a_flow_that_started_from_data_goes_on_bitwise_from_its_checkpoint(tmp_path):
    experiment = realnvp.build(realnvp.Config(layers=2, hidden=(8,), ema=0.9))
    rows = experiment.data.train["x"]
    batches = [
        experiment.prepare(jax.random.key(first), {"x": rows[first : first + 8] + first}) for first in range(0, 72, 8)
    ]

    def started(state):  # at the first batch: the fifth, 32 further on, would have left other places
        places = [leaf for path, leaf in jax.tree.leaves_with_path(state.params) if "location" in str(path)]
        return places and all(abs(leaf).max() < 16 for leaf in places)

    assert_goes_on(experiment.game, batches, tmp_path, started)
