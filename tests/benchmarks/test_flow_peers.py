"""The peers of the flows do the same work: as many parameters, and from equal weights equal losses."""

import math
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from benchmarks.peers.process import Worker
from benchmarks.subject import load
from jaxgen.bijectors.spline import LEAST, rational_quadratic
from jaxgen.step import init, make_step

torch = pytest.importorskip("torch", reason="the peers need: pip install 'jaxgen[peers]'")
NEEDS = "the peers need: pip install 'jaxgen[peers]'"


def played(name, rows):
    """Our parameters, at random and not at the start's identity, some data, and the loss of both."""
    subject = load(name)
    x = jnp.asarray(subject.data["x"][:rows])
    state = init(subject.game, jax.random.key(0), {"x": x})
    leaves, tree = jax.tree.flatten(state.params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + 0.01 * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    state = replace(state, params=jax.tree.unflatten(tree, moved))
    value = make_step(subject.game)(state, {"x": x})[1]["flow/loss"]
    return jax.tree.map(np.array, state.params["flow"]), torch.from_numpy(np.array(x)), float(value)


def sampled(name, params):
    """Samples of our subject, and the noise that they are of, as arrays of torch."""
    key = jax.random.key(2)
    x = load(name).draw(SimpleNamespace(params={"flow": params}), key)
    z = jax.random.normal(key, (len(x), x[0].size))
    return torch.from_numpy(np.array(x)), torch.from_numpy(np.array(z))


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def put(module, kernel, bias):
    """Our kernel [..., in, out] and bias into theirs."""
    axes = (*range(kernel.ndim - 1, kernel.ndim - 3, -1), *range(kernel.ndim - 2))
    module.weight.copy_(torch.from_numpy(kernel.transpose(axes).copy().reshape(module.weight.shape)))
    module.bias.copy_(torch.from_numpy(np.array(bias)))


def dense(layer, part, number):
    """(kernel, bias) of the three layers of a coupling's network."""
    net = layer[part]["DenseConditioner_0"]
    return [
        (one["kernel"][number], one["bias"][number])
        for one in (net["MLP_0"]["Dense_0"], net["MLP_0"]["Dense_1"], net["Dense_0"])
    ]


def test_realnvp():
    pytest.importorskip("normflows", reason=NEEDS)
    from benchmarks.peers import realnvp

    params, x, value = played("realnvp", 64)
    network = realnvp.network()
    assert count(network) == sum(leaf.size for leaf in jax.tree.leaves(params))
    couplings = [flow for flow in network.flows if hasattr(flow, "flows")][::-1]
    with torch.no_grad():
        for number, coupling in enumerate(couplings):
            layers = dense(params["layers"], f"parts_{number % 2}", number // 2)
            layers[-1] = [-one for one in layers[-1]]  # theirs is y -> (y - shift) exp(-scale), towards the noise
            for module, (kernel, bias) in zip(list(coupling.flows[1].param_map.net)[::2], layers, strict=True):
                put(module, kernel, bias)
        assert network.forward_kld(x).item() == pytest.approx(value, rel=1e-4)
        drawn, z = sampled("realnvp", params)
        np.testing.assert_allclose(drawn, network.forward(z), atol=1e-4)


@pytest.mark.filterwarnings("ignore:torch.lu is deprecated")
def test_glow(monkeypatch):
    normflows = pytest.importorskip("normflows", reason=NEEDS)
    from benchmarks.peers import glow

    def squeeze(self, z):  # the same four pixels in the order that ours has
        b, c, h, w = z.shape
        z = z.view(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return z.reshape(b, 4 * c, h // 2, w // 2), 0

    def unsqueeze(self, z):
        b, c, h, w = z.shape
        z = z.view(b, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2)
        return z.reshape(b, c // 4, 2 * h, 2 * w), 0

    monkeypatch.setattr(normflows.flows.Squeeze, "inverse", squeeze)
    monkeypatch.setattr(normflows.flows.Squeeze, "forward", unsqueeze)
    params, x, value = played("glow", 8)
    x = x.permute(0, 3, 1, 2)
    network = glow.network()
    fixed = ("order", "sign")  # parameters that nothing learns; buffers in theirs
    paths = jax.tree_util.tree_leaves_with_path(params)
    assert count(network) == sum(leaf.size for path, leaf in paths if path[-1].key not in fixed)
    network.forward_kld(x)  # starts their actnorm
    with torch.no_grad():
        for level in range(glow.LEVELS):
            layers = params[f"levels_{level}"]["parts_1"]["layers"]
            blocks = list(network.flows[glow.LEVELS - 1 - level])[:-1][::-1]
            for number, block in enumerate(blocks):
                own = jax.tree.map(lambda leaf, number=number: leaf[number], layers)
                copy_block(block, own)
        assert network.forward_kld(x).item() == pytest.approx(value, rel=1e-4)
        drawn, z = sampled("glow", params)
        sizes = [math.prod(base.shape) for base in network.q0][::-1]  # theirs are listed from the last level on
        parts = [
            part.reshape(len(z), *base.shape[1:], base.shape[0]).permute(0, 3, 1, 2)
            for part, base in zip(torch.split(z, sizes, 1)[::-1], network.q0, strict=True)
        ]
        monkeypatch.setattr(normflows.distributions.DiagGaussian, "forward", lambda self, n: (parts.pop(0), 0.0))
        theirs = network.sample(len(z))[0].permute(0, 2, 3, 1)
        np.testing.assert_allclose(drawn, theirs, atol=1e-3 * abs(theirs).max())
        assert not parts


def copy_block(block, own):
    coupling, linear, norm = block.flows
    # Ours is (x - location) exp(log scale), theirs (x - t) exp(-s).
    for parameter, values in ((norm.t, own["parts_0"]["location"]), (norm.s, -own["parts_0"]["log_scale"])):
        parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))
    lu, order = own["parts_1"], np.argsort(own["parts_1"]["order"])
    linear.P.copy_(torch.from_numpy(np.eye(len(order), dtype=np.float32)[order]))
    for parameter, name in ((linear.L, "below"), (linear.U, "above"), (linear.log_S, "log_diagonal")):
        parameter.copy_(torch.from_numpy(lu[name]))
    linear.sign_S.copy_(torch.from_numpy(np.where(lu["sign"] < 0, np.float32(-1), np.float32(1))))
    net = own["parts_2"]["ConvConditioner_0"]
    turned = np.tile(np.float32([-1, 1]), len(net["Conv_1"]["bias"]) // 2)  # (y - shift) scale, ours (x + shift) scale
    layers = [(net[name]["kernel"], net[name]["bias"]) for name in ("Conv_0", "Dense_0", "Conv_1")]
    layers[-1] = [one * turned for one in layers[-1]]
    for module, (kernel, bias) in zip(list(coupling.flows[1].param_map.net)[::2], layers, strict=True):
        put(module, kernel, bias)


def test_spline_of_nflows():
    pytest.importorskip("nflows", reason=NEEDS)
    from benchmarks.density import nflows_flows
    from benchmarks.peers import spline

    params, x, value = played("spline", 64)
    network = nflows_flows.build(spline.KIND, spline.SIZE, spline.COLUMNS)
    assert count(network) == sum(leaf.size for leaf in jax.tree.leaves(params))
    parts, layers, bins = list(network._transform._transforms), params["layers"], spline.SIZE.bins
    # Theirs divides the logits of bins by the root of the width, and adds nothing to those of slopes.
    logits = np.arange(3 * bins - 1) < 2 * bins
    factor = np.where(logits, math.sqrt(spline.SIZE.hidden[-1]), 1.0).astype(np.float32)
    more = np.where(logits, 0.0, math.log(math.expm1(1 - LEAST))).astype(np.float32)
    with torch.no_grad():
        for number in range(spline.SIZE.layers // 2):
            norm, *couplings, _ = parts[4 * number : 4 * number + 4]
            location, scale = (layers["parts_0"][name][number] for name in ("location", "log_scale"))
            norm.log_scale.copy_(torch.from_numpy(scale))
            norm.shift.copy_(torch.from_numpy(-location * np.exp(scale)))
            norm.initialized.fill_(True)
            for part, coupling in zip(("parts_1", "parts_2"), couplings, strict=True):
                *hidden, (kernel, bias) = dense(layers, part, number)
                times = len(bias) // len(factor)
                last = (kernel * np.tile(factor, times), bias * np.tile(factor, times) + np.tile(more, times))
                for module, own in zip(list(coupling.transform_net)[::2], [*hidden, last], strict=True):
                    put(module, *own)
        loss = -nflows_flows.log_prob(network, x).mean()
        drawn, z = sampled("spline", params)
        np.testing.assert_allclose(drawn, network._transform.inverse(z)[0], atol=1e-3)
    assert loss.item() == pytest.approx(value, rel=1e-4)


def test_spline_of_zuko_is_of_the_same_size_but_for_its_lack_of_actnorm():
    pytest.importorskip("zuko", reason=NEEDS)
    from benchmarks.density import zuko_flows
    from benchmarks.peers import spline

    subject = load("spline")
    state = jax.eval_shape(lambda: init(subject.game, jax.random.key(0), {"x": jnp.zeros((4, spline.COLUMNS))}))
    ours = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    theirs = count(zuko_flows.build(spline.KIND, spline.SIZE, spline.COLUMNS))
    assert theirs == ours - 2 * spline.COLUMNS * spline.SIZE.layers // 2


def test_from_the_same_knots_the_splines_of_zuko_are_ours():
    """What a network's numbers mean differs (zuko squashes them), so losses from equal weights do; knots do not."""
    transforms = pytest.importorskip("zuko.transforms", reason=NEEDS)
    from benchmarks.peers import spline

    bins, bound, least = spline.SIZE.bins, 3.0, math.log(1e-3)
    rng = np.random.default_rng(0)
    x, p = 2 * rng.normal(size=(500, 4)), 0.7 * rng.normal(size=(500, 4, 3 * bins - 1))
    shares = [softmax(half, -1) * (1 - bins * LEAST) + LEAST for half in np.split(p[..., : 2 * bins], 2, axis=-1)]
    slopes = LEAST + np.log1p(np.exp(p[..., 2 * bins :] + math.log(math.expm1(1 - LEAST))))

    def unsquashed(f, most):
        return torch.from_numpy(f / (1 - abs(f) / most))

    logits = [unsquashed(np.log(share) - np.log(share).mean(-1, keepdims=True), -least / 2) for share in shares]
    theirs = transforms.MonotonicRQSTransform(*logits, unsquashed(np.log(slopes), -least), bound=bound)
    y, log_slope = theirs.call_and_ladj(torch.from_numpy(x))
    ours = rational_quadratic(bins, bound).forward(jnp.float32(x), jnp.float32(p))
    np.testing.assert_allclose(ours[0], y.numpy(), atol=2e-5)
    np.testing.assert_allclose(ours[1], log_slope.numpy(), atol=2e-4)
    assert (abs(x) > bound).any() and abs(y.numpy() - x).max() > 0.5


@pytest.mark.parametrize("name", ["realnvp", "glow", "spline"])
def test_both_sides_have_the_same_settings(name):
    pytest.importorskip("normflows", reason=NEEDS)
    ours, theirs = (pytest.importorskip(f"benchmarks.{room}.{name}") for room in ("subjects", "peers"))
    settings = [key for key in vars(theirs) if key.isupper()]
    assert len(settings) >= 5
    for key in settings:
        assert getattr(theirs, key) == getattr(ours, key), key


@pytest.mark.parametrize("module", ["realnvp", "spline_nflows", "spline_zuko"])
def test_a_worker_takes_steps(module):
    for library in ("normflows", "nflows", "zuko"):
        pytest.importorskip(library, reason=NEEDS)
    with Worker(f"benchmarks.peers.{module}", "fused", steps=2, threads=1) as worker:
        assert worker.about["parameters"] > 100_000
        assert worker.run(2) > 0
