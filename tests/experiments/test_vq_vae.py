import json

import jax
import numpy as np
import pytest

from experiments.common.view import view
from experiments.vq_vae import Config, build, patch_error
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.step import init, make_step

pytestmark = pytest.mark.slow  # compilation of whole experiments

KEY = jax.random.key(0)

SMALL = ["--steps=2", "--evaluations=1", "--chunk=2", "--channels", "4", "4", "--blocks=0", "--codes=8"]
BOUND = "negative log-likelihood bound, {} codes"


def run(out, *flags):
    main("vq_vae", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    return json.loads((out / "result.json").read_text())


@pytest.mark.parametrize(
    ("flags", "codes", "places"),
    [
        (["--codebook=loss", "--likelihood=logistic", "--activation=tanh", "--blocks=1"], 8, 4),
        (["--likelihood=gaussian", "--scale=0.2", "--restart=0"], 8, 4),
        (["--data=faces", "--precision=bfloat16", "--codes=50", "--batch-size=1"], 50, 49),  # more codes than vectors
    ],
)
def test_its_variants_run_to_their_reports(flags, codes, places, tmp_path):
    result = run(tmp_path / "run", *flags)
    scores = result["scores"]
    assert np.isfinite(list(scores.values())).all()
    assert 1 <= scores["perplexity"] <= codes + 0.001
    assert f"{places} an image, of {codes}, at most" in result["protocol"]
    uniform = scores[BOUND.format("uniform")] - scores["reconstruction"]
    np.testing.assert_allclose(uniform, places * np.log(codes), rtol=1e-3)
    assert scores[BOUND.format("independent")] > scores["reconstruction"]


def test_seeds_are_trained_side_by_side_over_devices(tmp_path):
    scores = run(tmp_path / "run", "--seeds=2", "--devices=2", "--parallel=pmap")["scores"]
    assert len(scores["perplexity"]["seeds"]) == 2


def test_options_can_be_swept():
    experiment = build(Config(channels=(2,), blocks=0, codes=8))
    batch = {"image": experiment.data.train["image"][:4], "index": np.arange(4)}

    @jax.jit
    def loss(commitment, decay, restart):
        game = experiment.variant({"commitment": commitment, "decay": decay, "restart": restart})
        state = init(game, KEY, experiment.prepare(KEY, batch))
        return make_step(game, prepare=experiment.prepare)(state, batch)[1]["vq_vae/loss"]

    assert loss(1.0, 0.9, 0.1) > loss(0.1, 0.9, 0.1)


def test_a_code_book_larger_than_its_vectors_warns(capsys):
    build(Config(data="faces", codes=9000, batch_size=10))
    told = capsys.readouterr().err
    assert "--codes 9000 is more than the 490 vectors of a batch" in told
    assert "--codes 9000 is more than the 3920 vectors of the training set" in told
    build(Config(codes=9))
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--codes=1"], "--codes must be at least 2, got 1"),
        (["--decay=1"], "--decay must be in [0, 1), got 1.0"),
        (["--restart=-0.1"], "--restart must be in [0, 1), got -0.1"),
        (["--dimension=0"], "--dimension must be at least 1, got 0"),
        (["--channels"], "--channels must name at least one layer"),
        (["--commitment=-1"], "--commitment must be finite and not negative, got -1.0"),
        (["--scale=0"], "--scale must be above 0"),
        (["--scale=0.1"], "--scale is of gaussian and logistic outputs, got 0.1"),
        (["--data=ring"], "vq_vae needs images, ring has vectors of shape"),
    ],
)
def test_bad_input_is_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main("vq_vae", Config, build, arguments=[f"--out={tmp_path / 'run'}", *flags])
    assert stop.value.code == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told


def test_the_baseline_of_enough_codes_is_exact():
    config = Config(channels=(4,), codes=16, binarise="threshold")  # 2 x 2 binary patches: sixteen of them
    assert patch_error(config, view(open_data(config), None, config.binarise)) == 0.0
