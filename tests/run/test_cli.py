"""Bad input: one line, exit status 2, before any training, and nothing already saved is touched."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.vae import Config, build
from jaxgen.run.cli import figure, main
from tests import brief_vae

SMALL = ["--hidden", "8", "--latent", "2", "--samples", "20", "--samples-chunk", "10"]


def run(*arguments, build=build):
    main("vae", Config, build, arguments=[*SMALL, *map(str, arguments)])


def files(folder):
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "finished"
    run("--out", folder, "--steps", 20, "--evaluations", 2, "--chunk", 5)
    return folder


def refused(capsys, *arguments):
    """Run, expect exit status 2 and a single line on stderr, and return it."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        run(*arguments)
    told = capsys.readouterr().err.strip()
    assert exit.value.code == 2, told
    assert told.startswith("error: ") and "\n" not in told, told
    return told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "digitz"], "digits"),
        (["--data", "npz:/nowhere/to/be/found.npz"], "found.npz"),
        (["--data", "folder:/nowhere/to/be/found"], "/nowhere/to/be/found"),
        (["--batch-size", "0"], "--batch-size must be at least 1 .* got 0"),
        (["--batch-size", "100000"], "at most the .* got 100000"),
        (["--steps", "-5"], "--steps must be at least 1 .* got -5"),
        (["--steps", "many"], "--steps.*many"),
        (["--stpes", "5"], "--stpes.*--steps"),
        (["--network", "transformer"], "transformer.*mlp.*conv"),
        (["--latent", "0"], "--latent"),
        (["--samples", "10", "--samples-chunk", "3"], "divide the 10 samples, got 3"),
        (["--scale", "0"], "--scale must be above 0 and finite"),
        (["--learning-rate", "nan"], "--learning-rate must be finite and not negative"),
        (["--data", "ring", "--network", "conv"], "conv needs images"),
        (["--data", "ring", "--likelihood", "bernoulli"], "bernoulli needs images"),
        (["--learning-rate", "inf"], "--learning-rate must be finite"),
        (["--seed", "99999999999999999999"], "--seed must be at least 0 and below 2147483648"),
        (["--network", "conv", "--channels"], "--channels must name at least one layer"),
        (["--seed", "-1"], "--seed must be at least 0 .* got -1"),
    ],
)
def test_bad_options_are_told_in_one_line_and_leave_no_folder(arguments, message, tmp_path, capsys):
    out = tmp_path / "run"
    told = refused(capsys, "--out", out, *arguments)
    assert re.search(message, told), told
    assert not out.exists()


def test_a_game_that_cannot_start_is_told_in_one_line_and_leaves_the_folder_as_it_was(finished, tmp_path, capsys):
    def build_torn(config):
        def prepare(key, batch):
            raise ValueError("expected batches of another kind")

        return replace(build(config), prepare=prepare)

    stopped = tmp_path / "stopped"
    shutil.copytree(finished, stopped)
    (stopped / "result.json").unlink()
    before = files(stopped)
    for out in (tmp_path / "run", stopped):
        arguments = [*SMALL, "--out", str(out), "--steps", "20", "--evaluations", "2", "--chunk", "5"]
        with pytest.raises(SystemExit) as exit:
            main("vae", Config, build_torn, arguments=arguments)
        assert exit.value.code == 2
        assert capsys.readouterr().err.strip() == "error: expected batches of another kind"
    assert not (tmp_path / "run").exists() and files(stopped) == before


def test_bad_data_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    (tmp_path / "broken.npz").write_bytes(b"not a zip file")
    assert "broken.npz" in refused(capsys, "--out", out, "--data", f"npz:{tmp_path / 'broken.npz'}")
    np.savez(tmp_path / "labels.npz", image=np.zeros((20, 4, 4), np.uint8), label=np.full(20, -3))
    assert "-3" in refused(capsys, "--out", out, "--data", f"npz:{tmp_path / 'labels.npz'}")

    images = tmp_path / "images"
    images.mkdir()
    assert "images" in refused(capsys, "--out", out, "--data", f"folder:{images}")
    Image.new("L", (8, 8)).save(images / "a.png")
    Image.new("L", (8, 8)).save(images / "c.png")
    Image.new("L", (9, 8)).save(images / "b.png")
    assert "b.png" in refused(capsys, "--out", out, "--data", f"folder:{images}")
    (images / "b.png").write_bytes(b"junk")
    assert "b.png" in refused(capsys, "--out", out, "--data", f"folder:{images}")
    assert not out.exists()


@pytest.mark.parametrize("out", ["/dev/null/run", "/proc/run"])
def test_an_unwritable_folder_is_told_before_any_work(out, capsys):
    assert out in refused(capsys, "--out", out)


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    for extra in ([], ["--overwrite"]):
        assert "no config.json" in refused(capsys, "--out", tmp_path, *extra)
    assert files(tmp_path) == {tmp_path / "thesis.tex": b"years of work"}


def test_a_run_of_another_configuration_is_refused_with_the_difference(finished, capsys):
    before = files(finished)
    told = refused(capsys, "--out", finished, "--steps", 20, "--evaluations", 2, "--chunk", 5, "--beta", 4)
    assert "beta: 1.0 there, 4.0 here" in told
    assert files(finished) == before


def test_a_finished_run_is_told_and_not_run_again(finished, capsys):
    before = files(finished)
    run("--out", finished, "--steps", 20, "--evaluations", 2, "--chunk", 5)
    assert "finished already" in capsys.readouterr().out
    assert files(finished) == before


def test_overwrite_starts_anew(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    run("--out", copy, "--steps", 6, "--evaluations", 1, "--chunk", 5, "--overwrite", build=brief_vae.build)
    assert json.loads((copy / "result.json").read_text())["steps"] == 6
    assert [path.name for path in sorted((copy / "checkpoints").iterdir())] == ["6"]


def test_a_run_leaves_what_the_contract_says(finished):
    result = json.loads((finished / "result.json").read_text())
    assert {"negative log-likelihood", "negative ELBO"} <= set(result["scores"])
    assert result["steps"] == 20 and result["seconds"] > 0 and "jax" in result["versions"]
    assert result["scores"]["negative log-likelihood"] <= result["scores"]["negative ELBO"] + 0.2
    config = json.loads((finished / "config.json").read_text())
    assert config["experiment"] == "vae" and config["config"]["hidden"] == [8]
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "train/vae/loss" in row] == [5, 10, 15, 20]
    assert [row["step"] for row in rows if "validation/elbo" in row] == [10, 20]
    names = {path.name for path in (finished / "samples").iterdir()}
    assert {"samples_00000000.png", "samples_00000020.png", "reconstructions_00000010.png"} <= names
    assert {"interpolation.png", "manifold.png", "codes.png"} <= names
    assert "data:image/png;base64" in (finished / "report.html").read_text()
    assert list((finished / "tensorboard").glob("events*"))


# tensorstore's other reads, under way when one fails, end after orbax has closed its loop; a user sees none of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_torn_checkpoint_is_named_and_nothing_is_lost(finished, tmp_path, capsys):
    for damage in (lambda data: data[: len(data) // 2], lambda data: bytes([data[0] ^ 1]) + data[1:]):
        copy = tmp_path / f"torn{damage(b'ab')[0]}"
        shutil.copytree(finished, copy)
        (copy / "result.json").unlink()
        for file in (copy / "checkpoints" / "20" / "state").rglob("d/*"):
            file.write_bytes(damage(file.read_bytes()))
        before = files(copy / "checkpoints")
        told = refused(capsys, "--out", copy, "--steps", 20, "--evaluations", 2, "--chunk", 5)
        assert "checkpoints/20 is torn or damaged" in told
        assert files(copy / "checkpoints") == before
    shutil.rmtree(copy / "checkpoints" / "20")  # what is left is the same, whatever the damage was
    run("--out", copy, "--steps", 20, "--evaluations", 2, "--chunk", 5)
    results = [json.loads((folder / "result.json").read_text())["scores"] for folder in (finished, copy)]
    assert results[0] == results[1]


def test_a_checkpoint_of_another_model_is_refused(finished, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "result.json").unlink()
    config = json.loads((copy / "config.json").read_text())
    config["config"]["hidden"] = [9]
    (copy / "config.json").write_text(json.dumps(config))
    arguments = ["--out", copy, "--steps", 20, "--evaluations", 2, "--chunk", 5, "--hidden", 9]
    told = refused(capsys, *arguments)
    assert "of another model" in told and "float32[8, 64] there" in told and "float32[9, 64] here" in told


def test_a_nan_stops_the_run_with_step_player_and_checkpoint(tmp_path, capsys):
    def poisoned(config):
        experiment = brief_vae.build(config)
        phase = experiment.game.phases[0]

        def loss(params, state, batch, key):
            losses, aux = phase.loss(params, state, batch, key)
            return {"vae": jnp.where(state.step == 12, jnp.nan, losses["vae"])}, aux

        return replace(experiment, game=experiment.game._replace(phases=(phase._replace(loss=loss),)))

    arguments = [*SMALL, "--out", str(tmp_path / "run"), "--steps", "30", "--evaluations", "6", "--chunk", "5"]
    with pytest.raises(SystemExit) as exit:
        main("vae", Config, poisoned, arguments=arguments)
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert exit.value.code == 1
    assert "player 'vae' diverged at step 13: vae/loss is nan (vae/" in told  # and what else was measured there
    assert told.endswith("checkpoints/10")
    assert not (tmp_path / "run" / "result.json").exists()


def poison(step):
    """The VAE whose gradient, not its loss, is NaN at one step."""

    def build_poisoned(config):
        experiment = brief_vae.build(config)
        phase = experiment.game.phases[0]

        def loss(params, state, batch, key):
            losses, aux = phase.loss(params, state, batch, key)
            total = sum(leaf.sum() for leaf in jax.tree.leaves(params))
            steep = jnp.where(state.step == step, 1e38, 0.0) * (1e38 * (total - jax.lax.stop_gradient(total)))
            return {"vae": losses["vae"] + steep}, aux  # zero, with an infinite slope

        return replace(experiment, game=experiment.game._replace(phases=(phase._replace(loss=loss),)))

    return build_poisoned


@pytest.mark.parametrize(("step", "kept"), [(9, 5), (29, 25)])
def test_a_nan_of_the_last_step_before_an_evaluation_is_not_saved(step, kept, tmp_path, capsys):
    arguments = [*SMALL, "--out", str(tmp_path / "run"), "--steps", "30", "--evaluations", "6", "--chunk", "5"]
    with pytest.raises(SystemExit) as exit:
        main("vae", Config, poison(step), arguments=arguments)
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert exit.value.code == 1
    assert f"player 'vae' diverged at step {step + 1}: its network" in told
    assert told.endswith(f"checkpoints/{kept}")
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_step_is_traced_once_a_run(tmp_path):
    traces = []

    def counted(config):
        experiment = brief_vae.build(config)
        phase = experiment.game.phases[0]

        def loss(*arguments):
            traces.append(1)
            return phase.loss(*arguments)

        return replace(experiment, game=experiment.game._replace(phases=(phase._replace(loss=loss),)))

    arguments = [*SMALL, "--out", str(tmp_path / "run"), "--steps", "31", "--evaluations", "3", "--chunk", "4"]
    main("vae", Config, counted, arguments=arguments)
    assert len(traces) == 1


def test_a_start_or_an_overwrite_cut_short_is_taken_up(finished, tmp_path, capsys):
    steps = ["--steps", 6, "--evaluations", 1, "--chunk", 5]
    started = tmp_path / "started"  # killed between making the folder and writing the configuration
    (started / "samples").mkdir(parents=True)
    (started / ".config.json.123.tmp").write_text("{")
    run("--out", started, *steps, build=brief_vae.build)
    assert (started / "result.json").exists()

    cleared = tmp_path / "cleared"  # killed while --overwrite deletes
    shutil.copytree(finished, cleared)
    (cleared / "config.json").unlink()
    assert "no config.json" in refused(capsys, "--out", cleared, *steps)
    run("--out", cleared, *steps, "--overwrite", build=brief_vae.build)
    assert json.loads((cleared / "result.json").read_text())["steps"] == 6


def test_a_folder_in_use_is_refused(tmp_path, capsys):
    import fcntl

    tmp_path.joinpath("samples").mkdir()
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is running" in refused(capsys, "--out", tmp_path)


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit) as exit:
        run("--help")
    told = capsys.readouterr().out
    assert exit.value.code == 0
    assert all(flag in told for flag in ("--data", "--steps", "--batch-size", "--seed", "--out", "--overwrite"))
    assert "importance samples an example" in " ".join(told.split())


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0.00"), (22.314, "22.31"), (-0.05, "-0.05"), (3.14e-5, "3.1e-05"), (-0.00211, "-0.0021")]
)
def test_small_scores_are_told_by_their_first_digits(value, told):
    assert figure(value) == told
