"""Missing data: MIWAE, Mattei and Frellsen 2019, "Deep Generative Modelling and Imputation of Incomplete Data Sets".

python -m experiments.missing_data
    digits (8x8): squared error of a hidden pixel 0.031 for random masks (nearest neighbour: 0.036), 0.045 for half
    images (0.052), 36 seconds on two cores
python -m experiments.missing_data --data tfds:mnist --steps 6000 --samples 200
    MNIST: 0.019 for random masks (nearest neighbour: 0.030), 0.046 for half images (0.062), 2 minutes on two cores

A VAE learns from images of which a part is hidden, for ever, and fills in the hidden part of test images.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.autoencoders import Scaled, check_range, check_widths
from experiments.common.latent import numbers, trunk
from experiments.common.variants import variant
from jaxgen.data import masks
from jaxgen.games.iwae import iwae_game
from jaxgen.losses.bounds import importance_weighted
from jaxgen.metrics.batched import over
from jaxgen.metrics.imputation import hidden_error, mean_fill, nearest_fill
from jaxgen.metrics.likelihood import check_samples
from jaxgen.models import missing
from jaxgen.models.vae import VAE, Encoder, LocationScale
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.images import to_rgb, to_uint8
from jaxgen.viz.pairs import beside

Array = jax.Array
Kind = Literal["random", "half", "left", "right", "top", "bottom", "block"]
SEEDS = {"train": 0, "validation": 1, "test": 2}  # of masks drawn once
HALVES = {"half": masks.half, "left": masks.left, "right": masks.right, "top": masks.top, "bottom": masks.bottom}
SCORED = 2000  # test images that are imputed, at most
SHOWN = 10  # images in a picture
RESAMPLED, RESAMPLED_FROM = 3, 1000  # draws shown of each image, and importance samples they are chosen from, at most
HIDDEN = (60, 90, 150)  # colour of hidden pixels
HELD = 20_000_000  # numbers of x that imputing holds at once


@dataclass(frozen=True)
class Config(Common):
    """Options of a VAE of incomplete images."""

    steps: int = 2000
    """training steps of the whole run"""
    k: int = 5
    """importance samples of the training bound"""
    train_masks: tuple[Kind, ...] = ("random", "half")
    """what is hidden in training: each image has one of these kinds; half is any of the four sides"""
    test_masks: tuple[Kind, ...] = ("random", "half")
    """what is hidden in the test images, kind by kind"""
    hidden_share: float = 0.5
    """probability of a pixel to be hidden by a random mask"""
    block_side: float = 0.5
    """sides of a block mask as a share of the image's"""
    redraw: bool = False
    """hide other pixels of a training image each time it is seen, so that in the end all of them are"""
    network: Literal["mlp", "conv"] = "mlp"
    """kind of encoder and decoder"""
    hidden: tuple[int, ...] = (300, 300)
    """widths of the mlp's layers (the decoder has them in reverse)"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the conv network's layers, each of which halves the image"""
    activation: Literal["tanh", "relu", "silu"] = "silu"
    """activation of every hidden layer"""
    latent: int = 16
    """dimensions of z"""
    likelihood: Literal["bernoulli", "gaussian"] = "gaussian"
    """output distribution of intensities in [0, 1]; to a bernoulli these are expectations of bits"""
    scale: float | None = None
    """scale of a gaussian output (default: learned)"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""
    samples: int = 1000
    """importance samples an image of the imputations"""
    samples_chunk: int = 50
    """importance samples held in memory at once"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_samples(self.samples, self.samples_chunk)
        check_widths(self, "k", "hidden", "channels", "latent")
        check_range(self, "hidden_share", 0, 1, above=True)
        check_range(self, "block_side", 0, 1, above=True)
        check_range(self, "learning_rate", 0)
        if self.scale is not None:
            check_range(self, "scale", 0, above=True)
            if self.likelihood == "bernoulli":
                raise ValueError(f"--scale is of a gaussian output, got {self.scale} for bernoulli")
        if self.network == "conv" and not self.channels:
            raise ValueError("--channels must name at least one layer for --network conv, got none")
        for name in ("train_masks", "test_masks"):
            came = getattr(self, name)
            if not came or len(set(came)) < len(came):
                raise ValueError(
                    f"--{name.replace('_', '-')} must name kinds of masks, each once; got {' '.join(came) or 'none'}"
                )


def mask_of(config: Config, kind: Kind, shape: tuple[int, ...]) -> masks.Mask:
    """Return (key, shape) -> the masks of a kind. Raises ValueError for one that such images [H, W, C] cannot have."""
    if kind == "random":
        mask = partial(masks.random, hidden=config.hidden_share)
    elif kind == "block":
        height, width = (round(side * config.block_side) for side in shape[:2])
        mask = partial(masks.block, height=height, width=width)
    else:
        mask = HALVES[kind]
    jax.eval_shape(lambda key: mask(key, (1, *shape)), jax.random.key(0))  # what is wrong is found before all compute
    return mask


def hidden_once(mask: masks.Mask, x: np.ndarray, part: str) -> np.ndarray:
    """Return which pixels of images x [N, H, W, C], the first of a part, are observed for ever, [N, H, W, 1]."""
    draw = partial(masks.fixed, shape=x.shape, mask=mask, seed=SEEDS[part])
    return np.asarray(jax.jit(draw)(jnp.arange(len(x))))


def model(config: Config, data: Scaled) -> VAE:
    """Return the networks of a VAE of incomplete images."""
    encoder, decoder = Encoder(trunk(config), config.latent, **config.types), numbers(config, data.shape)
    if config.likelihood == "bernoulli":
        return VAE(encoder, decoder, missing.BERNOULLI, config.latent)
    return VAE(encoder, LocationScale(decoder, config.scale), missing.GAUSSIAN, config.latent)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = Scaled(open_data(config))
    if not data.images:
        raise ValueError(f"masks hide pixels of images, {config.data} has vectors of shape {data.shape}")
    in_training = partial(masks.any_of, masks=[mask_of(config, kind, data.shape) for kind in config.train_masks])
    in_test = {kind: mask_of(config, kind, data.shape) for kind in config.test_masks}
    vae = model(config, data)

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        return iwae_game(vae, optax.adam(rate), k=config.k)

    def seen(part, key, batch):
        x = data.see(batch)
        if part == "train" and config.redraw:
            observed = in_training(key, x.shape)
        else:
            observed = masks.fixed(batch["index"], x.shape, in_training, seed=SEEDS[part])
        return missing.see(x, observed)

    @jax.jit
    def bounds(params, key, batch):
        weights = vae.log_weights(params, seen("validation", key, batch))(key, config.k)
        return {"bound": importance_weighted(weights)}

    def evaluate(state):
        rows = over(partial(bounds, state.params), jax.random.key(1), data.data.validation, batch_size=1000)
        return {"bound": rows["bound"].mean()}

    @jax.jit
    def imputed(params, key, batch):
        pair = missing.see(batch["x"], batch["observed"])
        return missing.impute(vae, params, pair, key, samples=config.samples, chunk=config.samples_chunk)

    @jax.jit
    def drawn(params, key, x, observed):
        samples = min(config.samples, RESAMPLED_FROM)
        return missing.resample(vae, params, missing.see(x, observed), key, samples=samples, draws=RESAMPLED)

    def pictures(state):
        x = data.some("validation", SHOWN)
        observed = hidden_once(in_training, x, "validation")
        return {"imputed": picture(x, observed, {}, drawn(state.params, jax.random.key(0), x, observed))}

    def finish(state, progress: Progress) -> Result:
        x, train = data.some("test", SCORED), data.some("train", data.held())
        batch = max(1, min(500, HELD // (config.samples_chunk * math.prod(data.shape))))
        errors, canvases = {}, {}
        for kind, mask in in_test.items():
            observed = hidden_once(mask, x, "test")
            part = {"x": x, "observed": observed}
            filled = over(partial(imputed, state.params), jax.random.key(3), part, batch_size=batch, progress=progress)
            progress(f"baselines of {kind} masks")
            every = {"": filled, ", mean": mean_fill(train, x, observed)}
            every[", nearest neighbour"] = nearest_fill(train, x, observed)
            errors[kind] = {name: 1000 * hidden_error(x, one, observed) for name, one in every.items()}
            some = drawn(state.params, jax.random.key(4), x[:SHOWN], observed[:SHOWN])
            rows = {"mean": filled[:SHOWN], "nearest": every[", nearest neighbour"][:SHOWN]}
            canvases[f"imputed_{kind}"] = picture(x[:SHOWN], observed[:SHOWN], rows, some)
        return result(config, data, errors)._replace(pictures=canvases)

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": seen("train", key, batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="bound",
        variant=variant("missing_data", game, config, "learning_rate"),
    )


def picture(x: np.ndarray, observed: np.ndarray, rows: Mapping[str, np.ndarray], some: np.ndarray) -> np.ndarray:
    """Return the picture of images x [N, H, W, C]: what is seen of them, rows of imputations, and some draws."""
    seen = np.where(np.asarray(observed), to_rgb(np.asarray(x)), np.array(HIDDEN, np.uint8).reshape(1, 1, 1, 3))
    named = {"data": x, "seen": seen, **rows, **{f"draw {i + 1}": one for i, one in enumerate(np.asarray(some))}}
    return beside(*(to_uint8(image) for image in named.values()), labels=list(named), columns=len(x))


def result(config: Config, data: Scaled, errors: Mapping[str, Mapping[str, float]]) -> Result:
    """Return the errors by kind of mask and way of filling as the result of the run."""
    name = "squared error, {} masks{}".format
    scores = {name(kind, ""): each[""] for kind, each in errors.items()}
    others = {name(kind, way): value for kind, each in errors.items() for way, value in each.items() if way}
    best = {name(kind, ""): min(value for way, value in each.items() if way) for kind, each in errors.items()}
    return Result(
        scores={**scores, **others},
        baselines=best,
        units=dict.fromkeys([*scores, *others], "1e-3"),
        better=dict.fromkeys(scores, "lower"),
        protocol=protocol(config, data),
    )


def protocol(config: Config, data: Scaled) -> str:
    """Say how the final scores were made."""
    output = {"bernoulli": "Bernoulli, of grey intensities as expectations of bits", "gaussian": "Gaussian"}
    once = "drawn anew for each step" if config.redraw else "one mask for ever for each training image"
    return (
        f"{data.data.source}. Intensities in [0, 1]; output {output[config.likelihood]}. Trained on "
        f"{' or '.join(config.train_masks)} masks, {once}. Squared error of a hidden number, meaned over those of up "
        f"to {SCORED} test images under one seeded draw of masks; imputed by {config.samples} self-normalised "
        f"importance samples, from the checkpoint with the best validation bound. Baselines, which are given complete "
        f"training images: each pixel's mean, and the image nearest in the observed pixels; beside the score stands "
        f"the better one."
    )


if __name__ == "__main__":
    main("missing_data", Config, build, __doc__)
