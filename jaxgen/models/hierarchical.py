"""Several layers of latent variables: a chain (Burda et al. 2016, section 5) and a ladder (Sonderby et al. 2016).

Both generate from the top: p(z_L) = N(0, 1), Gaussian p(z_l | z_l+1), p(x | z_1). They differ in how they infer.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.losses.likelihoods import LOG_SCALE
from jaxgen.models.vae import Encoder, Output, full

Array = jax.Array
Gaussian = tuple[Array, Array]  # mean and log standard deviation, each [..., D]


class Rung(nn.Module):
    """One step up a ladder: features [B, ...] -> (features [B, width], mean, log standard deviation [B, latent])."""

    trunk: nn.Module
    latent: int
    dtype: jnp.dtype | None = None
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """x: [B, ...]."""
        features = self.trunk(x)
        both = nn.Dense(2 * self.latent, dtype=self.dtype, param_dtype=self.param_dtype)(features)
        return features, *jnp.split(full(both), 2, axis=-1)


class Hierarchy(NamedTuple):
    """Networks of a model with len(up) layers; the parameters are {"encoder": {...}, "decoder": {...}}.

    up: in a chain `Encoder`s of q(z_1|x), q(z_2|z_1), ...; in a ladder `Rung`s, each on the features of the one below.
    down: `Encoder`s of p(z_1|z_2), p(z_2|z_3), ..., one fewer. decoder: z_1 -> output.
    """

    up: Sequence[nn.Module]
    down: Sequence[Encoder]
    decoder: nn.Module
    output: Output
    ladder: bool

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters for data like x [B, ...]."""
        keys = iter(jax.random.split(key, 2 * len(self.up)))
        encoder, decoder, below, codes = {}, {}, x, []
        for layer, network in enumerate(self.up):
            out, encoder[f"{layer + 1}"] = network.init_with_output(next(keys), below)
            below = out[0]
            codes.append(out[-1])
        for layer, network in enumerate(self.down):
            decoder[f"{layer + 1}"] = network.init(next(keys), codes[layer + 1])
        decoder["x"] = self.decoder.init(next(keys), codes[0])
        return {"encoder": encoder, "decoder": decoder}

    def log_weights(self, params: Any, x: Array, *, beta: Array | float = 1.0) -> Callable[[Array, int], Array]:
        """Return (key, n) -> log p(x|z_1) + beta (log p(z) - log q(z|x)) [n, B] in nats, for n draws z ~ q(z|x).

        beta: 1 for the importance weights of log p(x).
        """
        draw, sizes = self._posterior(params, x)

        def one(noise: Sequence[Array]) -> Array:
            codes, ratio = draw(noise)
            return self.output.log_likelihood(x, self.decode(params, codes[0])) + beta * sum(ratio)

        return lambda key, n: jax.vmap(one)(_noise(key, (n, len(x)), sizes))

    def kl(self, params: Any, x: Array, key: Array) -> list[Array]:
        """Return one sample's log q(z_l|.) - log p(z_l|z_l+1) of every layer, each [B] in nats, z_1's first."""
        draw, sizes = self._posterior(params, x)
        return [-ratio for ratio in draw(_noise(key, (len(x),), sizes))[1]]

    def decode(self, params: Any, z: Array) -> Any:
        """Return the decoder's output at z_1 [B, D_1]."""
        return self.decoder.apply(params["decoder"]["x"], z)

    def sample(self, params: Any, key: Array, count: int) -> Array:
        """Return E[x|z_1] [count, ...] of codes drawn from the top down."""
        sizes = [network.latent for network in self.up]
        noise = _noise(key, (count,), sizes)
        z = noise[-1]
        for layer in reversed(range(len(self.down))):
            mean, log_scale = self._prior(params, layer, z)
            z = mean + jnp.exp(log_scale) * noise[layer]
        return self.output.mean(self.decode(params, z))

    def reconstruct(self, params: Any, x: Array, layer: int = 0) -> Array:
        """Return E[x|z_1] [B, ...] of the posterior mean of z_(layer + 1), the layers below at their priors' means."""
        draw, sizes = self._posterior(params, x)
        codes, _ = draw([jnp.zeros((len(x), size)) for size in sizes])
        z = codes[layer]
        for below in reversed(range(layer)):
            z = self._prior(params, below, z)[0]
        return self.output.mean(self.decode(params, z))

    def _prior(self, params: Any, layer: int, above: Array) -> Gaussian:
        return self.down[layer].apply(params["decoder"][f"{layer + 1}"], above)

    def _posterior(self, params: Any, x: Array):
        """Return noise (an array a layer) -> (codes, log p - log q a layer [B]), and the sizes of the layers.

        What depends on x alone is computed here, once for any number of draws.
        """
        sizes = [network.latent for network in self.up]
        top = len(self.up) - 1
        if self.ladder:
            below, hats = x, []
            for layer, network in enumerate(self.up):
                below, *hat = network.apply(params["encoder"][f"{layer + 1}"], below)
                hats.append(tuple(hat))
        else:
            first = self.up[0].apply(params["encoder"]["1"], x)

        def draw_ladder(noise):
            codes, ratios = [None] * len(noise), [None] * len(noise)
            for layer in reversed(range(len(noise))):
                if layer == top:
                    prior, posterior = None, hats[layer]
                else:
                    prior = self._prior(params, layer, codes[layer + 1])
                    posterior = combine(hats[layer], prior)
                codes[layer] = posterior[0] + jnp.exp(posterior[1]) * noise[layer]
                ratios[layer] = _ratio(codes[layer], noise[layer], prior, posterior)
            return codes, ratios

        def draw_chain(noise):
            codes, posteriors = [], []
            for layer, network in enumerate(self.up):
                posteriors.append(first if layer == 0 else network.apply(params["encoder"][f"{layer + 1}"], codes[-1]))
                codes.append(posteriors[-1][0] + jnp.exp(posteriors[-1][1]) * noise[layer])
            priors = [self._prior(params, layer, codes[layer + 1]) for layer in range(top)] + [None]
            return codes, [_ratio(*parts) for parts in zip(codes, noise, priors, posteriors, strict=True)]

        return draw_ladder if self.ladder else draw_chain, sizes


def combine(a: Gaussian, b: Gaussian) -> Gaussian:
    """Return the normalised product of two Gaussians: precisions add, means are weighted by them."""
    log_a, log_b = (-2 * jnp.clip(log_scale, -LOG_SCALE, LOG_SCALE) for _, log_scale in (a, b))
    share = jax.nn.sigmoid(log_a - log_b)  # of a's precision in the sum
    return share * a[0] + (1 - share) * b[0], -0.5 * jnp.logaddexp(log_a, log_b)


def _ratio(z: Array, noise: Array, prior: Gaussian | None, posterior: Gaussian) -> Array:
    """Return log p(z) - log q(z) [B] for z = mean + scale * noise of q; no prior stands for N(0, 1)."""
    if prior is None:
        return (0.5 * (noise**2 - z**2) + posterior[1]).sum(-1)
    log_scale = jnp.clip(prior[1], -LOG_SCALE, LOG_SCALE)
    residual = (z - prior[0]) * jnp.exp(-log_scale)
    return (0.5 * (noise**2 - residual**2) + posterior[1] - log_scale).sum(-1)


def _noise(key: Array, shape: tuple[int, ...], sizes: Sequence[int]) -> list[Array]:
    return [jax.random.normal(jax.random.fold_in(key, layer), (*shape, size)) for layer, size in enumerate(sizes)]
