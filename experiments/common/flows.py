"""The experiment of a normalizing flow."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from experiments.common import flow_pictures as draw
from experiments.common.flow_config import FlowConfig
from experiments.common.flow_scores import Condition, FlowView, Scores, flow_view
from experiments.common.mirror import check_flip, mirrored
from experiments.common.plain import generated_by
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain, Inverse, Repeat
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.squeeze import Squeeze, squeezed
from jaxgen.data import Dataset
from jaxgen.games.flow import flow_game
from jaxgen.models.dequantise import Noise
from jaxgen.models.flow import NORMAL, Flow
from jaxgen.models.mixture import Mixture
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment

Array = jax.Array
BASE_RATE = 20  # a mixture's step size over the networks': it finds the modes before they draw bridges between them
Make = Callable[[Any, tuple[int, ...]], Bijector]
"""(configuration, shape of an example) -> bijector of what comes out of the logit, for images, or of rows."""


def build(
    config: FlowConfig,
    make: Make,
    *,
    condition: Callable[[Dataset], Condition] | None = None,
    exact: Make | None = None,
) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data.

    exact: makes the bijector that scores and draws, with the same parameters, where the trained one estimates.
    """
    seen = flow_view(open_data(config), config.types["param_dtype"])
    check_flip(config.flip, seen.data)
    given = condition(seen.data) if condition else Condition()

    def flow_of(make):
        bijector = make(config, seen.shape)
        if seen.images:
            bijector = Chain([Logit(config.alpha), bijector])
        size = math.prod(seen.shape)
        base = Mixture(config.components, size, config.types["param_dtype"]) if config.components else NORMAL
        return Flow(bijector, (size,), base)

    trained, flow = flow_of(make), flow_of(exact or make)
    noise = noise_of(config, seen)
    score = Scores(config, seen, flow, noise, given)

    def prepare(key, batch):
        batch = mirrored(config.flip, key, batch)
        x = batch["image"].astype(jnp.int32) if noise else seen.see("train", key, batch)
        return {"x": x, **({} if condition is None else {"condition": given.of(batch)})}

    def game(config):
        cut = [optax.clip_by_global_norm(config.clip)] if config.clip else []
        adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        of_base = optax.masked(optax.scale(BASE_RATE), lambda parts: {name: name == "base" for name in parts})
        tx = optax.chain(*cut, adam, *([of_base] if config.components else []))
        return flow_game(trained, tx, noise=noise, condition=lambda batch: batch.get("condition"), ema=config.ema)

    def pictures(state):
        params = generated_by(state)
        if seen.images:
            return draw.image_pictures(flow, params, given.shown)
        if condition is not None:
            return {}
        return (draw.plane_pictures if seen.shape == (2,) else draw.table_picture)(flow, params, seen)

    def finish(state, progress):
        params, result = generated_by(state), score.finish(state, progress)
        more = given.scores(score, state, progress)
        result = result._replace(
            scores={**result.scores, **more},
            units={**result.units, **dict.fromkeys(more, "%")},
            better={**result.better, **dict.fromkeys(more, "higher")},
        )
        if seen.images:
            drawn = draw.noise_pictures(flow, params, *score.test_images(params, 16), config.temperatures, given.shown)
            return result._replace(pictures=drawn)
        if seen.shape == (2,) and condition is None:
            warped = draw.warp_picture(flow, params)
            return result._replace(pictures=warped | draw.temperature_picture(flow, params, seen, config.temperatures))
        return result

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=prepare,
        evaluate=score.evaluate,
        pictures=pictures,
        finish=finish,
        watch="log_prob",
        variant=lambda options: game(replace(config, **options)),
    )


def noise_of(config: FlowConfig, seen: FlowView) -> Noise | None:
    """Return the flow of the noise of variational dequantisation, where it is asked for.

    It changes squares of 2x2 pixels, half of each as the other half and the image say, in turns.
    """
    if not seen.images and (config.dequantise != "uniform" or config.bound_samples > 1):
        raise ValueError(f"--dequantise and --bound-samples are for images, {config.data} has a density as it is")
    if config.dequantise == "uniform":
        return None
    if any(side % 2 for side in seen.shape[:2]):
        raise ValueError(f"--dequantise variational needs images of even sides, {config.data} has {seen.shape}")
    pair = Chain([Coupling(config.conv(), affine()), Coupling(config.conv(), affine(), flip=True)])
    return Noise(Chain([Squeeze(), Repeat(pair, 2), Inverse(Squeeze())]), seen.data.levels, encoder=squeezed)
