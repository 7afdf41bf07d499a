import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxgen.games.iwae import doubly, plain
from jaxgen.metrics.likelihood import importance_sampled
from jaxgen.models import missing, vae
from jaxgen.models.vae import VAE, Decoder, Encoder, LocationScale
from jaxgen.nn.conv import ConvTower
from jaxgen.nn.mlp import MLP
from tests.bijectors.laws import shaped

KEY = jax.random.key(0)
SHAPE = (2, 2, 1)


def made(kind="bernoulli", latent=2, trunk=None):
    """A VAE of incomplete 2 x 2 images with random weights, the same of complete ones, parameters, x and a mask."""
    numbers = Decoder(MLP((3,), jnp.tanh), SHAPE)
    network = numbers if kind == "bernoulli" else LocationScale(numbers, 0.4)
    outputs = {"bernoulli": (missing.BERNOULLI, vae.BERNOULLI), "gaussian": (missing.GAUSSIAN, vae.GAUSSIAN)}[kind]
    encoder = Encoder(trunk or MLP((3,), jnp.tanh), latent)
    models = [VAE(encoder, network, output, latent) for output in outputs]
    x = jax.random.uniform(KEY, (3, *SHAPE))
    observed = jnp.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 0, 1]], bool).reshape(3, *SHAPE)
    return *models, shaped(models[0], missing.see(x, observed), spread=0.6), x, observed


def test_what_is_seen_is_the_visible_part_and_the_mask():
    x = jnp.arange(12.0).reshape(1, 2, 2, 3).at[0, 1, 1].set(jnp.nan)
    observed = jnp.array([1, 0, 1, 0], bool).reshape(1, 2, 2, 1)
    seen = missing.see(x, observed)
    assert seen.shape == (1, 2, 2, 4)
    np.testing.assert_array_equal(seen[0, :, 0, :3], x[0, :, 0])
    np.testing.assert_array_equal(seen[0, :, 1], 0)
    again, counted = missing.parts(seen)
    np.testing.assert_array_equal(counted, jnp.broadcast_to(observed, x.shape))
    np.testing.assert_array_equal(again, jnp.where(observed, x, 0))


@pytest.mark.parametrize("shapes", [((2, 4), (2, 4)), ((1, 2, 2, 1), (1, 2, 2)), ((1, 2, 2, 3), (1, 2, 2, 3))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="got shapes"):
        missing.see(jnp.zeros(shapes[0]), jnp.ones(shapes[1], bool))


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("bound", [plain, doubly])
def test_with_everything_observed_the_bound_is_the_vaes(kind, bound):
    incomplete, _, params, x, _ = made(kind)

    class Complete(nn.Module):
        """The same encoder, which puts the mask of ones there itself."""

        own: nn.Module

        def __call__(self, x):
            return self.own(jnp.concatenate([x, jnp.ones_like(x)], -1))

    output = {"bernoulli": vae.BERNOULLI, "gaussian": vae.GAUSSIAN}[kind]
    complete = VAE(Complete(incomplete.encoder), incomplete.decoder, output, 2)
    own = {"encoder": {"params": {"own": params["encoder"]["params"]}}, "decoder": params["decoder"]}
    everything = missing.see(x, jnp.ones(x.shape, bool))
    assert jax.tree.structure(jax.eval_shape(complete.init, KEY, x)) == jax.tree.structure(own)

    @jax.jit
    def both(everything, x):
        return bound(incomplete, params, everything, KEY, 5), bound(complete, own, x, KEY, 5)

    np.testing.assert_allclose(*both(everything, x), rtol=1e-6)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_weights_estimate_the_marginal_of_the_observed_part_against_quadrature(kind):
    incomplete, complete, params, x, observed = made(kind, latent=1)
    # A posterior wide enough that no weight is huge, which still hangs on what is seen.
    last = params["encoder"]["params"]["Dense_0"]
    params["encoder"]["params"]["Dense_0"] = {"kernel": 0.2 * last["kernel"], "bias": jnp.array([0.1, 0.5])}
    seen = missing.see(x, observed)
    estimate = importance_sampled(incomplete.log_weights(params, seen), KEY, samples=100_000, chunk=10_000)

    z = jnp.linspace(-9, 9, 4001)
    output = complete.decode(params, z[:, None])

    def log_p(one, here):  # of one image's observed pixels under each z, by hand
        mean = output if kind == "bernoulli" else output[0]
        if kind == "bernoulli":
            terms = one * jax.nn.log_sigmoid(mean) + (1 - one) * jax.nn.log_sigmoid(-mean)
        else:
            terms = jax.scipy.stats.norm.logpdf(jnp.broadcast_to(one, mean.shape), mean, 0.4)
        return (terms * here).sum((1, 2, 3))

    for i in range(3):
        joint = log_p(x[i][None], observed[i][None]) - 0.5 * z**2 - 0.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(estimate[i], jax.nn.logsumexp(joint) + np.log(z[1] - z[0]), atol=0.02)


@pytest.mark.parametrize(
    ("trunk", "kind"),
    [
        (None, "gaussian"),
        (ConvTower((3,)), "bernoulli"),
        pytest.param(None, "bernoulli", marks=pytest.mark.slow),
        pytest.param(ConvTower((3,)), "gaussian", marks=pytest.mark.slow),
    ],
)
def test_hidden_values_reach_neither_bound_nor_imputation_nor_gradient(kind, trunk):
    incomplete, _, params, x, observed = made(kind, trunk=trunk)

    @jax.jit
    def everything(x):
        seen = missing.see(x, observed)
        value, gradient = jax.value_and_grad(lambda p: plain(incomplete, p, seen, KEY, 4).sum())(params)
        filled = missing.impute(incomplete, params, seen, KEY, samples=6, chunk=3)
        some = missing.resample(incomplete, params, seen, KEY, samples=6, draws=2)
        return value, gradient, filled, some

    clean = everything(x)
    for junk in (0.3, 1e30, jnp.nan):
        dirty = everything(jnp.where(observed, x, junk))
        for one, other in zip(jax.tree.leaves(clean), jax.tree.leaves(dirty), strict=True):
            np.testing.assert_array_equal(one, other)
    assert np.isfinite(clean[0])
    # And no gradient leaves towards them; towards the observed ones some does.
    slope = jax.jit(jax.grad(lambda x: plain(incomplete, params, missing.see(x, observed), KEY, 4).sum()))(x)
    assert (slope[~observed] == 0).all() and (slope[observed] != 0).all()


def linear():
    """A linear-Gaussian model of 2 x 2 images, whose conditional mean is known, and a crude encoder."""
    kernel = jax.random.normal(KEY, (2, 4))
    offset, scale = jnp.array([0.5, -0.3, 0.1, 0.2]), 0.6
    decoder = LocationScale(Decoder(MLP(()), SHAPE), scale)
    model = VAE(Encoder(MLP(()), 2), decoder, missing.GAUSSIAN, 2)
    x = 1.5 * jax.random.normal(jax.random.key(1), (3, *SHAPE))
    observed = jnp.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 1]], bool).reshape(3, *SHAPE)
    params = jax.tree.map(jnp.zeros_like, jax.jit(model.init)(KEY, missing.see(x, observed)))
    params["encoder"]["params"]["Dense_0"]["bias"] = jnp.array([0.2, -0.2, 0.1, 0.1])  # q: wide, the same for all
    params["decoder"]["params"]["mean"]["Dense_0"] = {"kernel": kernel, "bias": offset}
    return model, params, x, observed, np.asarray(offset), np.asarray(kernel.T @ kernel + scale**2 * jnp.eye(4))


def conditional(x, here, offset, covariance):
    """E[x_missing | x_observed] of a normal distribution, and log p(x_observed)."""
    a, b = np.flatnonzero(~here), np.flatnonzero(here)
    gain = covariance[np.ix_(a, b)] @ np.linalg.inv(covariance[np.ix_(b, b)])
    return offset[a] + gain @ (x[b] - offset[b]), multivariate_normal(offset[b], covariance[np.ix_(b, b)]).logpdf(x[b])


def test_imputations_are_the_conditional_mean_whatever_the_chunk_and_the_weights_the_marginal():
    model, params, x, observed, offset, covariance = linear()
    seen = missing.see(x, observed)
    log_p = importance_sampled(model.log_weights(params, seen), KEY, samples=100_000, chunk=10_000)
    for chunk in (1_000, 100_000):
        filled = missing.impute(model, params, seen, KEY, samples=100_000, chunk=chunk)
        for i in range(3):
            here = np.asarray(observed[i]).ravel()
            mean, exact = conditional(np.asarray(x[i]).ravel(), here, offset, covariance)
            np.testing.assert_allclose(np.asarray(filled[i]).ravel()[~here], mean, atol=0.03)
            np.testing.assert_array_equal(filled[i].ravel()[here], x[i].ravel()[here])
            np.testing.assert_allclose(log_p[i], exact, atol=0.03)


def test_the_chunk_only_groups_the_average():
    model, params, x, observed, *_ = linear()
    seen = missing.see(x, observed)
    keys = jax.random.split(KEY, 3)
    draw = jax.jit(lambda key: missing.draw(model, params, seen, key, 4))
    draws = [draw(key) for key in keys]
    weights, expected = (jnp.concatenate(rows) for rows in zip(*draws, strict=True))
    share = jax.nn.softmax(weights, axis=0).reshape(12, 3, 1, 1, 1)
    filled = missing.impute(model, params, seen, KEY, samples=12, chunk=4)
    np.testing.assert_allclose(filled, missing.fill(seen, (share * expected).sum(0)), rtol=1e-5)


@pytest.mark.slow
def test_resampled_images_have_the_imputation_as_their_mean_and_vary():
    model, params, x, observed, *_ = linear()
    seen = missing.see(x, observed)
    filled = missing.impute(model, params, seen, KEY, samples=2_000, chunk=2_000)
    some = missing.resample(model, params, seen, jax.random.key(1), samples=2_000, draws=3_000)
    hidden = ~observed
    np.testing.assert_allclose(some.mean(0)[hidden], filled[hidden], atol=0.08)
    assert (some.std(0)[hidden] > 0.1).all() and (some.std(0)[observed] < 1e-6).all()


@pytest.mark.parametrize(("samples", "chunk"), [(0, 1), (5, 0), (5, 2)])
def test_impossible_numbers_of_samples_are_refused(samples, chunk):
    model, params, x, observed, *_ = linear()
    with pytest.raises(ValueError, match=f"got {chunk} for {samples}"):
        missing.impute(model, params, missing.see(x, observed), KEY, samples=samples, chunk=chunk)
