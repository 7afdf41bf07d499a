"""The sampler benchmark: its command line, and peers that draw as much as we do."""

import importlib
import json
import math

import jax
import jax.numpy as jnp
import pytest

from benchmarks import samplers
from benchmarks.peers.process import Worker
from benchmarks.subject import load
from jaxgen.step import init

NEEDS = "the peers need: pip install 'jaxgen[peers]'"
DRAWN = ["vae", "gan", "dcgan", "dcgan64", "realnvp", "glow", "spline"]


def refused(arguments, capsys):
    """The one line that a refused command ends with."""
    with pytest.raises(SystemExit) as stop:
        samplers.main(arguments)
    told = capsys.readouterr()
    assert stop.value.code == 2 and told.out == ""
    assert told.err.startswith("error: ") and told.err.count("\n") == 1
    return told.err


def test_a_model_gets_a_line_and_its_numbers_a_file(tmp_path, capsys):
    path = tmp_path / "samplers.json"
    samplers.main(["--model", "gan", "--rounds", "2", "--draws", "3", "--json", str(path)])
    assert "ms a batch of 128" in capsys.readouterr().out
    result = json.loads(path.read_text())["models"]["gan"]
    assert result["matmul_flops"] == 2 * 128 * (16 * 128 + 128 * 128 + 128 * 2)
    for quartiles in result["milliseconds"].values():
        assert 0 < quartiles[0] <= quartiles[1] <= quartiles[2]
    assert result["samples_per_second"] == pytest.approx(128e3 / result["milliseconds"]["many"][1])
    assert result["peers"] == {}


def test_bad_input_is_one_line(tmp_path, capsys):
    assert "unknown model 'gann', did you mean gan" in refused(["--model", "gann"], capsys)
    assert "wgan_gp has no samples of its own" in refused(["--model", "gan,wgan_gp"], capsys)
    assert "--draws must be at least 1, got 0" in refused(["--draws", "0"], capsys)
    pytest.importorskip("torch", reason=NEEDS)
    assert "--kinds must be among" in refused(["--model", "gan", "--peers", "--kinds", "channels_last"], capsys)


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
@pytest.mark.parametrize("name", DRAWN)
def test_peers_draw_batches_of_our_size(name, monkeypatch):
    for library in ("torch", "normflows", "nflows", "zuko", "pythae"):
        pytest.importorskip(library, reason=NEEDS)
    subject = load(name)

    def ours(x, key):
        return subject.draw(init(subject.game, key, {"x": x}), key)

    x = subject.data["x"]
    drawn = jax.eval_shape(ours, jax.ShapeDtypeStruct((4, *x.shape[1:]), x.dtype), jax.random.key(0))
    assert len(drawn) == subject.batch_size and drawn.shape[1:] == x.shape[1:] and drawn.dtype == jnp.float32
    for path in subject.peers.values():
        module = importlib.import_module(path)
        maker = next(one for one in (module, *vars(module).values()) if hasattr(one, "drawing"))
        monkeypatch.setattr(maker, "drawing", lambda network, draw, kind: draw(network.eval()))
        theirs = module.sampler("eager", 1)
        assert theirs.shape[0] == subject.batch_size and theirs.numel() == math.prod(drawn.shape)


@pytest.mark.parametrize("kind", ["eager", pytest.param("compile", marks=pytest.mark.slow)])
def test_a_worker_draws(kind):
    pytest.importorskip("torch", reason=NEEDS)
    with Worker("benchmarks.peers.gan", kind, work="sampler", steps=2, threads=1) as worker:
        assert worker.about["parameters"] == 16 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2
        assert worker.run(2) > 0
