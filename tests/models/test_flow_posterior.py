"""VAEs with flows for posteriors."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.elementwise import affine, tanh_scale
from jaxgen.bijectors.planar import Planar
from jaxgen.bijectors.radial import Radial
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models.flow_posterior import FlowPosterior
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.conditioner import DenseConditioner
from jaxgen.nn.masked import MADE
from jaxgen.nn.mlp import MLP

KEY = jax.random.key(0)
NET = MLP((16,))
PLAIN = VAE(Encoder(NET, 2), Decoder(NET, (6,)), BERNOULLI, 2)
DENSE = partial(DenseConditioner, hidden=(8,))
GENTLE = affine(partial(tanh_scale, bound=0.5))  # for weights of a small variance
FLOWS = {
    "iaf": Repeat(Autoregressive(partial(MADE, (8,)), affine()), 2),
    "planar": Repeat(Planar(), 3),
    "radial": Repeat(Radial(), 3),
    "coupling": Chain([Coupling(DENSE, GENTLE), Coupling(DENSE, GENTLE, flip=True)]),
}


@pytest.fixture(scope="module", params=FLOWS)
def model(request):
    """A model with random parameters, and data."""
    x = jax.random.bernoulli(KEY, 0.4, (7, 6)).astype(jnp.float32)
    model = FlowPosterior(PLAIN, FLOWS[request.param])
    leaves, tree = jax.tree.flatten(jax.jit(model.init)(KEY, x))
    keys = jax.random.split(KEY, len(leaves))
    moved = [a + 0.15 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, moved)
    bias = params["encoder"]["gaussian"]["params"]["Dense_0"]["bias"]
    # Wide, for weights of a small variance.
    params["encoder"]["gaussian"]["params"]["Dense_0"]["bias"] = bias.at[2:].set(0.8)
    if request.param == "radial":  # of a log-determinant that counts
        layers = params["encoder"]["flow"]["layers"]
        layers["stretch"] = layers["stretch"] + 0.5
    return model, params, x


def test_importance_weights_are_unbiased_whatever_the_posterior(model):
    model, params, x = model
    side = np.linspace(-7, 7, 281)
    z = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2).astype(np.float32)
    logits = PLAIN.decode(params, z)
    log_joint = jax.vmap(lambda one: BERNOULLI.log_likelihood(jnp.broadcast_to(one, (len(z), 6)), logits))(x)
    prior = -0.5 * (z**2).sum(-1) - np.log(2 * np.pi) + 2 * np.log(side[1] - side[0])
    exact = jax.nn.logsumexp(log_joint + prior[None], axis=1)
    estimate = importance_sampled(model.log_weights(params, x), KEY, samples=40_000, chunk=2000)
    chex.assert_trees_all_close(estimate, exact, atol=0.03)


def test_a_flow_that_does_nothing_is_the_gaussian_posterior():
    x = jax.random.bernoulli(KEY, 0.4, (7, 6)).astype(jnp.float32)
    model = FlowPosterior(
        PLAIN, Repeat(Autoregressive(partial(MADE, (8,), kernel_init=jax.nn.initializers.zeros), affine()), 2)
    )
    params = jax.jit(model.init)(KEY, x)
    plain = {"encoder": params["encoder"]["gaussian"], "decoder": params["decoder"]}
    weights = [jax.jit(lambda p, m=m: m.log_weights(p, x)(KEY, 3))(p) for m, p in ((model, params), (PLAIN, plain))]
    chex.assert_trees_all_close(*weights, atol=1e-5)
    chex.assert_trees_all_close(model.reconstruct(params, x), PLAIN.expect(plain, PLAIN.encode(plain, x)[0]), atol=1e-6)


def test_the_bound_has_a_gradient_for_every_part(model):
    model, params, x = model
    gradient = jax.jit(jax.grad(lambda p: model.log_weights(p, x)(KEY, 2).mean()))(params)
    for path, g in jax.tree.leaves_with_path(gradient):
        assert np.isfinite(g).all() and np.any(np.asarray(g) != 0), jax.tree_util.keystr(path)
