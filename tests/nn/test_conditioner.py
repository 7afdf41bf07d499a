"""Networks of couplings: where they start, and the conditions that they take."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner, LinearConditioner, ResidualConditioner

KEY = jax.random.key(0)
IMAGES = [ConvConditioner(6, width=8), ResidualConditioner(6, width=8, blocks=1), LinearConditioner(6)]


@pytest.mark.parametrize("net", IMAGES, ids=lambda net: type(net).__name__)
def test_networks_of_images(net):
    x = jax.random.normal(KEY, (2, 4, 4, 3))
    variables = net.init(KEY, x)
    np.testing.assert_array_equal(net.apply(variables, x), np.zeros((2, 4, 4, 6)))
    condition = jax.random.normal(KEY, (2, 8, 8, 5))
    assert net.apply(net.init(KEY, x, condition), x, condition).shape == (2, 4, 4, 6)
    with pytest.raises(ValueError, match=r"images \[B, H, W, C\], got \(2, 3\)"):
        net.init(KEY, x[:, 0, 0])
    with pytest.raises(ValueError, match=r"got \(2, 3, 3\)"):
        net.init(KEY, x, jnp.ones((2, 3, 3)))


def test_vectors():
    net = DenseConditioner(6, hidden=(8,), activation=nn.tanh)
    x, condition = jnp.ones((2, 3)), jnp.ones((2, 2, 2))
    np.testing.assert_array_equal(net.apply(net.init(KEY, x), x), np.zeros((2, 6)))
    assert net.init(KEY, x, condition)["params"]["MLP_0"]["Dense_0"]["kernel"].shape == (7, 8)


def test_half_precision_returns_float32():
    net = ConvConditioner(6, width=8, dtype=jnp.bfloat16)
    x = jax.random.normal(KEY, (2, 4, 4, 3))
    assert net.apply(net.init(KEY, x), x).dtype == jnp.float32
