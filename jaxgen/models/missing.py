"""A VAE of images with missing pixels: MIWAE.

Mattei and Frellsen 2019, "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets". It is the VAE of
`jaxgen.models.vae`, with one of the outputs below, on what is seen of x: `see` zeroes the hidden pixels and puts the
mask beside them as one more channel. The decoder treats pixels as independent given z, so that to leave the hidden
ones out of the likelihood is to integrate over them: log weights are of p(x_observed, z), the bound of
`jaxgen.losses.bounds.importance_weighted` is that of log p(x_observed), and whatever is done with
a VAE's weights can be done with these.
"""

import jax
import jax.numpy as jnp

from jaxgen.losses import likelihoods
from jaxgen.models.vae import VAE, Output

Array = jax.Array


def see(x: Array, observed: Array) -> Array:
    """Return what is seen of images, [B, H, W, C + 1]: x, 0 where it is hidden, and the mask.

    x: [B, H, W, C]; hidden pixels may be anything, NaN too. observed: [B, H, W, 1], true where seen.
    Raises ValueError for other shapes.
    """
    if x.ndim != 4 or observed.shape != (*x.shape[:3], 1):
        raise ValueError(
            f"see: expected images [B, H, W, C] and a mask [B, H, W, 1], got shapes {x.shape} and {observed.shape}"
        )
    return jnp.concatenate([jnp.where(observed, x, 0.0), observed.astype(x.dtype)], axis=-1)


def parts(seen: Array) -> tuple[Array, Array]:
    """Return x [B, H, W, C], 0 where hidden, and which of its numbers are observed, [B, H, W, C], of what is seen."""
    x = seen[..., :-1]
    return x, jnp.broadcast_to(seen[..., -1:] > 0, x.shape)


def _bernoulli(seen: Array, logits: Array) -> Array:
    x, observed = parts(seen)
    return likelihoods.bernoulli(x, logits, where=observed)


def _gaussian(seen: Array, output: tuple[Array, Array]) -> Array:
    x, observed = parts(seen)
    return likelihoods.gaussian(x, *output, where=observed)


BERNOULLI = Output(_bernoulli, jax.nn.sigmoid)
GAUSSIAN = Output(_gaussian, lambda output: output[0])


def draw(vae: VAE, params, seen: Array, key: Array, n: int) -> tuple[Array, Array]:
    """Return log p(x_observed, z) - log q(z | x_observed) [n, B], nats, of n draws from q, and E[x|z] [n, B, ...]."""
    mean, log_scale = vae.encode(params, seen)
    z = mean[None] + jnp.exp(log_scale)[None] * jax.random.normal(key, (n, *mean.shape))
    theta = (params["decoder"], seen, mean, log_scale)
    return jax.vmap(lambda one: (vae.log_weight(theta, one), vae.expect(params, one)))(z)


def impute(vae: VAE, params, seen: Array, key: Array, *, samples: int, chunk: int) -> Array:
    """Return x [B, H, W, C] with E[x_missing | x_observed] where it is hidden, by self-normalised importance sampling.

    The single imputation of Mattei and Frellsen: the mean of E[x|z_k] with weights w_k / sum w. It minimises the
    squared error, where the model is right and the samples are many. chunk: draws held in memory at once; the result
    is that of all at once. Raises ValueError for a chunk that does not divide `samples`.
    """
    if samples < 1 or chunk < 1 or samples % chunk:
        raise ValueError(f"impute: expected a chunk that divides the samples, got {chunk} for {samples} samples")

    def add(carry, key):
        total, mean = carry
        weights, expected = draw(vae, params, seen, key, chunk)
        new = jnp.logaddexp(total, jax.nn.logsumexp(weights, axis=0))
        share = jnp.exp(weights - new[None])
        return (new, _across(jnp.exp(total - new), mean) + _across(share, expected).sum(0)), None

    x, _ = parts(seen)
    start = jnp.full(len(x), -jnp.inf, x.dtype), jnp.zeros_like(x)
    (_, mean), _ = jax.lax.scan(add, start, jax.random.split(key, samples // chunk))
    return fill(seen, mean)


def resample(vae: VAE, params, seen: Array, key: Array, *, samples: int, draws: int) -> Array:
    """Return several imputations [draws, B, H, W, C]: E[x|z] in the hidden pixels, for z nearly of p(z | x_observed).

    Their multiple imputation, by sampling importance resampling: of `samples` draws from q, all held at once, each z is
    chosen by its weight. What varies between the imputations is what the observed pixels leave open.
    """
    keys = jax.random.split(key)
    weights, expected = draw(vae, params, seen, keys[0], samples)
    chosen = jax.random.categorical(keys[1], weights, axis=0, shape=(draws, weights.shape[1]))
    return jax.vmap(lambda one: fill(seen, one))(expected[chosen, jnp.arange(len(seen)).reshape(1, -1)])


def fill(seen: Array, x: Array) -> Array:
    """Return the observed pixels of what is seen, and those of x [B, H, W, C] where they are hidden."""
    own, observed = parts(seen)
    return jnp.where(observed, own, x)


def _across(weights: Array, x: Array) -> Array:
    return weights.reshape(*weights.shape, *[1] * (x.ndim - weights.ndim)) * x
