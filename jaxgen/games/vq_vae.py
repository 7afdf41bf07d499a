"""The VQ-VAE as a game of one player (van den Oord et al. 2017); its code book is learned, or follows its vectors."""

from typing import Any

import jax
import optax

from jaxgen.game import Aux, Game, Phase, Player, TrainState
from jaxgen.losses.quantisation import codebook_error, commitment, perplexity
from jaxgen.models.vq_vae import VQVAE
from jaxgen.nn import quantise


def vq_vae_game(
    model: VQVAE,
    tx: optax.GradientTransformation,
    *,
    codes: int,
    weight: float = 0.25,
    decay: float | None = 0.99,
    restart: float = 0.0,
) -> Game:
    """Return the game on batches with "x" [B, ...], which minimises equation 3, summed over an example's dimensions.

    codes: size of the code book, which starts from vectors of the first batch. weight: of the commitment. decay: of
    the code book's running means; None has it learned by gradients instead. restart: part of an equal share of a
    batch's vectors below which a code starts anew; only where the code book follows its vectors.

    The code book is state.extra["codebook"], or the network "codebook" where it is learned; see `codes_of`.
    """
    learned, never = decay is None, isinstance(restart, float | int) and restart == 0  # a traced number is a sweep's
    networks = ("encoder", "decoder", "codebook") if learned else ("encoder", "decoder")

    def init(key, batch):
        params, z = model.init(jax.random.fold_in(key, 0), batch["x"])
        book = quantise.start(jax.random.fold_in(key, 1), z, codes)
        return ({**params, "codebook": {"codes": book.codes}}, {}) if learned else (params, {"codebook": book})

    def loss(params, state, batch, key):
        x = batch["x"]
        table = params["codebook"]["codes"] if learned else state.extra["codebook"].codes
        z = model.encode(params, x)
        vectors = jax.lax.stop_gradient(z)
        index = quantise.nearest(vectors, jax.lax.stop_gradient(table))
        code = table[index]
        log_likelihood = model.log_likelihood(params, x, quantise.straight_through(z, code))
        committed = commitment(z, code)
        objective = weight * committed - log_likelihood
        extra = {}
        if learned:
            objective = objective + codebook_error(z, code)
        else:
            book = quantise.follow(state.extra["codebook"], vectors, index, decay=decay)
            extra = {"codebook": book if never else quantise.restart(book, vectors, key, share=restart)}
        metrics = {
            "vq_vae/log_likelihood": log_likelihood.mean(),
            "vq_vae/commitment": committed.mean(),
            "vq_vae/perplexity": perplexity(quantise.counts(index, codes)),
        }
        return {"vq_vae": objective.mean()}, Aux(extra, metrics)

    return Game(init, {"vq_vae": Player(networks, tx)}, (Phase(("vq_vae",), loss),))


def codes_of(state: TrainState) -> Any:
    """Return the codes [K, D] of a state of the game."""
    return state.params["codebook"]["codes"] if "codebook" in state.params else state.extra["codebook"].codes
