"""The experiment of a normalizing flow: data as it sees them, scores and pictures."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.flow_config import FlowConfig
from experiments.common.flow_pictures import image_pictures, noise_pictures, plane_pictures, warp_picture
from experiments.common.plain import generated_by
from experiments.common.view import View
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.coupling import MaskedCoupling, checkerboard, other
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.logit import Logit
from jaxgen.data import Dataset
from jaxgen.data.standardise import Standard, standard_of, standardise
from jaxgen.game import TrainState
from jaxgen.games.flow import flow_game
from jaxgen.metrics.batched import over
from jaxgen.models.dequantise import Noise, bits_per_dim, bound, uniform
from jaxgen.models.flow import Flow
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result

Array = jax.Array
KEY = jax.random.key(0)
Make = Callable[[Any, tuple[int, ...]], Bijector]
"""(configuration, shape of an example) -> bijector of what comes out of the logit, for images, or of rows."""


class Condition(NamedTuple):
    """What a density is conditional on. of: batch -> [B, ...], or None for nothing.

    shown: those of a picture, eight a row. scores: (scores, state, progress) -> what else is scored in the end, in %,
    the higher the better. told: for the protocol.
    """

    of: Callable[[Mapping[str, Any]], Array | None] = lambda batch: None
    shown: Array | None = None
    scores: Callable[["Scores", TrainState, Progress], Mapping[str, float]] = lambda scores, state, progress: {}
    told: str = ""


@dataclass(frozen=True)
class FlowView(View):
    """A data set as a flow sees it: images dequantised to (0, 1), tables standardised, toys as they are."""

    standard: Standard | None = None
    dtype: Any = jnp.float32

    @property
    def images(self) -> bool:
        """Whether examples are images [H, W, C]."""
        return self.data.levels is not None

    def see(self, part: str, key: Array, batch: Any) -> Array:
        """Return x [B, ...] of a batch."""
        x = super().see(part, key, batch).astype(self.dtype)
        return x if self.standard is None else standardise(x, self.standard)

    def protocol(self) -> str:
        """Say what was scored."""
        if self.standard is None:
            return super().protocol()
        return f"{self.data.source}. Columns of mean 0 and deviation 1 by the training part; densities of those."


def flow_view(data: Dataset, dtype: Any = jnp.float32) -> FlowView:
    """Return the view in numbers of this type: tables, which have no exact density, are standardised."""
    table = data.levels is None and data.log_density is None
    return FlowView(data, "gaussian", "dynamic", standard_of(data.train["x"]) if table else None, dtype)


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
    given = condition(seen.data) if condition else Condition()

    def flow_of(make):
        bijector = make(config, seen.shape)
        return Flow(Chain([Logit(config.alpha), bijector]) if seen.images else bijector, (math.prod(seen.shape),))

    trained, flow = flow_of(make), flow_of(exact or make)
    noise = noise_of(config, seen)
    score = Scores(config, seen, flow, noise, given)

    def prepare(key, batch):
        x = batch["image"].astype(jnp.int32) if noise else seen.see("train", key, batch)
        return {"x": x, **({} if condition is None else {"condition": given.of(batch)})}

    def game(config):
        cut = [optax.clip_by_global_norm(config.clip)] if config.clip else []
        tx = optax.chain(*cut, optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps)))
        return flow_game(trained, tx, noise=noise, condition=lambda batch: batch.get("condition"), ema=config.ema)

    def pictures(state):
        params = generated_by(state)
        if seen.images:
            return image_pictures(flow, params, given.shown)
        return plane_pictures(flow, params, seen) if seen.shape == (2,) and condition is None else {}

    def finish(state, progress):
        params, result = generated_by(state), score.finish(state, progress)
        more = given.scores(score, state, progress)
        result = result._replace(
            scores={**result.scores, **more},
            units={**result.units, **dict.fromkeys(more, "%")},
            better={**result.better, **dict.fromkeys(more, "higher")},
        )
        if seen.images:
            return result._replace(pictures=noise_pictures(flow, params, seen, config.temperatures, given.shown))
        if seen.shape == (2,) and condition is None:
            return result._replace(pictures=warp_picture(flow, params))
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
    """Return the flow of the noise of variational dequantisation, where it is asked for."""
    if not seen.images and (config.dequantise != "uniform" or config.bound_samples > 1):
        raise ValueError(f"--dequantise and --bound-samples are for images, {config.data} has a density as it is")
    if config.dequantise == "uniform":
        return None
    masks = (checkerboard, other(checkerboard)) * 2
    couplings = [MaskedCoupling(config.conv(), affine(), mask) for mask in masks]
    return Noise(Chain(couplings), seen.data.levels)


@dataclass(frozen=True)
class Scores:
    """Held-out log-likelihood: of rows in nats, of images by a bound, in bits a dimension."""

    config: FlowConfig
    seen: FlowView
    flow: Flow
    noise: Noise | None
    given: Condition

    def log_probs(self, params: Any, samples: int, part: str, key: Array, batch: Mapping[str, Any]) -> Array:
        """Return log p(x) [B] of a batch in nats; of images, the bound of `samples` draws of noise."""
        condition = self.given.of(batch)
        if not self.seen.images:
            return self.flow.log_prob(params, self.seen.see(part, key, batch), condition)
        levels = self.seen.data.levels
        dequantiser = (
            partial(self.noise.apply, {"params": params["noise"]}) if self.noise else partial(uniform, levels=levels)
        )
        image = batch["image"].astype(jnp.int32)
        return bound(
            lambda y: self.flow.log_prob(params, y.astype(self.seen.dtype), condition),
            dequantiser,
            key,
            image,
            samples=samples,
        )

    def of(self, state: TrainState, part: str, samples: int, progress: Progress = lambda text: None) -> np.ndarray:
        """Return log p(x) [N] of a part, in nats."""
        function = partial(self.compiled, generated_by(state), samples, part)
        rows = getattr(self.seen.data, part)
        return over(function, KEY, rows, batch_size=500, progress=progress)

    @cached_property
    def compiled(self) -> Callable:
        """`log_probs`, compiled once."""
        return jax.jit(self.log_probs, static_argnums=(1, 2))

    def evaluate(self, state: TrainState) -> dict[str, float]:
        """Return the validation scores."""
        log_prob = self.of(state, "validation", 1).mean()
        bits = {"bits_per_dim": bits_per_dim(log_prob, self.flow.shape[0])} if self.seen.images else {}
        return {"log_prob": log_prob, **bits}

    def finish(self, state: TrainState, progress: Progress) -> Result:
        """Return the final scores, on all of the test part."""
        samples = self.config.bound_samples
        rows = self.of(state, "test", samples, progress)
        told = f"{self.seen.protocol()} Mean over all {len(rows)} test examples{self.given.told}."
        if self.seen.images:
            dimensions, levels = self.flow.shape[0], self.seen.data.levels
            bits = bits_per_dim(rows.mean(), dimensions)
            plain = bits_per_dim(-self.seen.baseline(), dimensions, levels=levels)
            return Result(
                scores={"bits/dim": bits},
                baselines={"bits/dim": plain},
                better={"bits/dim": "lower"},
                protocol=f"{told} A bound by {samples} draw(s) of {self.config.dequantise} noise, of intensities 0 to "
                f"{levels - 1}; the baseline has a normal distribution a pixel.",
            )
        if self.seen.data.log_density is not None:
            exact = float(-np.asarray(self.seen.data.log_density(self.seen.data.test["x"])).mean())
            gap = -rows.mean() - exact
            return Result(
                scores={"negative log-likelihood": -rows.mean(), "above the truth": gap},
                baselines={"negative log-likelihood": exact},
                units={"negative log-likelihood": "nats", "above the truth": "nats"},
                better={"negative log-likelihood": "lower", "above the truth": "lower"},
                protocol=f"{told} The baseline is the exact density's own, on the same points.",
            )
        x = {part: self.seen.some(part, 10**9)["x"] for part in ("train", "test")}
        return Result(
            scores={"log-likelihood": rows.mean()},
            baselines={"log-likelihood": float(full_gaussian(x["train"])(x["test"]).mean())},
            units={"log-likelihood": "nats"},
            better={"log-likelihood": "higher"},
            protocol=f"{told} The baseline is a normal distribution with all covariances.",
        )


def full_gaussian(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, D] -> log p(x) [M] in nats of the normal distribution fitted to train [N, D]."""
    from scipy.stats import multivariate_normal

    train = np.asarray(train, np.float64)
    fitted = multivariate_normal(train.mean(0), np.cov(train.T), allow_singular=True)
    return lambda x: fitted.logpdf(np.asarray(x, np.float64))
