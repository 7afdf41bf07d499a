"""The VAE as a game of one player, which moves encoder and decoder up the evidence lower bound."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.bounds import elbo
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import VAE


def warm_up(beta: float, steps: int) -> Callable[[jax.Array], jax.Array]:
    """Return the schedule step -> weight of the KL: from beta / steps up to beta over the first `steps` steps."""
    return lambda step: beta * jnp.minimum(1.0, (step + 1) / max(steps, 1))


def vae_game(
    vae: VAE,
    tx: optax.GradientTransformation,
    *,
    beta: Callable[[jax.Array], jax.Array] = lambda step: jnp.float32(1.0),
    free_nats: float = 0.0,
) -> Game:
    """Return the game of a VAE (Kingma and Welling 2014) on batches with "x" [B, ...].

    beta: step -> weight of the KL. free_nats: of each latent (see `gaussian_kl`).
    """

    def init(key, batch):
        return vae.init(key, batch["x"]), {}

    def loss(params, state, batch, key):
        mean, log_scale = vae.encode(params, batch["x"])
        z = mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)
        log_likelihood = vae.output.log_likelihood(batch["x"], vae.decode(params, z))
        counted = gaussian_kl(mean, log_scale, free_nats=free_nats)
        objective = elbo(log_likelihood, counted, beta=beta(state.step))
        kl = gaussian_kl(mean, log_scale)
        metrics = {
            "vae/log_likelihood": log_likelihood.mean(),
            "vae/kl": kl.mean(),
            "vae/elbo": (log_likelihood - kl).mean(),
        }
        return {"vae": -objective.mean()}, Aux({}, metrics)

    return Game(init, {"vae": Player(("encoder", "decoder"), tx)}, (Phase(("vae",), loss),))
