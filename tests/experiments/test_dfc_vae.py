"""The deep feature consistent VAE from the command line to the report, and what is refused."""

import json
import re

import numpy as np
import pytest

from experiments.dfc_vae import ARMS, UNITS, Config, build, title
from jaxgen.models import vgg
from jaxgen.run import features
from jaxgen.run.cli import main
from tests.models.test_vgg import WIDTH, saved, weights

pytestmark = pytest.mark.slow  # compilation of whole experiments

SMALL = ["--steps=2", "--evaluations=1", "--chunk=2", "--channels=4", "--latent=3"]


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(features, "LEAST_STEPS", 3)
    monkeypatch.setattr(features, "EPOCHS", 0)
    monkeypatch.setattr(features, "CHANNELS", (2, 3, 4))
    monkeypatch.setattr(features, "WIDTH", 5)


@pytest.fixture
def file(monkeypatch, tmp_path):
    monkeypatch.setattr(vgg.vgg_features, "__kwdefaults__", {"width": WIDTH})
    return saved(tmp_path, weights())


def run(out, *flags):
    main("dfc_vae", Config, build, arguments=[*SMALL, f"--out={out}", *flags])
    assert (out / "report.html").exists()
    result = json.loads((out / "result.json").read_text())
    for name in ("reconstructions", "samples"):
        assert list((out / "samples").glob(f"{name}_*.png"))
    return result


@pytest.mark.parametrize(
    "flags",
    [
        ["--seeds=2", "--activation=silu", "--feature-weight=1", "--pixel-weight=1"],
        ["--layers", "stage2", "dense", "--over=sum", "--precision=bfloat16", "--devices=2"],
    ],
)
def test_its_variants_run_to_their_reports(flags, tmp_path):
    result = run(tmp_path / "run", *flags)
    assert set(result["scores"]) == {title(name, arm) for name in UNITS for arm in ARMS}
    assert set(result["baselines"]) == {title(name, "feature") for name in UNITS}


def test_features_of_a_file_need_no_labels(file, tmp_path):
    result = run(tmp_path / "run", "--data=faces", f"--features={file}")
    assert not [name for name in result["scores"] if name.startswith("classified")]
    assert np.isfinite(list(result["scores"].values())).all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data=faces"], "--features must name a file for data without labels to learn features by, as faces"),
        (["--data=ring"], "--data must be images, ring is real-valued"),
        (["--layers=relu1_1"], "--layers must be of stage1 stage2 stage3 dense without --features, got relu1_1"),
        (["--layers"], "--layers must name at least one"),
        (["--features=none.npz"], "expected a file, got nothing"),
        (["--feature-weight=0"], "--feature-weight must be above 0"),
        (["--channels"], "--channels must name at least one layer"),
        (["--latent=0"], "--latent must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", *flags)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error), error


def test_layers_too_deep_for_the_images_are_refused(file, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path / "run", f"--features={file}", "--layers=relu5_1")
    assert "halved this often" in capsys.readouterr().err
