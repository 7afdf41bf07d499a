"""The VAE that never learns from one class, for anomaly detection: a game of one player whose class can be traced."""

import jax
import jax.numpy as jnp
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.losses.bounds import elbo
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.models.vae import VAE
from jaxgen.nn.axis import total

LEFT_OUT = "left_out"  # the entry of `state.extra` that says which class it is


def kept(label: jax.Array, left_out: jax.Array | float) -> jax.Array:
    """Return 1.0 for examples of other classes and 0.0 for those left out, [B]. label: integers [B]."""
    return (label != left_out).astype(jnp.float32)


def left_out_game(vae: VAE, tx: optax.GradientTransformation, *, left_out: jax.Array | float) -> Game:
    """Return the game that moves a VAE up the mean bound of the examples of all classes but one.

    Batches have "x" [B, ...] and "label" [B]. left_out: the class, a number, which may be traced: one compiled step
    trains a model for each class. It is kept in `state.extra["left_out"]`, where scores find it. A batch without any
    other class has the loss zero.
    """

    def init(key, batch):
        return vae.init(key, batch["x"]), {LEFT_OUT: jnp.asarray(left_out, jnp.float32)}

    def loss(params, state, batch, key):
        weight = kept(batch["label"], left_out)
        # Under pmap a device's mean counts as 1 / devices of all, however many of its examples are kept.
        share = weight * total(1.0) / jnp.maximum(total(weight.sum()), 1.0)

        z, mean, log_scale = vae.draw(params, batch["x"], key)
        log_likelihood = vae.output.log_likelihood(batch["x"], vae.decode(params, z))
        kl = gaussian_kl(mean, log_scale)
        value = (share * elbo(log_likelihood, kl)).sum()
        return {"vae": -value}, Aux({}, {"vae/elbo": value, "vae/kl": (share * kl).sum()})

    return Game(init, {"vae": Player(("encoder", "decoder"), tx)}, (Phase(("vae",), loss),))
