import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.games.variational import variational
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.mlp import MLP

KEY = jax.random.key(0)
MODEL = VAE(Encoder(MLP((5,)), 3), Decoder(MLP((5,)), (4,)), BERNOULLI, 3)
X = jax.random.uniform(KEY, (6, 4))
PARAMS = MODEL.init(KEY, X)


def test_it_is_the_error_of_a_draws_output_plus_beta_kl():
    seen = []

    def error(x, again):
        seen.append((x, again))
        return ((x - again) ** 2).sum(-1)

    mean, log_scale = MODEL.encode(PARAMS, X)
    found = variational(MODEL, error, beta=2.5)(PARAMS, X, jax.random.key(1))
    z = mean + jnp.exp(log_scale) * jax.random.normal(jax.random.key(1), mean.shape)
    np.testing.assert_array_equal(seen[0][0], X)
    np.testing.assert_allclose(seen[0][1], MODEL.decode(PARAMS, z), rtol=1e-5)
    expected = ((X - MODEL.decode(PARAMS, z)) ** 2).sum(-1) + 2.5 * gaussian_kl(mean, log_scale)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_with_minus_the_likelihood_it_is_an_upper_bound_of_minus_log_p():
    def negative(x, logits):
        p = jax.nn.sigmoid(logits)
        return -(x * jnp.log(p) + (1 - x) * jnp.log(1 - p)).sum(-1)

    keys = jax.random.split(KEY, 3000)
    x = (X > 0.5).astype(jnp.float32)
    bound = jax.jit(lambda: jax.lax.map(lambda k: variational(MODEL, negative)(PARAMS, x, k), keys).mean(0))()
    weights = MODEL.log_weights(PARAMS, x)(KEY, 3000)
    log_p = jax.nn.logsumexp(weights, axis=0) - np.log(3000)
    assert (bound > -log_p - 0.02).all()
    np.testing.assert_allclose(bound, -weights.mean(0), atol=0.1)
