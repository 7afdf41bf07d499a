import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxgen.losses.likelihoods import bernoulli
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models.hierarchical import Hierarchy, Rung, combine
from jaxgen.models.vae import BERNOULLI, Decoder, Encoder
from jaxgen.nn.mlp import MLP

KEY = jax.random.key(0)
SHAPE = (2, 2, 1)


def hierarchy(ladder, latents=(1, 1)):
    part = Rung if ladder else Encoder
    up = tuple(part(MLP((7,), jnp.tanh), size) for size in latents)
    down = tuple(Encoder(MLP((5,), jnp.tanh), size) for size in latents[:-1])
    return Hierarchy(up, down, Decoder(MLP((6,), jnp.tanh), SHAPE), BERNOULLI, ladder)


def made(ladder, latents=(1, 1), batch=3):
    model = hierarchy(ladder, latents)
    x = jax.random.bernoulli(KEY, 0.5, (batch, *SHAPE)).astype(jnp.float32)
    params = jax.jit(
        lambda x: jax.tree.map(
            lambda a: a + 0.3 * jax.random.normal(jax.random.key(a.size), a.shape), model.init(KEY, x)
        )
    )(x)
    for size, network in zip(latents, params["encoder"].values(), strict=True):  # wide posteriors: light-tailed weights
        head = network["params"]["Dense_0"]
        head["kernel"] *= 0.3
        head["bias"] = jnp.concatenate([jnp.zeros(size), jnp.full(size, 0.6)])
    return model, params, x


def integral(model, params, x, points=400, edge=8.0):
    """Return log p(x) [B] by quadrature over both layers of one dimension."""
    centres = (np.arange(points) + 0.5) / points * 2 * edge - edge
    top, area = jnp.asarray(centres, jnp.float32)[:, None], (2 * edge / points) ** 2
    mean, log_scale = model.down[0].apply(params["decoder"]["1"], top)  # [top, 1]
    log_prior = norm.logpdf(centres)[:, None] + norm.logpdf(centres[None], mean, np.exp(log_scale))  # [top, bottom]
    logits = model.decode(params, top)
    log_x = np.stack([np.asarray(bernoulli(jnp.broadcast_to(one, logits.shape), logits)) for one in x])  # [B, bottom]
    return np.log((np.exp(log_prior)[None] * np.exp(log_x)[:, None, :]).sum((1, 2)) * area)


@pytest.mark.parametrize("ladder", [pytest.param(False, marks=pytest.mark.slow), True])
def test_importance_weights_estimate_the_integral_over_both_layers(ladder):
    model, params, x = made(ladder)
    estimate = jax.jit(lambda: importance_sampled(model.log_weights(params, x), KEY, samples=40_000, chunk=10_000))()
    np.testing.assert_allclose(estimate, integral(model, params, x), atol=0.01)


@pytest.mark.parametrize("ladder", [pytest.param(False, marks=pytest.mark.slow), True])
def test_every_parameter_gets_a_gradient_in_three_layers(ladder):
    model, params, x = made(ladder, (4, 3, 2))
    gradient = jax.jit(jax.grad(lambda p: model.log_weights(p, x)(KEY, 2).sum()))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert (leaf != 0).any(), jax.tree_util.keystr(path)


@pytest.mark.parametrize("ladder", [False, True])
def test_beta_weighs_the_layers_together_and_the_kl_is_their_ratio(ladder):
    model, params, x = made(ladder, (4, 3))
    weigh = jax.jit(lambda beta: model.log_weights(params, x, beta=beta)(KEY, 1)[0])
    none, half, whole = (weigh(beta) for beta in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(half, 0.5 * (none + whole), rtol=1e-5)
    np.testing.assert_allclose(none - whole, sum(jax.jit(model.kl)(params, x, KEY)), rtol=1e-4)


def test_the_precision_weighted_posterior_is_the_product_of_two_gaussians():
    rng = np.random.default_rng(0)
    (m, s), (n, t) = ((rng.normal(size=5), rng.normal(size=5)) for _ in range(2))
    mean, log_scale = combine((jnp.asarray(m), jnp.asarray(s)), (jnp.asarray(n), jnp.asarray(t)))
    z = np.linspace(-3, 3, 7)[:, None]
    product = norm.logpdf(z, m, np.exp(s)) + norm.logpdf(z, n, np.exp(t))
    ours = norm.logpdf(z, mean, np.exp(log_scale))
    np.testing.assert_allclose(product - ours, np.broadcast_to((product - ours)[:1], product.shape), atol=1e-4)


def test_combining_extreme_scales_stays_finite():
    mean, log_scale = combine((jnp.ones(2), jnp.array([-1e4, 1e4])), (jnp.zeros(2), jnp.array([1e4, 1e4])))
    np.testing.assert_allclose(mean, [1.0, 0.5], atol=1e-6)
    assert np.isfinite(log_scale).all()


def test_samples_come_from_the_top_down():
    model, params, _ = made(True)
    top = jax.random.normal(jax.random.key(5), (200_000, 1))

    @jax.jit
    def both():
        mean, log_scale = model.down[0].apply(params["decoder"]["1"], top)
        z = mean + jnp.exp(log_scale) * jax.random.normal(jax.random.key(6), mean.shape)
        return model.sample(params, KEY, 200_000).mean(0), jax.nn.sigmoid(model.decode(params, z)).mean(0)

    np.testing.assert_allclose(*both(), atol=0.005)


def test_a_reconstruction_from_above_knows_less():
    model, params, x = made(True, (4, 3))
    reconstruct = jax.jit(model.reconstruct, static_argnums=2)
    assert reconstruct(params, x, 0).shape == reconstruct(params, x, 1).shape == x.shape
    below = jax.tree.map(lambda a: a, params)
    below["encoder"] = {**params["encoder"], "1": jax.tree.map(lambda a: 2.0 * a, params["encoder"]["1"])}
    assert not np.allclose(reconstruct(params, x, 0), reconstruct(below, x, 0))
