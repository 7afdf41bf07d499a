"""The sampler benchmark: its command line, and peers that draw as much as we do."""

import importlib
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import benchmarks.measure
from benchmarks import samplers
from benchmarks.peers.process import Worker
from benchmarks.subject import load
from jaxgen.step import init
from tests.benchmarks.test_steps import refused

NEEDS = "the peers need: pip install 'jaxgen[peers]'"
DRAWN = ["vae", "gan", "dcgan", "dcgan64", "realnvp", "glow", "spline"]


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
    assert "unknown model 'gann', did you mean gan" in refused(samplers, ["--model", "gann"], capsys)
    assert "wgan_gp has no samples of its own" in refused(samplers, ["--model", "gan,wgan_gp"], capsys)
    assert "--draws must be at least 1, got 0" in refused(samplers, ["--draws", "0"], capsys)
    assert "--kinds: fused is of optimisers" in refused(samplers, ["--kinds", "eager,fused"], capsys)
    pytest.importorskip("torch", reason=NEEDS)
    assert "--kinds must be among" in refused(
        samplers, ["--model", "gan", "--peers", "--kinds", "channels_last"], capsys
    )


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


class Clocked:
    """A worker that takes as long as it is told, a millisecond more a batch each turn."""

    def __init__(self, module, kind, **told):
        assert told["work"] == "sampler" and told["steps"] == 5
        self.name, self.about, self.versions, self.turns = f"{told['library']} {kind}", {}, {}, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, draws):
        self.turns += 1
        return 1e-3 * self.turns * draws


def test_peers_are_measured_against_both_ways(monkeypatch):
    monkeypatch.setattr(benchmarks.measure, "Worker", Clocked)
    monkeypatch.setattr(samplers.Drawing, "single", lambda self: 0.5e-3 * len(self.keys))
    monkeypatch.setattr(samplers.Drawing, "many", lambda self: 0.25e-3 * len(self.keys))
    result = samplers.measure(load("gan"), rounds=3, draws=5, peers=[("torch", "eager")])
    assert result["milliseconds"] == {"single": [0.5] * 3, "many": [0.25] * 3}
    peer = result["peers"]["torch eager"]
    np.testing.assert_allclose(peer["milliseconds"], [1.5, 2, 2.5])
    np.testing.assert_allclose(peer["ratio"], [3, 4, 5])
    np.testing.assert_allclose(peer["ratio_many"], [6, 8, 10])


def test_every_batch_is_drawn_and_of_noise_of_its_own():
    drawing = samplers.Drawing(load("gan"), 3)
    seen = []
    drawing._single = lambda state, key: seen.append(jax.random.key_data(key).tolist())
    assert drawing.single() > 0 and len({tuple(key) for key in seen}) == 3
    assert not drawing.state.opt_state
    assert drawing._many(drawing.state, drawing.keys).shape == (3, 128, 2)


def test_a_peer_draws_in_the_mode_for_use():
    torch = pytest.importorskip("torch", reason=NEEDS)
    from benchmarks.peers.torch_ways import drawing

    class Network(torch.nn.Linear):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled()))
            return super().forward(x)

    seen = []
    peer = drawing(Network(2, 3), lambda network: network(torch.ones(4, 2)), "eager")
    peer.run(5)
    assert seen == [(False, False)] * 5 and peer.parameters == 9


def test_equal_weights_and_noise_are_equal_images_of_the_vae(monkeypatch):
    torch = pytest.importorskip("torch", reason=NEEDS)
    from benchmarks.peers import vae

    subject, network = load("vae"), vae.Network()
    state = init(subject.game, jax.random.key(0), {"x": jnp.asarray(subject.data["x"][:2])})
    decoder = state.params["decoder"]["params"]
    with torch.no_grad():
        for module, layer in [
            (network.decoder_hidden, decoder["trunk"]["Dense_0"]),
            (network.decoder_out, decoder["Dense_0"]),
        ]:
            module.weight.copy_(torch.from_numpy(np.array(layer["kernel"]).T))
            module.bias.copy_(torch.from_numpy(np.array(layer["bias"])))
        z = np.random.default_rng(0).standard_normal((subject.batch_size, 20)).astype(np.float32)
        monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.asarray(z))
        ours = subject.draw(state, jax.random.key(1)).reshape(len(z), -1)
        np.testing.assert_allclose(ours, network.generate(torch.from_numpy(z)).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["eager", pytest.param("compile", marks=pytest.mark.slow)])
def test_a_worker_draws(kind):
    pytest.importorskip("torch", reason=NEEDS)
    with Worker("benchmarks.peers.gan", kind, work="sampler", steps=2, threads=1) as worker:
        assert worker.about["parameters"] == 16 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2
        assert worker.run(2) > 0
