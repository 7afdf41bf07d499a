"""The same run under every wrapper, through the command line."""

import json
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import sweep, vae
from jaxgen.run.cli import main
from jaxgen.step import init
from tests import brief_vae

SMALL = "--steps=10 --evaluations=1 --chunk=4 --hidden=16 --latent=2 --samples=20 --samples-chunk=10 --batch-size=64"


def run(out, *flags, build=vae.build):
    """Return the losses that were logged, and what result.json says."""
    main("vae", vae.Config, build, arguments=[*SMALL.split(), f"--out={out}", *flags])
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = np.array([row["train/vae/loss"] for row in rows if "train/vae/loss" in row])
    return losses, json.loads((out / "result.json").read_text())


def refused(capsys, call, message):
    """Call, and expect exit status 2 and one line on stderr that matches."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        call()
    told = capsys.readouterr().err.strip()
    assert exit.value.code == 2 and "\n" not in told, told
    assert re.search(message, told), told


def saved(out):
    """Return where a run's checkpoints stand in the data, and the digests of their states."""
    return {path.parent.parent.name: path.read_bytes() for path in out.glob("checkpoints/*/about/metadata")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alone") / "run"


@pytest.fixture(scope="module")
def alone(folder):
    return run(folder)


def test_each_seed_gives_what_it_gives_alone(tmp_path, alone):
    losses, result = run(tmp_path / "many", "--seeds=2")
    score = result["scores"]["negative log-likelihood"]
    assert losses.shape == (3, 2) and len(score["seeds"]) == 2
    np.testing.assert_allclose(score["mean"], np.mean(score["seeds"]))
    np.testing.assert_allclose(score["std"], np.std(score["seeds"], ddof=1))
    np.testing.assert_allclose(losses[:, 0], alone[0], rtol=1e-5)
    other, _ = run(tmp_path / "other", "--seed=1", build=brief_vae.build)
    np.testing.assert_allclose(losses[:, 1], other, rtol=1e-5)
    assert abs(losses[:, 1] - alone[0]).max() > 1e-2


def test_streamed_data_give_the_same_bits(tmp_path, folder, alone):
    losses, _ = run(tmp_path / "run", "--data-on=host", build=brief_vae.build)
    np.testing.assert_array_equal(losses, alone[0])
    assert saved(tmp_path / "run") == saved(folder) != {}


@pytest.mark.slow
def test_streamed_seeds_give_the_same_bits(tmp_path):
    resident, _ = run(tmp_path / "device", "--seeds=2")
    streamed, _ = run(tmp_path / "host", "--seeds=2", "--data-on=host")
    np.testing.assert_array_equal(resident, streamed)


@pytest.mark.parametrize("seeds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_eight_devices_give_what_one_gives(tmp_path, alone, seeds):
    losses, result = run(tmp_path / "run", "--devices=8", f"--seeds={seeds}")
    np.testing.assert_allclose(losses if seeds == 1 else losses[:, 0], alone[0], rtol=1e-5)
    if seeds == 1:
        assert result["scores"] == pytest.approx(alone[1]["scores"], rel=1e-4)


@pytest.mark.slow
def test_pmap_trains_as_well_with_noise_of_its_own(tmp_path, alone):
    losses, _ = run(tmp_path / "run", "--devices=4", "--parallel=pmap")
    np.testing.assert_allclose(losses, alone[0], rtol=0.02)
    assert (losses != alone[0]).any()


@pytest.mark.slow
def test_accumulation_trains_as_the_large_batch_up_to_noise(tmp_path, alone):
    losses, _ = run(tmp_path / "run", "--accumulate=4")
    np.testing.assert_allclose(losses, alone[0], rtol=0.02)


@pytest.mark.slow
def test_bfloat16_computes_in_it_and_keeps_float32(tmp_path, alone):
    losses, _ = run(tmp_path / "run", "--precision=bfloat16")
    np.testing.assert_allclose(losses, alone[0], rtol=5e-3)
    assert (losses != alone[0]).all()
    experiment = vae.build(vae.Config(precision="bfloat16", hidden=(4,)))
    batch = {"image": jnp.asarray(experiment.data.train["image"][:4]), "index": jnp.arange(4)}
    key = jax.random.key(0)
    state = init(experiment.game, key, experiment.prepare(key, batch))
    assert {leaf.dtype for leaf in jax.tree.leaves((state.params, state.opt_state))} <= {
        jnp.dtype("float32"),
        jnp.dtype("int32"),
    }
    text = str(jax.make_jaxpr(experiment.game.phases[0].loss)(state.params, state, experiment.prepare(key, batch), key))
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert products and all("bf16[" in line.split("=")[0] for line in products)
    assert [line for line in text.splitlines() if "reduce_sum" in line and "bf16[" in line.split("=")[0]] == []


@pytest.mark.slow
def test_float64_computes_and_keeps_float64(tmp_path, alone):
    # In a process of its own: the precision holds for the whole process.
    command = [
        sys.executable,
        "-m",
        "experiments.vae",
        *SMALL.split(),
        "--precision=float64",
        f"--out={tmp_path / 'run'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["baselines"] == pytest.approx(alone[1]["baselines"])  # the frozen draw is of the same bits
    about = next((tmp_path / "run" / "checkpoints").rglob("about/metadata")).read_text()
    assert "float64[16, 64]" in about and "float32[" not in about


def test_a_cpu_is_shown_as_the_devices_asked_for():
    # In a fresh process: no experiment may start JAX by being imported, or the flag would come too late.
    program = """
import importlib, pkgutil, experiments, jax
from jaxgen.parallel import ask_for_devices
for module in pkgutil.iter_modules(experiments.__path__):
    importlib.import_module(f"experiments.{module.name}")
ask_for_devices(1)
ask_for_devices(3)
assert jax.device_count() == 3, jax.devices()
ask_for_devices(4)  # too late, and no error: who asks for four is told of three
assert jax.device_count() == 3, jax.devices()
"""
    own = {name: value for name, value in os.environ.items() if name != "JAX_NUM_CPU_DEVICES"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr


def test_hundreds_of_programs_for_two_devices_of_a_cpu_come_to_an_end():
    # Without the wait they are queued behind each other, and stand still for ever.
    program = """
import jax
from jaxgen.data.order import Batches
from jaxgen.parallel import ask_for_devices, compile_steps, wait_where_needed
from jaxgen.step import init
from tests import toy_gan
ask_for_devices(2)
game, data = toy_gan.alternating(), toy_gan.batch(jax.random.key(1), 60)
rows = Batches(jax.random.key(0), 60, 20).indices(0, 1)
compiled = compile_steps(game, devices=2, how="pmap")
state, data, rows = compiled.place((init(game, jax.random.key(0), data), data, rows))
for _ in range(3000):
    wait_where_needed(state)
    state, _ = compiled.run(state, data, rows, rows, 1)
assert int(state.step) == 3000
"""
    own = {name: value for name, value in os.environ.items() if name != "JAX_NUM_CPU_DEVICES"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=own, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_number_of_devices_that_the_user_set_stays():
    program = """
import jax
from jaxgen.parallel import ask_for_devices
ask_for_devices(3)
assert jax.device_count() == 2, jax.devices()
"""
    own = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_profile_is_written(tmp_path):
    run(tmp_path / "run", "--profile")
    assert list((tmp_path / "run" / "profile").rglob("*.pb")) or list((tmp_path / "run" / "profile").rglob("*.gz"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--devices=9"], "from 1 to the 8 there are, got 9"),
        (["--devices=8", "--batch-size=60"], "--batch-size must divide by 8 .* got 60"),
        (["--accumulate=3"], "--batch-size must divide by 3 .* got 64"),
        (["--precision=float8"], "float8.*float32.*bfloat16"),
        (["--seeds=0"], "--seeds must be at least 1 .* got 0"),
        (["--parallel=rank"], "rank.*jit.*pmap"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(tmp_path, capsys, flags, message):
    refused(capsys, lambda: run(tmp_path / "run", *flags), message)
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_number_of_seeds_is_refused(folder, alone, capsys):
    refused(capsys, lambda: run(folder, "--seeds=2"), "seeds: 1 there, 2 here")


def swept(out, *flags):
    small = ["--steps=10", "--evaluations=1", "--chunk=4", "--batch-size=64"]
    options = "--options=--hidden 16 --latent 2 --samples 20 --samples-chunk 10"
    main("sweep", sweep.Config, sweep.build, arguments=[*small, options, f"--out={out}", *flags])


@pytest.mark.slow
def test_a_sweep_gives_each_value_what_it_gives_alone(tmp_path):
    swept(tmp_path / "sweep", "--values", "1e-3", "1e-2", "--seeds=2")
    scores = json.loads((tmp_path / "sweep" / "result.json").read_text())["scores"]
    _, result = run(tmp_path / "alone", "--learning-rate=1e-2", "--seed=1")
    both = scores["negative ELBO, learning_rate 0.01"]["seeds"]
    np.testing.assert_allclose(both[1], result["scores"]["negative ELBO"], rtol=1e-4)
    assert (tmp_path / "sweep" / "samples" / "negative_ELBO.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--over=network"], "--over must be a scalar option of vae .*learning_rate.* got 'network'"),
        (["--over=latent"], "got 'latent'"),
        (["--values", "-1"], "--learning-rate must be finite and not negative"),
        (["--experiment=vea"], "vae"),
    ],
)
def test_a_sweep_over_what_is_no_scalar_is_refused(tmp_path, capsys, flags, message):
    refused(capsys, lambda: swept(tmp_path / "run", *flags), message)
