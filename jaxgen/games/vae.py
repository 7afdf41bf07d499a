"""The VAE as a game of one player, which moves encoder and decoder up the evidence lower bound."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Batch, Game, Phase, Player
from jaxgen.losses.bounds import capacity_bound, elbo
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import VAE


def warm_up(beta: float, steps: int) -> Callable[[jax.Array], jax.Array]:
    """Return the schedule step -> weight of the KL: from beta / steps up to beta over the first `steps` steps."""
    return lambda step: beta * jnp.minimum(1.0, (step + 1) / max(steps, 1))


def grow(capacity: float, steps: int) -> Callable[[jax.Array], jax.Array]:
    """Return the schedule step -> nats: in a straight line from 0 to `capacity` over the first `steps` steps."""
    return lambda step: capacity * jnp.minimum(1.0, step / max(steps, 1))


def vae_game(
    vae: VAE,
    tx: optax.GradientTransformation,
    *,
    beta: Callable[[jax.Array], jax.Array] = lambda step: jnp.float32(1.0),
    capacity: Callable[[jax.Array], jax.Array] | None = None,
    free_nats: float = 0.0,
    given: Callable[[VAE, Batch], VAE] = lambda vae, batch: vae,
) -> Game:
    """Return the game of a VAE (Kingma and Welling 2014) on batches with "x" [B, ...].

    beta: step -> weight of the KL. capacity: step -> nats that the KL is held at; then beta weighs its distance from
    there (see `capacity_bound`). free_nats: of each latent (see `gaussian_kl`). given: the model for a batch, which may
    hang on more of it than x (see `jaxgen.models.conditional`).
    """

    def init(key, batch):
        return given(vae, batch).init(key, batch["x"]), {}

    def loss(params, state, batch, key):
        here = given(vae, batch)
        z, mean, log_scale = here.draw(params, batch["x"], key)
        log_likelihood = here.output.log_likelihood(batch["x"], here.decode(params, z))
        counted = gaussian_kl(mean, log_scale, free_nats=free_nats)
        weight, extra = beta(state.step), {}
        if capacity is None:
            objective = elbo(log_likelihood, counted, beta=weight)
        else:
            now = capacity(state.step)
            objective = capacity_bound(log_likelihood, counted, gamma=weight, capacity=now)
            extra = {"vae/capacity": jnp.asarray(now, counted.dtype)}
        kl = gaussian_kl(mean, log_scale)
        metrics = {
            "vae/log_likelihood": log_likelihood.mean(),
            "vae/kl": kl.mean(),
            "vae/elbo": (log_likelihood - kl).mean(),
            **extra,
        }
        return {"vae": -objective.mean()}, Aux({}, metrics)

    return Game(init, {"vae": Player(("encoder", "decoder"), tx)}, (Phase(("vae",), loss),))
