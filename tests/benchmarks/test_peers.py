"""A peer is fair where it does the same work: same size, same loss, same step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks.peers.process import Worker
from benchmarks.pixels import binary_images
from benchmarks.subjects import vae as ours
from jaxgen.step import init, make_step

torch = pytest.importorskip("torch", reason="the peers need torch: pip install 'jaxgen[peers]'")
theirs = pytest.importorskip("benchmarks.peers.vae")

LAYERS = {
    "encoder_hidden": ("encoder", "trunk", "Dense_0"),
    "encoder_out": ("encoder", "Dense_0"),
    "decoder_hidden": ("decoder", "trunk", "Dense_0"),
    "decoder_out": ("decoder", "Dense_0"),
}


@pytest.fixture
def setting(monkeypatch):
    """State, batch and noise of ours, with the noise of the game's loss known beforehand."""
    subject = ours.subject()
    batch = {"x": jnp.asarray(binary_images(ours.BATCH_SIZE, ours.SHAPE))}
    noise = np.random.default_rng(2).standard_normal((ours.BATCH_SIZE, ours.LATENT)).astype(np.float32)
    state = init(subject.game, jax.random.key(0), batch)
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.asarray(noise).reshape(shape))
    return subject, state, batch, noise


def layer(params, path):
    """The kernel and bias at a path below {"encoder": {"params": ...}, ...}."""
    network, *inner = path
    node = params[network]["params"]
    for name in inner:
        node = node[name]
    return node


def copy_across(params, network):
    with torch.no_grad():
        for name, path in LAYERS.items():
            node = layer(params, path)
            getattr(network, name).weight.copy_(torch.from_numpy(np.array(node["kernel"]).T))
            getattr(network, name).bias.copy_(torch.from_numpy(np.array(node["bias"])))


def pairs(params, network, read):
    """Each array of our tree `params` beside what `read` returns of the same parameter of the network."""
    for name, path in LAYERS.items():
        node, module = layer(params, path), getattr(network, name)
        yield np.array(node["kernel"]), read(module.weight).detach().numpy().T
        yield np.array(node["bias"]), read(module.bias).detach().numpy()


def difference(params, network, where=None):
    """The largest difference between the parameters of the two sides, where asked."""
    chosen = where or [...] * 2 * len(LAYERS)
    both = zip(pairs(params, network, lambda p: p), chosen, strict=True)
    return max(float(np.abs(a - b)[mask].max()) for (a, b), mask in both)


def test_peer_has_as_many_parameters_as_ours(setting):
    state = setting[1]
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert sum(p.numel() for p in theirs.Network().parameters()) == count


@pytest.mark.parametrize("fused", [False, True])
def test_peer_takes_the_same_step_from_the_same_weights_noise_and_data(setting, fused):
    subject, state, batch, noise = setting
    network = theirs.Network()
    copy_across(state.params, network)
    assert difference(state.params, network) == 0.0
    optimiser = torch.optim.Adam(network.parameters(), ours.LEARNING_RATE, fused=fused)

    after, metrics = jax.jit(make_step(subject.game))(state, batch)
    x = torch.from_numpy(np.array(batch["x"])).reshape(ours.BATCH_SIZE, -1)
    value = theirs.update(theirs.loss, network, optimiser, x, torch.from_numpy(noise))

    assert value.item() == pytest.approx(float(metrics["vae/loss"]), rel=1e-4)
    assert difference(state.params, network) > 1e-4  # it did move
    # Adam's first step is the sign of the gradient, whatever its size: where the gradient is below what float32
    # resolves of it, the two steps may part, though the gradients agree.
    moments = optax.tree.get(after.opt_state["vae"], "mu")
    gradients = jax.tree.map(lambda mu: 10.0 * mu, moments)
    for mine, other in pairs(gradients, network, lambda p: p.grad):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)
    resolved = [np.abs(mine) > 2e-6 for mine, _ in pairs(gradients, network, lambda p: p.grad)]
    assert np.mean(np.concatenate([mask.ravel() for mask in resolved])) > 0.99
    assert difference(after.params, network, resolved) < 1e-5


def test_pythae_has_as_many_parameters_and_the_same_loss_from_the_same_weights(setting, monkeypatch):
    pytest.importorskip("pythae", reason="the peer needs pythae: pip install 'jaxgen[peers]'")
    from benchmarks.peers import vae_pythae

    subject, state, batch, noise = setting
    plain, network = theirs.Network(), vae_pythae.network()
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in plain.parameters())
    copy_across(state.params, plain)
    named = {"encoder": network.encoder, "decoder": network.decoder}
    for name in LAYERS:
        side, place = name.split("_")
        getattr(named[side], place).load_state_dict(getattr(plain, name).state_dict())
    # Its encoder tells log-variances, ours logarithms of deviations: twice as much.
    with torch.no_grad():
        for parameter in network.encoder.out.parameters():
            parameter[ours.LATENT :] *= 2
    drawn = torch.from_numpy(noise)
    monkeypatch.setattr(network, "_sample_gauss", lambda mean, deviation: (mean + deviation * drawn, drawn))
    x = torch.from_numpy(np.array(batch["x"])).reshape(ours.BATCH_SIZE, -1)
    loss, metrics = vae_pythae.loss(network, x), jax.jit(make_step(subject.game))(state, batch)[1]
    assert loss.item() == pytest.approx(float(metrics["vae/loss"]), rel=1e-4)


def test_both_sides_have_the_same_settings():
    for name in ("HIDDEN", "LATENT", "BATCH_SIZE", "EXAMPLES", "LEARNING_RATE"):
        assert getattr(theirs, name) == getattr(ours, name)
    pixels = binary_images(4, ours.SHAPE).reshape(4, -1)
    assert np.array_equal(pixels, binary_images(4, (theirs.PIXELS,)))


def test_worker_runs_a_peer_in_its_own_process():
    with Worker("benchmarks.peers.vae", "eager", steps=2, threads=1) as worker:
        assert worker.about["parameters"] == 652_824
        assert worker.run(2) > 0
        assert worker.about["max_rss"] > 0


def test_worker_says_in_one_line_why_a_peer_cannot_run():
    with Worker("benchmarks.peers.no_such_peer", "eager", steps=1, threads=1) as worker:
        assert worker.about == {"error": "No module named 'benchmarks.peers.no_such_peer'"}
