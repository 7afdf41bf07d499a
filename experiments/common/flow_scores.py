"""What a flow sees of a data set, and how it is scored on what was held out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.flow_config import FlowConfig
from experiments.common.flow_pictures import box
from experiments.common.keys import fixed_key
from experiments.common.plain import generated_by
from experiments.common.view import View
from jaxgen.bijectors.base import per_example
from jaxgen.data import Dataset
from jaxgen.data.standardise import Standard, standard_of, standardise
from jaxgen.game import TrainState
from jaxgen.metrics.batched import over
from jaxgen.metrics.plane import integral
from jaxgen.models.dequantise import Dequantiser, Noise, bits_per_dim, bound, uniform
from jaxgen.models.flow import Flow
from jaxgen.run.data import first
from jaxgen.run.experiment import Progress, Result

Array = jax.Array
INVERTED = 32  # test images that the inverse is tried on


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
        if self.images:
            return f"{self.data.source}. Images as integers; the flow sees them with noise, in (0, 1)."
        if self.standard is None:
            return super().protocol()
        return f"{self.data.source}. Columns of mean 0 and deviation 1 by the training part; densities of those."


def flow_view(data: Dataset, dtype: Any = jnp.float32) -> FlowView:
    """Return the view in numbers of this type: tables, which have no exact density, are standardised."""
    table = data.levels is None and data.log_density is None
    return FlowView(data, "gaussian", "dynamic", standard_of(data.train["x"]) if table else None, dtype)


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

        def log_prob(y):
            return self.flow.log_prob(params, y.astype(self.seen.dtype), condition)

        image = batch["image"].astype(jnp.int32)
        return bound(log_prob, self.dequantiser(params), key, image, samples=samples)

    def dequantiser(self, params: Any) -> Dequantiser:
        """Return what makes images continuous, as in training: uniform noise, or that of the flow that was trained."""
        if self.noise is None:
            return partial(uniform, levels=self.seen.data.levels)
        return partial(self.noise.apply, {"params": params["noise"]})

    def test_images(self, params: Any, count: int) -> tuple[Array, Array | None]:
        """Return the first test images as the flow sees them, x [count, ...] at most, and their conditions."""
        rows = first(self.seen.data.test, count)
        x, _ = jax.jit(self.dequantiser(params))(fixed_key(), rows["image"].astype(np.int32))
        return x.astype(self.seen.dtype), self.given.of(rows)

    def of(self, state: TrainState, part: str, samples: int, progress: Progress = lambda text: None) -> np.ndarray:
        """Return log p(x) [N] of a part, in nats."""
        function = partial(self.compiled, generated_by(state), samples, part)
        rows = getattr(self.seen.data, part)
        return over(function, fixed_key(), rows, batch_size=500, progress=progress)

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
        if lost := int((~np.isfinite(rows)).sum()):
            solver = ", as a solver that does not arrive within --most-steps has none"
            told += f" {lost} have no finite density{solver if hasattr(self.config, 'most_steps') else ''}."
        if self.seen.images:
            dimensions, levels = self.flow.shape[0], self.seen.data.levels
            bits = bits_per_dim(rows.mean(), dimensions)
            plain = bits_per_dim(-self.seen.baseline(), dimensions, levels=levels)
            return Result(
                scores={"bits/dim": bits, "inverse error": self.inverse_error(state)},
                baselines={"bits/dim": plain},
                better={"bits/dim": "lower", "inverse error": "lower"},
                protocol=f"{told} A bound by {samples} draw(s) of {self.config.dequantise} noise, of intensities 0 to "
                f"{levels - 1}; the baseline has a normal distribution a pixel. Inverse error: the largest |x' - x| / "
                f"|x| of {INVERTED} test images x with noise, encoded and decoded to x'.",
            )
        if self.seen.data.log_density is not None:
            return self.of_plane(state, rows, told, progress)
        x = {part: self.seen.some(part, 10**9)["x"] for part in ("train", "test")}
        return Result(
            scores={"log-likelihood": rows.mean()},
            baselines={"log-likelihood": float(full_gaussian(x["train"])(x["test"]).mean())},
            units={"log-likelihood": "nats"},
            better={"log-likelihood": "higher"},
            protocol=f"{told} The baseline is a normal distribution with all covariances.",
        )

    def inverse_error(self, state: TrainState) -> float:
        """Return the largest |x' - x| / |x| of some test images x, where x' is x encoded and decoded."""
        params = generated_by(state)
        x, condition = self.test_images(params, INVERTED)
        z = jax.jit(self.flow.encode)(params, x, condition)[0]
        back = jax.jit(self.flow.decode)(params, z, condition)[0]
        return float((jnp.sqrt(per_example((back - x) ** 2)) / jnp.sqrt(per_example(x**2))).max())

    def of_plane(self, state: TrainState, rows: np.ndarray, told: str, progress: Progress) -> Result:
        """Return the final scores where the truth is known: log p(x) [N] of the test part beside it."""
        x = np.asarray(self.seen.data.test["x"])
        exact = float(-np.asarray(self.seen.data.log_density(x)).mean())
        scores = {"negative log-likelihood": -rows.mean(), "above the truth": -rows.mean() - exact}
        if self.config.integral_points and self.given.shown is None:
            progress("summing the density")
            log_prob = jax.jit(self.flow.log_prob)
            params, points = generated_by(state), self.config.integral_points
            summed = integral(lambda x: log_prob(params, x.astype(self.seen.dtype)), box(x, 0.3), points=points)
            scores["integral"] = summed.value
            told += f" The density is summed on {points} x {points} points around the data (error {summed.error:.0e})."
        return Result(
            scores=scores,
            baselines={"negative log-likelihood": exact, "integral": 1.0},
            units={"negative log-likelihood": "nats", "above the truth": "nats"},
            better={"negative log-likelihood": "lower", "above the truth": "lower"},
            protocol=f"{told} The baseline is the exact density's own, on the same points.",
        )


def full_gaussian(train: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, D] -> log p(x) [M] in nats of the normal distribution fitted to train [N, D]."""
    from scipy.stats import multivariate_normal

    train = np.asarray(train, np.float64)
    fitted = multivariate_normal(train.mean(0), np.cov(train.T), allow_singular=True)
    return lambda x: fitted.logpdf(np.asarray(x, np.float64))
