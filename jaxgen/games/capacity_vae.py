"""The VAE whose KL is held at a capacity, as a game of one player (Burgess et al. 2018, section 5)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.bounds import capacity_bound
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import VAE


def grow(capacity: float, steps: int) -> Callable[[jax.Array], jax.Array]:
    """Return the schedule step -> nats: in a straight line from 0 to `capacity` over the first `steps` steps."""
    return lambda step: capacity * jnp.minimum(1.0, step / max(steps, 1))


def capacity_vae_game(
    vae: VAE, tx: optax.GradientTransformation, *, gamma: float, capacity: Callable[[jax.Array], jax.Array]
) -> Game:
    """Return the game on batches with "x" [B, ...]. gamma: see `capacity_bound`. capacity: step -> nats."""

    def init(key, batch):
        return vae.init(key, batch["x"]), {}

    def loss(params, state, batch, key):
        mean, log_scale = vae.encode(params, batch["x"])
        z = mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)
        log_likelihood = vae.output.log_likelihood(batch["x"], vae.decode(params, z))
        kl, now = gaussian_kl(mean, log_scale), capacity(state.step)
        objective = capacity_bound(log_likelihood, kl, gamma=gamma, capacity=now)
        metrics = {
            "vae/log_likelihood": log_likelihood.mean(),
            "vae/kl": kl.mean(),
            "vae/elbo": (log_likelihood - kl).mean(),
            "vae/capacity": jnp.asarray(now, kl.dtype),
        }
        return {"vae": -objective.mean()}, Aux({}, metrics)

    return Game(init, {"vae": Player(("encoder", "decoder"), tx)}, (Phase(("vae",), loss),))
