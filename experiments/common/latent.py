"""What the experiments with latent variables and a decoder p(x|z) have in common: options, networks, scores."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from experiments.common.autoencoders import ACTIVATIONS
from experiments.common.view import Binarise, Likelihood, View
from jaxgen.data import Dataset
from jaxgen.metrics.batched import over
from jaxgen.metrics.likelihood import check_samples, importance_sampled
from jaxgen.models.vae import BERNOULLI, GAUSSIAN, VAE, Decoder, Encoder, LocationScale, Output, logistic
from jaxgen.nn.conv import ConvTower, DeconvTower
from jaxgen.nn.mlp import MLP
from jaxgen.run.experiment import Common, Progress, Result

Array = jax.Array
HELD = 8_000_000  # numbers of x that scoring holds at once


@dataclass(frozen=True)
class OutputConfig(Common):
    """Options of every experiment with a likelihood p(x|z)."""

    activation: Literal["tanh", "relu", "silu"] = "tanh"
    """activation of every hidden layer"""
    likelihood: Likelihood | None = None
    """output distribution (default: bernoulli for grey images, gaussian for others); logistic is discretised"""
    binarise: Binarise = "dynamic"
    """how bernoulli images are made binary: drawn anew each time, drawn once, or cut at one half"""
    scale: float | None = None
    """scale of a gaussian or logistic output (default: learned)"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        if self.scale is not None and not 0 < self.scale < np.inf:
            raise ValueError(f"--scale must be above 0 and finite, got {self.scale}")
        check_not_negative(self, "learning_rate")


@dataclass(frozen=True)
class LatentConfig(OutputConfig):
    """Options of every experiment with Gaussian codes z."""

    steps: int = 10_000
    """training steps of the whole run"""
    network: Literal["mlp", "conv"] = "mlp"
    """kind of encoder and decoder"""
    hidden: tuple[int, ...] = (300, 300)
    """widths of the mlp's layers (the decoder has them in reverse)"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the conv network's layers, each of which halves the image"""
    latent: int = 16
    """dimensions of z"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("latent", "hidden", "channels"):
            if any(width < 1 for width in np.ravel(getattr(self, name))):
                raise ValueError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if self.network == "conv" and not self.channels:
            raise ValueError("--channels must name at least one layer for --network conv, got none")


@dataclass(frozen=True)
class SampledConfig(LatentConfig):
    """Options of every experiment that ends with log p(x) by importance sampling."""

    samples: int = 5000
    """importance samples an example of the final log-likelihood"""
    samples_chunk: int = 50
    """importance samples held in memory at once"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_samples(self.samples, self.samples_chunk)


def check_not_negative(config: Any, *names: str) -> None:
    """Raise ValueError where one of these options is negative or no finite number."""
    for name in names:
        if not 0 <= getattr(config, name) < np.inf:
            raise ValueError(f"--{name.replace('_', '-')} must be finite and not negative, got {getattr(config, name)}")


def trunk(config: LatentConfig, widths: tuple[int, ...] | None = None) -> nn.Module:
    """Return the body of a network that reads x (or, as an mlp of these widths, anything), by its network options."""
    activation = ACTIVATIONS[config.activation]
    if config.network == "conv" and widths is None:
        return ConvTower(config.channels, activation, **config.types)
    return MLP(config.hidden if widths is None else widths, activation, **config.types)


def numbers(config: LatentConfig, shape: tuple[int, ...]) -> Decoder:
    """Return the network z -> one number a dimension of x, of this shape."""
    activation = ACTIVATIONS[config.activation]
    if config.network == "conv" and len(shape) != 3:
        raise ValueError(f"--network conv needs images, {config.data} has vectors of shape {shape}")
    if config.network == "conv":
        back = DeconvTower(config.channels[::-1], shape[:2], activation, **config.types)
    else:
        back = MLP(config.hidden[::-1], activation, **config.types)
    return Decoder(back, shape, **config.types)


def with_output(config: OutputConfig, network: nn.Module, view: View) -> tuple[nn.Module, Output]:
    """Return the network z -> output, around one of the output's means or logits, and the output's kind."""
    if view.likelihood == "bernoulli":
        if config.scale is not None:
            raise ValueError(f"--scale is of gaussian and logistic outputs, got {config.scale} for bernoulli")
        return network, BERNOULLI
    output = logistic(view.data.levels) if view.likelihood == "logistic" else GAUSSIAN
    return LocationScale(network, config.scale), output


def decoder(config: LatentConfig, view: View) -> tuple[nn.Module, Output]:
    """Return the network z -> output, and the output's kind."""
    return with_output(config, numbers(config, view.shape), view)


def model(config: LatentConfig, view: View) -> VAE:
    """Return the networks of a VAE for this view of the data."""
    network, output = decoder(config, view)
    return VAE(Encoder(trunk(config), config.latent, **config.types), network, output, config.latent)


class Latent(NamedTuple):
    """A model with latent variables, as its scores need it. Batches are as seen: "x", and "label" where there is one.

    log_weights: (params, batch) -> (key, n) -> log p(x, z) - log q(z|x) [n, B].
    bounds: (params, batch, key) -> {name: [B] nats}: "elbo", and whatever else is worth a look.
    """

    log_weights: Callable[[Any, Mapping[str, Array]], Callable[[Array, int], Array]]
    bounds: Callable[[Any, Mapping[str, Array], Array], Mapping[str, Array]]


def evaluation(latent: Latent, view: View) -> Callable[[Any], dict[str, float]]:
    """Return params -> {name: mean of a bound over the validation set}."""

    @jax.jit
    def bounds(params, key, batch):
        return latent.bounds(params, view.batch("validation", key, batch), key)

    def evaluate(params):
        rows = over(partial(bounds, params), jax.random.key(1), view.data.validation, batch_size=1000)
        return {name: values.mean() for name, values in rows.items()}

    return evaluate


def likelihood_scorer(config: SampledConfig, latent: Latent, view: View) -> Callable[[Any, Progress], Result]:
    """Return (params, progress) -> the result: test -log p by importance sampling beside the baseline."""

    @jax.jit
    def log_likelihood(params, key, batch):
        weights = latent.log_weights(params, view.batch("test", key, batch))
        return importance_sampled(weights, key, samples=config.samples, chunk=config.samples_chunk)

    @jax.jit
    def bounds(params, key, batch):
        return latent.bounds(params, view.batch("test", key, batch), key)

    def score(params, progress: Progress) -> Result:
        test = view.data.test
        batch = max(1, min(100, HELD // (config.samples_chunk * math.prod(view.shape))))
        log_p = over(partial(log_likelihood, params), jax.random.key(3), test, batch_size=batch, progress=progress)
        rows = over(partial(bounds, params), jax.random.key(4), test, batch_size=1000)
        scores = {"negative log-likelihood": -log_p.mean(), "negative ELBO": -rows.pop("elbo").mean()}
        scores |= {name: values.mean() for name, values in rows.items()} | exact(view.data)
        return Result(
            scores=scores,
            baselines={"negative log-likelihood": view.baseline()},
            units=dict.fromkeys(scores, "nats"),
            better={name: "lower" for name in scores if name.startswith("negative")},
            protocol=f"{view.protocol()} {likelihood_protocol(config, log_p)}",
        )

    return score


def exact(data: Dataset) -> dict[str, float]:
    """Return the score of the data's own density, where it is known."""
    if data.log_density is None:
        return {}
    known = over(jax.jit(lambda _, b: data.log_density(b["x"])), jax.random.key(0), data.test, batch_size=1000)
    return {"exact negative log-density of the data": -known.mean()}


def likelihood_protocol(config: SampledConfig, log_p: np.ndarray) -> str:
    """Say how log p was estimated."""
    error = log_p.std() / np.sqrt(len(log_p))
    return (
        f"log p of all {len(log_p)} test examples by importance sampling, k = {config.samples}, from the checkpoint "
        f"with the best validation bound; standard error over test examples {error:.2f}. Baseline: independent "
        f"dimensions, fitted to up to 20,000 training examples."
    )
