"""The importance weighted autoencoder (Burda et al. 2016) as a game of one player, for any model with `log_weights`."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.bounds import doubly_reparameterised, importance_weighted
from jaxgen.models.vae import VAE

Array = jax.Array


class Weighted(Protocol):
    """A latent-variable model, with parameters {"encoder": ..., "decoder": ...}."""

    def init(self, key: Array, x: Array) -> dict[str, Any]:
        """Return fresh parameters."""

    def log_weights(self, params: Any, x: Array, *, beta: Array | float = 1.0) -> Callable[[Array, int], Array]:
        """Return (key, n) -> [n, B], log p(x|z) + beta (log p(z) - log q(z|x))."""


Bound = Callable[[Weighted, Any, Array, Array, int, Array], Array]  # (model, params, x, key, k, beta) -> [B]


def plain(model: Weighted, params: Any, x: Array, key: Array, k: int, beta: Array | float = 1.0) -> Array:
    """Return the bound of k samples [B], nats, with its own gradient."""
    return importance_weighted(model.log_weights(params, x, beta=beta)(key, k))


def doubly(model: VAE, params: Any, x: Array, key: Array, k: int, beta: Array | float = 1.0) -> Array:
    """Return the bound of k samples [B], nats, with the doubly reparameterised gradient.

    Raises ValueError for a beta other than 1.0: the gradient is that of the importance weights themselves.
    """
    if not isinstance(beta, float | int) or beta != 1:
        raise ValueError(f"doubly: expected no beta but 1.0, which the gradient is derived for, got {beta}")
    mean, log_scale = model.encode(params, x)
    noise = jax.random.normal(key, (k, *mean.shape))
    z = mean[None] + jnp.exp(log_scale)[None] * noise
    theta = (params["decoder"], x, *jax.lax.stop_gradient((mean, log_scale)))
    return doubly_reparameterised(lambda theta, z: jax.vmap(lambda one: model.log_weight(theta, one))(z), theta, z)


def iwae_game(
    model: Weighted,
    tx: optax.GradientTransformation,
    *,
    k: int,
    bound: Bound = plain,
    beta: Callable[[Array], Array] = lambda step: 1.0,
) -> Game:
    """Return the game that moves encoder and decoder up the bound of k samples, on batches with "x" [B, ...].

    bound: `plain`, `doubly`, or one of your own. beta: step -> weight of log p(z) - log q(z|x), to warm up, which
    `doubly` refuses.
    """

    def init(key, batch):
        return model.init(key, batch["x"]), {}

    def loss(params, state, batch, key):
        value = bound(model, params, batch["x"], key, k, beta(state.step)).mean()
        return {"iwae": -value}, Aux({}, {"iwae/bound": value})

    return Game(init, {"iwae": Player(("encoder", "decoder"), tx)}, (Phase(("iwae",), loss),))
