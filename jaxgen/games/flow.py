"""A normalizing flow as a game of one player, which moves it up the likelihood."""

from collections.abc import Callable

import jax
import optax

from jaxgen.game import Aux, Batch, Game, Phase, Player
from jaxgen.models.dequantise import Noise, uniform
from jaxgen.models.flow import Flow


def flow_game(
    flow: Flow,
    tx: optax.GradientTransformation,
    *,
    noise: Noise | None = None,
    condition: Callable[[Batch], jax.Array | None] = lambda batch: None,
    ema: float = 0.0,
) -> Game:
    """Return the game of maximum likelihood on batches with "x" [B, ...].

    noise: then x are integers, and the flow and this noise, which makes them continuous, together climb the bound of
    their log-probability (Ho et al. 2019, "Flow++", section 3.1). condition: batch -> what the density is conditional
    on. ema: decay of the average of the parameters, 0 for none. Where layers solve equations, the metrics have the mean
    numbers of steps accepted and rejected: both together are the layer's most where a NaN is a solve that ran out.
    """

    def init(key, batch):
        if noise is None:
            return flow.init(key, batch["x"], condition(batch)), {}
        keys = jax.random.split(key, 3)
        x = uniform(keys[0], batch["x"], levels=noise.levels)[0]
        own = {"noise": noise.init(keys[1], keys[0], batch["x"])["params"]}
        return flow.init(keys[2], x, condition(batch)) | own, {}

    def loss(params, state, batch, key):
        x, log_q = batch["x"], 0.0
        if noise is not None:
            x, log_q = noise.apply({"params": params["noise"]}, key, x)
        estimate = jax.random.fold_in(key, 1)  # of the log-determinant, where the flow estimates it
        log_p, steps = flow.log_prob_and_steps(params, x, condition(batch), key=estimate)
        log_prob = (log_p - log_q).mean()
        told = {f"flow/steps_{name}": count for name, count in steps.items()}
        return {"flow": -log_prob}, Aux({}, {"flow/log_prob": log_prob, **told})

    moves = flow.networks if noise is None else (*flow.networks, "noise")
    average = dict.fromkeys(moves, ema) if ema else {}
    return Game(init, {"flow": Player(moves, tx)}, (Phase(("flow",), loss),), average)
