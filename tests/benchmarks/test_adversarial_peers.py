"""The peers of the adversarial subjects do the same work: same size, same losses, same gradients."""

import importlib
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks.flops import matmul_flops
from benchmarks.subject import load
from jaxgen.games.gan import D, G
from jaxgen.step import init, make_step

torch = pytest.importorskip("torch", reason="the peers need torch: pip install 'jaxgen[peers]'")
adversarial = pytest.importorskip("benchmarks.peers.adversarial")
torch_ways = pytest.importorskip("benchmarks.peers.torch_ways")
NAMES = ("gan", "dcgan", "wgan_gp")


def modules(name):
    return tuple(importlib.import_module(f"benchmarks.{room}.{name}") for room in ("subjects", "peers"))


def networks(name, theirs):
    """The peer's generator and discriminator."""
    if name == "gan":
        return theirs.dense(theirs.LATENT, 2), torch.nn.Sequential(theirs.dense(2, 1), torch.nn.Flatten(0))
    side = {"side": 64} if name == "dcgan64" else {}
    return tuple(one(batch_norm=name != "wgan_gp", **side) for one in (theirs.Generator, theirs.Discriminator))


def kernels(network):
    """Our (path, transposition) of each layer of theirs, in order of use."""
    count, last = {}, None
    for module in network.modules():
        kind = type(module).__name__
        if kind in ("Linear", "Conv2d", "ConvTranspose2d", "BatchNorm2d"):
            last = {"Linear": "Dense", "Conv2d": "Conv", "ConvTranspose2d": "ConvTranspose"}.get(kind, "BatchNorm")
            yield module, f"{last}_{count.setdefault(last, 0)}"
            count[last] += 1


def ours_in_their_form(tree, network):
    """(their parameter, our array in its form) of all of a network's parameters; tree: ours, by layer."""
    tree = dict(tree)
    if "head" in tree:  # the discriminator's last layer
        inner = dict(tree.pop("head"))
        dense = sum(name.startswith("Dense") for name in tree)
        tree[f"Dense_{dense}"] = inner["Dense_0"]
    for module, name in kernels(network):
        node = jax.tree.map(np.array, tree["BatchNorm_" + name[-1]]["BatchNorm_0"] if "Norm" in name else tree[name])
        kernel = node.get("kernel", node.get("scale"))
        bias = node["bias"]
        if name.startswith("Conv"):
            kernel = kernel.transpose(3, 2, 0, 1)
            if "Transpose" in name:  # [in, out, k, k], and the other way round in space
                kernel = kernel.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        elif "Dense" in name:
            kernel = kernel.T
            if hasattr(network, "convolutions"):  # maps are flat channels first there, last here
                if kernel.shape[0] == 1:
                    kernel = kernel.reshape(1, 4, 4, -1).transpose(0, 3, 1, 2).reshape(1, -1)
                else:
                    kernel = kernel.reshape(4, 4, -1, kernel.shape[1]).transpose(2, 0, 1, 3).reshape(kernel.shape)
                    bias = bias.reshape(4, 4, -1).transpose(2, 0, 1).ravel()
        yield module.weight, kernel.copy()
        yield module.bias, bias.copy()


@pytest.fixture(params=[*NAMES, "dcgan64"])
def setting(request, monkeypatch):
    """One step of both sides from equal weights, data and noise: ours is played, theirs is prepared."""
    large = request.param == "dcgan64"  # the same networks, larger: a few images tell
    ours, theirs = modules("dcgan" if large else request.param)
    subject = modules("dcgan64")[0].subject()._replace(batch_size=8) if large else ours.subject()
    real = jnp.asarray(subject.data["x"][: subject.batch_size])
    steps = getattr(ours, "CRITIC_STEPS", 1)
    rows = subject.batch_size // steps
    source = np.random.default_rng(2)
    noise = source.standard_normal((rows, theirs.LATENT)).astype(np.float32)
    weight = source.random((rows, *[1] * (real.ndim - 1))).astype(np.float32)
    state = init(subject.game, jax.random.key(0), {"x": real[:rows]})
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.asarray(noise))
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.asarray(weight))
    pair = networks(request.param, theirs)
    with torch.no_grad():
        for name, network in zip((G, D), pair, strict=True):
            for parameter, value in ours_in_their_form(state.params[name], network):
                assert parameter.shape == value.shape
                parameter.copy_(torch.from_numpy(value))
    x = torch.from_numpy(np.array(real))
    return SimpleNamespace(
        name=request.param,
        ours=ours,
        theirs=theirs,
        subject=subject,
        state=state,
        batch={"x": real},
        networks=pair,
        real=x.permute(0, 3, 1, 2) if x.ndim == 4 else x,
        noise=torch.from_numpy(noise).expand(steps + 1, -1, -1),
        more=(torch.from_numpy(weight).expand(steps, *[-1] * weight.ndim),) if steps > 1 else (),
    )


def test_peer_has_as_many_parameters_as_ours(setting):
    count = sum(leaf.size for leaf in jax.tree.leaves(setting.state.params))
    assert torch_ways.parameters(*setting.networks) == count


def test_peer_has_equal_losses_and_gradients_from_equal_weights_noise_and_data(setting):
    one = setting
    after, metrics = jax.jit(make_step(one.subject.game))(one.state, one.batch)
    losses = adversarial.NON_SATURATING if one.name != "wgan_gp" else one.theirs.WASSERSTEIN
    optimisers = adversarial.adams(one.networks, "fused", one.theirs.LEARNING_RATE, one.theirs.BETAS)
    found = adversarial.update(losses, one.networks, optimisers, one.real, one.noise, *one.more)

    assert found[1].item() == pytest.approx(float(metrics["generator/loss"]), rel=1e-4, abs=1e-4)
    assert found[0].item() == pytest.approx(float(metrics["discriminator/loss"]), rel=1e-4, abs=1e-4)
    if one.more:
        return  # what Adam's first step, a sign, did to a gradient of almost zero parts the later gradients
    moments = optax.tree.get(after.opt_state[D], "mu")[D]
    for parameter, value in ours_in_their_form(moments, one.networks[1]):
        gradient = value / (1 - one.theirs.BETAS[0])
        # One of a million activations may lie so near to zero that float32 puts it on either side of leaky relu's
        # kink: a thousandth of the gradient of its channel. Biases before a batch norm have no gradient but noise.
        error = np.linalg.norm(parameter.grad.numpy() - gradient)
        assert error <= 5e-3 * np.linalg.norm(gradient) + 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_have_the_same_settings(name):
    ours, theirs = modules(name)
    for setting in ("HIDDEN", "WIDTH", "LATENT", "BATCH_SIZE", "EXAMPLES", "LEARNING_RATE", "BETAS", "CRITIC_STEPS"):
        assert getattr(ours, setting, None) == getattr(theirs, setting, None) or setting not in vars(ours)


def test_both_sides_of_the_larger_dcgan_have_the_same_settings():
    ours, theirs = modules("dcgan64")
    assert (ours.SIDE, ours.BATCH_SIZE) == (theirs.SIDE, theirs.BATCH_SIZE)
    assert theirs.build("eager", 1).parameters == 6_351_876


def test_operations_of_the_dcgan_are_those_counted_by_hand():
    subject = load("dcgan")
    batch = {"x": jnp.asarray(subject.data["x"][: subject.batch_size])}
    state = jax.eval_shape(lambda: init(subject.game, jax.random.key(0), batch))
    layers = [2 * 64 * 16 * a * b * side**2 for a, b, side in [(3, 64, 16), (64, 128, 8), (128, 256, 4)]]
    ends = 2 * 64 * 100 * 4096, 2 * 64 * 4096
    generator, discriminator = sum(layers) + ends[0], sum(layers) + ends[1]
    first = generator + 2 * (3 * discriminator - layers[0])  # no gradient of the images
    second = (3 * generator - ends[0]) + 2 * discriminator  # none of the noise, none of the discriminator's weights
    assert matmul_flops(make_step(subject.game), state, batch) == first + second


def test_an_image_can_rest_in_memory_as_the_kind_says():
    theirs = modules("dcgan")[1]
    for kind, last in [("eager", False), ("channels_last", True)]:
        x, network = theirs.images(kind), theirs.prepared(kind, theirs.Generator())[0]
        assert x[:2].is_contiguous(memory_format=torch.channels_last) == last
        assert network(torch.ones(2, theirs.LATENT)).is_contiguous(memory_format=torch.channels_last) == last
