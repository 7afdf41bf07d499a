import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.latent import LatentConfig, model
from experiments.common.view import view
from jaxgen.data import load
from jaxgen.models.conditional import given, join

KEY = jax.random.key(0)


@pytest.mark.parametrize("network", ["mlp", pytest.param("conv", marks=pytest.mark.slow)])
def test_encoder_and_decoder_see_the_condition(network):
    config = LatentConfig(network=network, hidden=(6,), channels=(3,), latent=2)
    vae = model(config, view(load("digits"), None, "dynamic"))
    x = jax.random.bernoulli(KEY, 0.5, (4, 8, 8, 1)).astype(jnp.float32)
    one, other = jnp.eye(3)[jnp.array([0, 1, 2, 0])], jnp.eye(3)[jnp.array([0, 2, 2, 1])]
    params = given(vae, one).init(KEY, x)
    for read in (lambda m: m.encode(params, x)[0], lambda m: m.decode(params, jnp.ones((4, 2)))):
        same = np.isclose(read(given(vae, one)), read(given(vae, other))).reshape(4, -1).all(1)
        np.testing.assert_array_equal(same, [True, False, True, False])
    assert given(vae, one).log_weights(params, x)(KEY, 5).shape == (5, 4)


def test_a_condition_stands_beside_vectors_and_as_maps_beside_images():
    condition = jnp.array([[1.0, 2.0]])
    np.testing.assert_array_equal(join(jnp.zeros((1, 1)), condition), [[0, 1, 2]])
    maps = join(jnp.zeros((1, 2, 3, 1)), condition)
    assert maps.shape == (1, 2, 3, 3)
    np.testing.assert_array_equal(maps[0, 1, 2], [0, 1, 2])
