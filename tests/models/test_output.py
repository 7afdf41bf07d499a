"""Kinds of p(x|z): the location and scale that a network gives, and the discretised logistic of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.likelihoods import discretised_logistic
from jaxgen.models.vae import VAE, Decoder, Encoder, LocationScale, logistic
from jaxgen.nn.mlp import MLP

KEY = jax.random.key(0)


def small(scale=None, levels=17, shape=(2, 3, 1)):
    decoder = LocationScale(Decoder(MLP((5,)), shape), scale)
    return VAE(Encoder(MLP((5,)), 2), decoder, logistic(levels), 2)


@pytest.mark.parametrize("scale", [None, 0.3])
def test_logistic_output_is_the_discretised_logistic_of_the_decoder(scale):
    vae = small(scale)
    x = jax.random.randint(KEY, (4, 2, 3, 1), 0, 17) / 16
    params = vae.init(KEY, x)
    assert ("log_scale" in params["decoder"]["params"]) == (scale is None)
    mean, log_scale = output = vae.decode(params, jax.random.normal(KEY, (4, 2)))
    np.testing.assert_allclose(log_scale, -2.0 if scale is None else np.log(scale), rtol=1e-6)
    expected = discretised_logistic(x, mean, log_scale, levels=17)
    np.testing.assert_array_equal(vae.output.log_likelihood(x, output), expected)
    np.testing.assert_array_equal(vae.output.mean((10 * mean, log_scale)), np.clip(10 * mean, 0, 1))


def test_every_parameter_gets_a_gradient_from_a_logistic_output():
    vae = small(levels=256)
    x = jax.random.randint(KEY, (4, 2, 3, 1), 0, 256) / 255
    gradient = jax.grad(lambda params: vae.log_weights(params, x)(KEY, 2).sum())(vae.init(KEY, x))
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert jnp.isfinite(leaf).all(), jax.tree_util.keystr(path)
        assert (leaf != 0).any(), jax.tree_util.keystr(path)
