"""A normalizing flow as a game of one player, which moves it up the likelihood."""

from collections.abc import Callable

import jax
import optax

from jaxgen.game import Aux, Batch, Game, Phase, Player
from jaxgen.models.flow import Flow


def flow_game(
    flow: Flow,
    tx: optax.GradientTransformation,
    *,
    condition: Callable[[Batch], jax.Array | None] = lambda batch: None,
    ema: float = 0.0,
) -> Game:
    """Return the game of maximum likelihood on batches with "x" [B, ...].

    condition: batch -> what the density is conditional on. ema: decay of the average of the parameters, 0 for none.
    """

    def init(key, batch):
        return flow.init(key, batch["x"], condition(batch)), {}

    def loss(params, state, batch, key):
        log_prob = flow.log_prob(params, batch["x"], condition(batch)).mean()
        return {"flow": -log_prob}, Aux({}, {"flow/log_prob": log_prob})

    return Game(init, {"flow": Player(("flow",), tx)}, (Phase(("flow",), loss),), {"flow": ema} if ema else {})
