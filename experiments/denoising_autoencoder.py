"""Denoising autoencoder: Vincent et al. 2010, "Stacked Denoising Autoencoders" (first in 2008).

python -m experiments.denoising_autoencoder
    digits (8x8), a quarter of the pixels masked: linear probe 97.2 % (plain autoencoder 95.0 %, raw pixels 96.1 %),
    PSNR of repaired images 16.1 dB (masked images 12.3 dB, a blur 14.0 dB), half a minute on two cores
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from experiments.common.autoencoders import (
    ACTIVATIONS,
    OUTPUTS,
    PROBED,
    Scaled,
    check_range,
    check_widths,
    open_scaled,
    probed,
)
from experiments.common.keys import fixed_key
from jaxgen.data import corrupt
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of, reconstruct
from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics import filters
from jaxgen.metrics.batched import over
from jaxgen.metrics.psnr import psnr
from jaxgen.models.autoencoder import Autoencoder, CodeEncoder
from jaxgen.models.tied import TiedAutoencoder
from jaxgen.models.vae import Decoder
from jaxgen.nn.conv import ConvTower, DeconvTower
from jaxgen.nn.mlp import MLP
from jaxgen.nn.noise import NoisyMLP
from jaxgen.run.cli import main
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.pairs import beside

Array = jax.Array
Corrupt = Callable[[Array, Array], Array]  # (key, x [B, ...]) -> [B, ...]

PLAIN, DENOISING = KINDS = ("plain", "denoising")
REPAIRED = 500  # test images that are corrupted and repaired, at most


@dataclass(frozen=True)
class Config(Common):
    """Options of the denoising autoencoder and the plain one beside it."""

    steps: int = 6000
    """training steps of the whole run"""
    corruption: Literal["gaussian", "masking", "salt-and-pepper", "block"] = "masking"
    """what is done to the encoder's input: noise added, pixels set to 0 or to 0 and 1, or a block hidden"""
    level: float = 0.25
    """standard deviation of gaussian noise; share of the pixels that are masked, replaced, or in the block"""
    layer_noise: float | None = None
    """standard deviation of gaussian noise before each layer of the mlp encoder too, in training (default: none)"""
    network: Literal["tied", "mlp", "conv"] = "tied"
    """kind of networks: the paper's single layer with tied weights, or several, not tied"""
    hidden: tuple[int, ...] = (512,)
    """widths of the mlp's layers (the decoder has them in reverse)"""
    channels: tuple[int, ...] = (32, 64)
    """channels of the conv network's layers, each of which halves the image"""
    activation: Literal["relu", "silu", "tanh", "sigmoid"] | None = None
    """activation of every hidden layer, and of the code where weights are tied (default: sigmoid there, else relu)"""
    code: int = 128
    """size of the code; the task is no copying, so it may be larger than the data"""
    loss: Literal["squared", "cross-entropy"] = "cross-entropy"
    """error of a reconstruction that is minimised"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "hidden", "channels", "code")
        check_range(self, "level", 0, *(() if self.corruption == "gaussian" else (1,)), above=True)
        if self.layer_noise is not None:
            check_range(self, "layer_noise", 0, above=True)
        check_range(self, "learning_rate", 0, above=True)
        if self.network == "conv" and not self.channels:
            raise ValueError("--channels must name at least one layer for --network conv, got none")
        if self.network != "mlp" and self.layer_noise is not None:
            raise ValueError(f"--layer-noise needs --network mlp, got {self.layer_noise} for {self.network}")


def model(config: Config, shape: tuple[int, ...], *, noise: float | None = None) -> Autoencoder | TiedAutoencoder:
    """Return the autoencoder for images of this shape. noise: standard deviation before each layer, in training."""
    tied, mean = config.network == "tied", OUTPUTS[config.loss].mean
    activation = ACTIVATIONS[config.activation or ("sigmoid" if tied else "relu")]
    if tied:
        return TiedAutoencoder(shape, (config.code,), activation, mean, **config.types)
    if config.network == "conv":
        there = ConvTower(config.channels, activation, **config.types)
        back = DeconvTower(config.channels[::-1], shape[:2], activation, **config.types)
    elif noise is None:
        there = MLP(config.hidden, activation, **config.types)
        back = MLP(config.hidden[::-1], activation, **config.types)
    else:
        there = NoisyMLP(config.hidden, partial(corrupt.gaussian, level=noise), activation, **config.types)
        back = MLP(config.hidden[::-1], activation, **config.types)
    return Autoencoder(CodeEncoder(there, config.code, **config.types), Decoder(back, shape, **config.types), mean)


def block_size(level: float, shape: tuple[int, ...]) -> dict[str, int]:
    """Return {"height", "width"} of a block of this share of images [H, W, C], each side shrunk alike.

    Raises ValueError for a block as large as the image.
    """
    height, width = (max(1, round(side * level**0.5)) for side in shape[:2])
    if (height, width) == tuple(shape[:2]):
        raise ValueError(f"--level {level} makes a block of the whole {height} x {width} image: expected less")
    return {"height": height, "width": width}


def corruption(config: Config, shape: tuple[int, ...]) -> Corrupt:
    """Return (key, x) -> the corrupted x. Raises ValueError for a block that leaves nothing of these images."""
    if config.corruption == "block":
        return partial(corrupt.block, **block_size(config.level, shape))
    functions = {
        "gaussian": corrupt.gaussian,
        "masking": corrupt.masking,
        "salt-and-pepper": corrupt.salt_and_pepper,
    }
    return partial(functions[config.corruption], level=config.level)


def classical(config: Config, key: Array, corrupted: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the name of the filter for this corruption, and its repair of images [N, H, W, C] corrupted with `key`."""
    if config.corruption == "gaussian":
        return "total-variation denoising", filters.total_variation(corrupted, weight=0.7 * config.level)
    if config.corruption == "masking":
        return "a gaussian blur, brightened by the share that is seen", filters.blur(corrupted, hidden=config.level)
    if config.corruption == "block":
        masks = corrupt.block_mask(key, corrupted.shape, **block_size(config.level, corrupted.shape[1:]))
        return "biharmonic inpainting, which is told where the block is", filters.inpaint(corrupted, masks)
    return "the median of 3 x 3 pixels", filters.median(corrupted)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    data = open_scaled(config, config.loss)
    if not data.images:
        raise ValueError(f"a denoising autoencoder repairs images, {config.data} has vectors of shape {data.shape}")
    spoil, error = corruption(config, data.shape), OUTPUTS[config.loss].error
    # What is wrong is found before all compute
    jax.eval_shape(spoil, fixed_key(), np.zeros((1, *data.shape), np.float32))
    models = {PLAIN: model(config, data.shape), DENOISING: model(config, data.shape, noise=config.layer_noise)}

    reconstructed = {name: jax.jit(one.reconstruct) for name, one in models.items()}

    def game(config):
        tx = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        clean = reconstruct(models[PLAIN], error)
        repair = reconstruct(models[DENOISING], error, corruption(config, data.shape))
        objectives = {PLAIN: clean, DENOISING: repair}
        return autoencoder_game({name: Trainee(models[name], objectives[name], tx) for name in KINDS})

    def again(params, x):
        return {name: reconstructed[name](params_of(name, params), x) for name in KINDS}

    @jax.jit
    def errors(params, key, batch):
        x = data.see(batch)
        clean, repaired = again(params, x), again(params, spoil(key, x))
        return {
            name: {"clean": squared_error(x, clean[name]), "repair": squared_error(x, repaired[name])} for name in KINDS
        }

    def evaluate(state):
        rows = over(partial(errors, state.params), fixed_key(), data.data.validation, batch_size=1000)
        return {f"{what} error {name}": values.mean() for name in KINDS for what, values in rows[name].items()}

    def pictures(state):
        x = data.some("validation", 10)
        y = spoil(fixed_key(), x)
        return {
            "repaired": beside(x, y, *again(state.params, y).values(), labels=("clean", "seen", *KINDS), columns=10)
        }

    def finish(state, progress: Progress) -> Result:
        encoders = {name: Partial(models[name].encode, params_of(name, state.params)) for name in KINDS}
        accuracy = probed(data, {**encoders, "raw": Partial(jnp.asarray)}, progress)
        read = {f"linear probe, {name}": accuracy[name] for name in KINDS if accuracy}
        progress("repairing")
        ratios, filtered, canvas = repairs(config, data, spoil, partial(again, state.params))
        rows = over(partial(errors, state.params), fixed_key(), data.data.test, batch_size=1000)
        clean = {f"squared error of clean images, {name}": rows[name]["clean"].mean() for name in KINDS}
        return Result(
            scores={**read, **ratios, **clean},
            baselines={**dict.fromkeys(read, accuracy.get("raw")), f"PSNR, {DENOISING}": filtered[1]},
            units={**dict.fromkeys(read, "%"), **dict.fromkeys(ratios, "dB"), **dict.fromkeys(clean, "per image")},
            better={**dict.fromkeys(read, "higher"), f"PSNR, {DENOISING}": "higher"},
            protocol=protocol(data, filtered[0], probes=bool(read)),
            pictures={"repaired_test": canvas},
        )

    return Experiment(
        game=game(config),
        data=data.data,
        prepare=lambda key, batch: {"x": data.see(batch)},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch=f"repair error {DENOISING}",
        watch_mode="min",
        # The size of a block is compiled in: it cannot be swept.
        variant=None if config.corruption == "block" else lambda options: game(replace(config, **options)),
    )


def repairs(
    config: Config, data: Scaled, spoil: Corrupt, again: Callable[[Array], Mapping[str, Array]]
) -> tuple[dict[str, float], tuple[str, float], np.ndarray]:
    """Return PSNRs on test images: corrupted, and repaired by each network; the filter's name and PSNR; a picture."""
    x = data.some("test", REPAIRED)
    y = np.asarray(spoil(fixed_key(), x))
    name, middle = classical(config, fixed_key(), y)
    images = {kind: np.asarray(image) for kind, image in again(y).items()}
    ratios = {f"PSNR, {kind}": psnr(x, np.clip(image, 0, 1)) for kind, image in {"corrupted": y, **images}.items()}
    rows = {"clean": x, "seen": y, "filter": middle, **images}
    canvas = beside(*(image[:10] for image in rows.values()), labels=list(rows), columns=10)
    return ratios, (name, psnr(x, np.clip(middle, 0, 1))), canvas


def protocol(data: Scaled, filtered: str, *, probes: bool) -> str:
    """Say how the final scores were made."""
    probe = (
        f"Probes: logistic regression on the codes of clean images (at most {PROBED} of training), all test examples; "
        f"baseline: on raw pixels. "
    )
    return (
        f"{data.data.source}. {probe if probes else ''}PSNR of up to {REPAIRED} test images, corrupted by one seeded "
        f"draw, from their mean squared error, all clipped to [0, 1]; baseline: {filtered}. Squared error of clean "
        f"images: summed over pixels in [0, 1], all test images. "
        f"From the checkpoint with the best repairs of validation images."
    )


if __name__ == "__main__":
    main("denoising_autoencoder", Config, build, __doc__)
