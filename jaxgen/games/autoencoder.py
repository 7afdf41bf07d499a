"""Autoencoders as a game: any number of them side by side on the same batches, each moved by its own player."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.models.autoencoder import Autoencoder
from jaxgen.models.tied import TiedAutoencoder

Array = jax.Array
Objective = Callable[[Any, Array, Array], Array]  # (params, x [B, ...], key) -> [B]
NETWORKS = ("encoder", "decoder")


class Trainee(NamedTuple):
    """An autoencoder, what it minimises, and its optimiser."""

    model: Autoencoder | TiedAutoencoder
    objective: Objective
    tx: optax.GradientTransformation


def reconstruct(
    model: Autoencoder | TiedAutoencoder,
    error: Callable[[Array, Array], Array],
    corrupt: Callable[[Array, Array], Array] = lambda key, x: x,
) -> Objective:
    """Return the objective: `error` between x and the decoder's output for a corrupted x.

    error: (x, output) -> [B]. corrupt: (key, x) -> what the encoder sees (Vincent et al. 2008). The encoder also
    has an rng "noise", for layers that are noisy in training.
    """

    def objective(params, x, key):
        before, within = jax.random.split(key)
        code = model.encode(params, corrupt(before, x), rngs={"noise": within})
        return error(x, model.decode(params, code))

    return objective


def penalised(objective: Objective, penalty: Objective, weight: Array | float) -> Objective:
    """Return objective + weight * penalty [B], as of the contractive autoencoder (Rifai et al. 2011, equation 5)."""

    def total(params, x, key):
        keys = jax.random.split(key)
        return objective(params, x, keys[0]) + weight * penalty(params, x, keys[1])

    return total


def autoencoder_game(trainees: Mapping[str, Trainee]) -> Game:
    """Return the game of one player and one phase an autoencoder, on batches with "x" [B, ...].

    The networks of trainee NAME are "NAME/encoder" and "NAME/decoder"; see `params_of`. Each starts from a key
    of its own, in order.
    """

    def init(key, batch):
        params = {}
        for number, (name, trainee) in enumerate(trainees.items()):
            fresh = trainee.model.init(jax.random.fold_in(key, number), batch["x"])
            params |= {f"{name}/{network}": fresh[network] for network in NETWORKS}
        return params, {}

    def phase(name: str, trainee: Trainee) -> Phase:
        def loss(params, state, batch, key):
            return {name: trainee.objective(params_of(name, params), batch["x"], key).mean()}, Aux({}, {})

        return Phase((name,), loss)

    players = {name: Player(tuple(f"{name}/{n}" for n in NETWORKS), one.tx) for name, one in trainees.items()}
    return Game(init, players, tuple(phase(name, one) for name, one in trainees.items()))


def params_of(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the {"encoder", "decoder"} of one trainee."""
    return {network: params[f"{name}/{network}"] for network in NETWORKS}
