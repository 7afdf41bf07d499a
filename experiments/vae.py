"""Variational autoencoder: Kingma and Welling 2014, "Auto-Encoding Variational Bayes".

python -m experiments.vae
    digits (8x8): test -log p 22.3 nats (independent pixels: 27.2), 20 seconds on two cores
python -m experiments.vae --data tfds:mnist --steps 250000 --batch-size 200 --latent 50
    dynamically binarised MNIST: test -log p 85.8 nats (independent pixels: 205.8), 15 minutes on two cores
"""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.data import Dataset, preprocess
from jaxgen.games.vae import vae_game, warm_up
from jaxgen.losses.divergences import gaussian_kl
from jaxgen.metrics.baselines import factorised_bernoulli, factorised_gaussian
from jaxgen.metrics.batched import over
from jaxgen.metrics.likelihood import check_samples, importance_sampled
from jaxgen.models.vae import BERNOULLI, GAUSSIAN, VAE, Decoder, Encoder, GaussianDecoder
from jaxgen.nn.conv import ConvTower, DeconvTower
from jaxgen.nn.mlp import MLP
from jaxgen.run.cli import main
from jaxgen.run.data import first, open_data
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.images import tile
from jaxgen.viz.latent import interpolate, normal_plane
from jaxgen.viz.pairs import beside
from jaxgen.viz.scatter import scatter

HELD = 8_000_000  # numbers of x that scoring holds at once
ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu, "silu": nn.silu}
SEEDS = {"train": 0, "validation": 1, "test": 2}  # of draws made once: they name the binarised sets


@dataclass(frozen=True)
class Config(Common):
    """Options of the variational autoencoder."""

    steps: int = 10_000
    """training steps of the whole run"""
    network: Literal["mlp", "conv"] = "mlp"
    """kind of encoder and decoder"""
    hidden: tuple[int, ...] = (300, 300)
    """widths of the mlp's layers (the decoder has them in reverse)"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the conv network's layers, each of which halves the image"""
    activation: Literal["tanh", "relu", "silu"] = "tanh"
    """activation of every hidden layer"""
    latent: int = 16
    """dimensions of z"""
    likelihood: Literal["bernoulli", "gaussian"] | None = None
    """output distribution (default: bernoulli for grey images, gaussian for colour and real-valued data)"""
    binarise: Literal["dynamic", "static", "threshold"] = "dynamic"
    """how bernoulli images are made binary: drawn anew each time, drawn once, or cut at one half"""
    scale: float | None = None
    """standard deviation of a gaussian output (default: learned)"""
    beta: float = 1.0
    """weight of the KL"""
    warm_up: int = 0
    """steps over which the weight of the KL grows to beta"""
    free_nats: float = 0.0
    """nats of each latent that cost nothing"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""
    samples: int = 5000
    """importance samples an example of the final log-likelihood"""
    samples_chunk: int = 50
    """importance samples held in memory at once"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_samples(self.samples, self.samples_chunk)
        for name in ("latent", "hidden", "channels"):
            if any(width < 1 for width in np.ravel(getattr(self, name))):
                raise ValueError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if self.network == "conv" and not self.channels:
            raise ValueError("--channels must name at least one layer for --network conv, got none")
        if self.scale is not None and not 0 < self.scale < np.inf:
            raise ValueError(f"--scale must be above 0 and finite, got {self.scale}")
        for name in ("beta", "warm_up", "free_nats", "learning_rate"):
            came = getattr(self, name)
            if not 0 <= came < np.inf:
                raise ValueError(f"--{name.replace('_', '-')} must be finite and not negative, got {came}")


def model(config: Config, likelihood: str, shape: tuple[int, ...]) -> VAE:
    """Return the networks for data of this shape."""
    activation = ACTIVATIONS[config.activation]
    if config.network == "conv":
        if len(shape) != 3:
            raise ValueError(f"--network conv needs images, {config.data} has vectors of shape {shape}")
        there = ConvTower(config.channels, activation, **config.types)
        back = DeconvTower(config.channels[::-1], shape[:2], activation, **config.types)
    else:
        there, back = (
            MLP(config.hidden, activation, **config.types),
            MLP(config.hidden[::-1], activation, **config.types),
        )
    encoder, decoder = Encoder(there, config.latent, **config.types), Decoder(back, shape, **config.types)
    if likelihood == "gaussian":
        return VAE(encoder, GaussianDecoder(decoder, config.scale), GAUSSIAN, config.latent)
    return VAE(encoder, decoder, BERNOULLI, config.latent)


def observe(data: Dataset, likelihood: str, binarise: str, part: str, key: jax.Array, batch: Any) -> jax.Array:
    """Return what the model sees of a batch, x [B, ...]: binary, dequantised to (0, 1), or as it is.

    Training draws anew from `key`; what validation and test sets look like depends on each example's index alone.
    """
    if data.levels is None:
        return batch["x"]
    image, levels = batch["image"], data.levels
    if likelihood == "gaussian" and part == "train":
        return preprocess.dequantise(key, image, levels=levels)
    if likelihood == "gaussian":
        keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(SEEDS[part]), i))(batch["index"])
        return jax.vmap(lambda k, one: preprocess.dequantise(k, one[None], levels=levels)[0])(keys, image)
    if binarise == "threshold":
        return preprocess.threshold(image, levels=levels)
    if binarise == "static" or part != "train":
        return preprocess.binarise_fixed(batch["index"], image, levels=levels, seed=SEEDS[part])
    return preprocess.binarise(key, image, levels=levels)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_data(config)
    grey = data.levels is not None and data.train["image"].shape[-1] == 1
    likelihood = config.likelihood or ("bernoulli" if grey else "gaussian")
    if likelihood == "bernoulli" and data.levels is None:
        raise ValueError(f"--likelihood bernoulli needs images, {config.data} is real-valued")
    shape = data.train["x" if data.levels is None else "image"].shape[1:]
    vae = model(config, likelihood, shape)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        return vae_game(vae, optax.adam(rate), beta=warm_up(config.beta, config.warm_up), free_nats=config.free_nats)

    def see(part, key, batch):
        return observe(data, likelihood, config.binarise, part, key, batch)

    @partial(jax.jit, static_argnums=0)
    def seen(part, key, batch):
        return see(part, key, batch)

    @partial(jax.jit, static_argnums=0)
    def bound(part, params, key, batch):
        x = see(part, key, batch)
        return {"elbo": vae.log_weights(params, x)(key, 1)[0], "kl": gaussian_kl(*vae.encode(params, x))}

    @jax.jit
    def log_likelihood(params, key, batch):
        weights = vae.log_weights(params, see("test", key, batch))
        return importance_sampled(weights, key, samples=config.samples, chunk=config.samples_chunk)

    @jax.jit
    def encode(params, key, batch):
        return vae.encode(params, see("test", key, batch))[0]

    expect = jax.jit(vae.expect)

    def evaluate(state):
        rows = over(partial(bound, "validation", state.params), jax.random.key(1), data.validation, batch_size=1000)
        return {name: values.mean() for name, values in rows.items()}

    def pictures(state):
        z = jax.random.normal(jax.random.key(0), (64, config.latent))
        if shape == (2,):
            return {"samples": points(vae, state.params, config.latent)}
        if len(shape) != 3:
            return {}
        x = seen("validation", jax.random.key(0), first(data.validation, 32))
        again = expect(state.params, vae.encode(state.params, x)[0])
        return {
            "samples": tile(expect(state.params, z)),
            "reconstructions": beside(x, again, labels=("data", "model"), columns=8),
        }

    def last_pictures(params):
        canvases = {}
        codes = over(partial(encode, params), jax.random.key(0), data.test, batch_size=1000)
        if config.latent == 2:
            label = (
                over(lambda _, b: b["label"], jax.random.key(0), data.test, batch_size=1000) if data.classes else None
            )
            canvases["codes"] = scatter(codes, label, title="codes of the test set", names=data.classes)
        if len(shape) == 3:
            pairs = max(1, min(8, len(codes) // 2))
            ends = interpolate(codes[:pairs], codes[-pairs:], 12)
            canvases["interpolation"] = tile(expect(params, ends.reshape(-1, config.latent)), columns=12)
        if len(shape) == 3 and config.latent == 2:
            canvases["manifold"] = tile(expect(params, normal_plane(20)), columns=20, pad=1)
        return canvases

    def baseline():
        train = seen("train", jax.random.key(0), first(data.train, 20_000))
        if likelihood == "bernoulli" and config.binarise != "threshold":  # the expectation, with less noise
            train = preprocess.scale(jnp.asarray(first(data.train, 20_000)["image"]), levels=data.levels)
        trivial = factorised_gaussian(train) if likelihood == "gaussian" else factorised_bernoulli(train)
        return -over(lambda k, b: trivial(seen("test", k, b)), jax.random.key(0), data.test, batch_size=1000).mean()

    def finish(state, progress: Progress) -> Result:
        params = state.params
        batch = max(1, min(100, HELD // (config.samples_chunk * math.prod(shape))))
        log_p = over(partial(log_likelihood, params), jax.random.key(3), data.test, batch_size=batch, progress=progress)
        rows = over(partial(bound, "test", params), jax.random.key(4), data.test, batch_size=1000)
        exact = {}
        if data.log_density is not None:
            known = over(jax.jit(lambda _, b: data.log_density(b["x"])), jax.random.key(0), data.test, batch_size=1000)
            exact["exact negative log-density of the data"] = -known.mean()
        return Result(
            scores={
                "negative log-likelihood": -log_p.mean(),
                "negative ELBO": -rows["elbo"].mean(),
                "KL": rows["kl"].mean(),
                **exact,
            },
            baselines={"negative log-likelihood": baseline()},
            units=dict.fromkeys(("negative log-likelihood", "negative ELBO", "KL", *exact), "nats"),
            better={"negative log-likelihood": "lower", "negative ELBO": "lower"},
            protocol=protocol(config, data, likelihood, log_p),
            pictures=last_pictures(params),
        )

    return Experiment(
        game=game(config),
        data=data,
        prepare=lambda key, batch: {"x": see("train", key, batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="elbo",
        variant=lambda options: game(replace(config, **options)),
    )


def protocol(config: Config, data: Dataset, likelihood: str, log_p: np.ndarray) -> str:
    """Say how the final scores were made."""
    if data.levels is None:
        seen = "real-valued data as they are"
    elif likelihood == "gaussian":
        seen = "images dequantised uniformly to (0, 1), densities there"
    elif config.binarise == "threshold":
        seen = "binary images, cut at one half"
    else:
        seen = f"binary images, {config.binarise} in training; one fixed seeded draw of the test set"
    error = log_p.std() / np.sqrt(len(log_p))
    return (
        f"{data.source}. {seen[0].upper()}{seen[1:]}. log p of all {len(log_p)} test examples by importance sampling, "
        f"k = {config.samples}, from the checkpoint with the best validation ELBO; standard error over test examples "
        f"{error:.2f}. Baseline: independent dimensions, fitted to up to 20,000 training examples."
    )


def points(vae: VAE, params: Any, latent: int) -> np.ndarray:
    """Return a picture of samples in the plane."""
    keys = jax.random.split(jax.random.key(0))
    mean, log_scale = vae.decode(params, jax.random.normal(keys[0], (4000, latent)))
    return scatter(mean + jnp.exp(log_scale) * jax.random.normal(keys[1], mean.shape), title="samples")


if __name__ == "__main__":
    main("vae", Config, build, __doc__)
