"""The spectral norm of Miyato et al. 2018 as the networks use it: Flax's layer, on the project's own layers."""

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn.conv import Conv

KEY = jax.random.key(0)


class Spectral(nn.Module):
    """A layer under the norm."""

    kind: str
    norm: bool = True

    @nn.compact
    def __call__(self, x, train):
        layer = nn.Dense(5, name="layer") if self.kind == "dense" else Conv(5, 3, 2, name="layer")
        return nn.SpectralNorm(layer)(x, update_stats=train) if self.norm else layer(x)


def started(kind):
    x = jax.random.normal(KEY, (3, 8) if kind == "dense" else (3, 6, 6, 2))
    net = Spectral(kind)
    variables = jax.jit(lambda: net.init(KEY, x, True))()
    rest = {"batch_stats": variables["batch_stats"]}
    step = jax.jit(lambda rest: net.apply({"params": variables["params"], **rest}, x, True, mutable=["batch_stats"]))
    return net, x, variables["params"], rest, step


def kernel_of(params):
    return np.asarray(params["layer"]["kernel"])


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_the_largest_singular_value_becomes_one(kind):
    """By numpy, of the kernel as a matrix [everything else, out]; the layer is the plain one of that kernel."""
    _, x, params, rest, step = started(kind)
    for _ in range(200):
        y, rest = step(rest)
    kernel = kernel_of(params)
    largest = np.linalg.svd(kernel.reshape(-1, 5), compute_uv=False)[0]
    sigma = next(a for p, a in jax.tree_util.tree_leaves_with_path(rest) if "sigma" in jax.tree_util.keystr(p))
    np.testing.assert_allclose(sigma, largest, rtol=1e-5)
    params = {"layer": {**params["layer"], "kernel": jnp.asarray(kernel / largest)}}
    expected = Spectral(kind, norm=False).apply({"params": params}, x, True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_one_iteration_a_step_follows_the_power_method_from_the_stored_vector(kind):
    _, _, params, rest, step = started(kind)
    matrix = kernel_of(params).reshape(-1, 5).astype(np.float64)
    stored = dict(jax.tree_util.tree_leaves_with_path(rest))
    u = next(np.asarray(a, np.float64) for p, a in stored.items() if "'layer/kernel/u'" in jax.tree_util.keystr(p))
    for _ in range(3):
        v = u @ matrix.T
        v /= np.linalg.norm(v)
        u = v @ matrix
        u /= np.linalg.norm(u)
        _, rest = step(rest)
    found = {jax.tree_util.keystr(p): a for p, a in jax.tree_util.tree_leaves_with_path(rest)}
    for path, value in found.items():
        np.testing.assert_allclose(value, (v @ matrix @ u.T)[0, 0] if "sigma" in path else u, rtol=1e-4, atol=1e-5)
    assert len(found) == 2


def test_its_vectors_survive_serialisation_bitwise_and_go_on_from_there():
    _, _, _, rest, step = started("conv")
    for _ in range(2):
        _, rest = step(rest)
    blank = jax.tree.map(jnp.zeros_like, rest)
    back = flax.serialization.from_bytes(blank, flax.serialization.to_bytes(rest))
    jax.tree.map(np.testing.assert_array_equal, step(back), step(rest))
    assert (np.asarray(step(blank)[0]) != step(rest)[0]).any()


def test_after_training_the_vectors_stay():
    net, x, params, rest, _ = started("dense")
    _, after = net.apply({"params": params, **rest}, x, False, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, after, rest)
