"""What the GAN experiments have in common: from their options to networks, losses and the game."""

import sys
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.gan_config import CENTRED, GANConfig
from jaxgen.game import Game
from jaxgen.games.gan import D, G, Weighted, gan_game, matching
from jaxgen.games.optimisers import clipped
from jaxgen.games.replay import Replay
from jaxgen.losses.adversarial import LOSSES, SMOOTH, Adversarial
from jaxgen.losses.penalties import PENALTIES, gradient
from jaxgen.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgen.models.gan import GAN, Prior, normal, pack
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.models.resnet_gan import ResNetDiscriminator, ResNetGenerator
from jaxgen.nn.heads import Logits
from jaxgen.run.named import named, tried
from jaxgen.run.plan import DEFAULT_BATCH, batch_size

Array = jax.Array
ACTIVATIONS = {"relu": nn.relu, "tanh": nn.tanh, "leaky-relu": lambda x: nn.leaky_relu(x, 0.2)}
INITS = {
    "lecun": nn.initializers.lecun_normal(),
    "normal": nn.initializers.normal(0.02),
    "orthogonal": nn.initializers.orthogonal(1.4),
}


def loss_of(config: GANConfig) -> Adversarial:
    """Return the loss. Raises ValueError for one that is not found, or not per example."""
    loss = named("--loss", config.loss, LOSSES)
    if config.smooth:
        return lambda real, fake: loss(real, fake, smooth=config.smooth)
    rows = jax.ShapeDtypeStruct((3,), jnp.float32)
    wanted = f"--loss {config.loss} must take logits of real and of generated examples, and be traceable by JAX"
    came = tried(wanted, lambda: jax.eval_shape(loss, rows, rows))
    shapes = [shape_of(part) for part in came] if isinstance(came, tuple | list) else came
    if shapes != [(3,), (3,)]:
        raise ValueError(
            f"--loss {config.loss} must return what the discriminator and what the generator minimises, one number an "
            f"example each: expected shapes [(3,), (3,)] for 3 examples, got {shapes}"
        )
    return loss


def shape_of(part: Any) -> Any:
    """Return the shape of floating numbers, and a word on anything else."""
    shape, dtype = getattr(part, "shape", type(part).__name__), getattr(part, "dtype", None)
    return shape if dtype is None or jnp.issubdtype(dtype, jnp.floating) else f"{shape} of {dtype}"


def penalties_of(config: GANConfig, shape: tuple[int, ...]) -> tuple[Weighted, ...]:
    """Return the penalties, none or one. shape: of one example as the discriminator is shown it.

    Raises ValueError for one that is not found, or not per example.
    """
    if config.penalty == "none":
        return ()
    penalty = named("--penalty", config.penalty, PENALTIES)
    if config.penalty in CENTRED:
        penalty = partial(gradient, centre=config.penalty_centre, one_sided=config.penalty == "one-sided")
    number = config.batch_size or DEFAULT_BATCH
    rows = jax.ShapeDtypeStruct((number, *shape), jnp.float32)
    wanted = f"--penalty {config.penalty} must take a critic, real and generated examples and a key, traceable by JAX"
    play = partial(penalty, lambda x: x.reshape(len(x), -1).sum(-1))
    came = tried(wanted, lambda: jax.eval_shape(play, rows, rows, jax.random.key(0)))
    if (found := shape_of(came)) != (number,):
        raise ValueError(
            f"--penalty {config.penalty} must return one number an example: expected shape ({number},) for {number} "
            f"examples, got {found}"
        )
    return (Weighted(penalty, config.penalty_weight, config.penalty_interval),)


def warn(config: GANConfig, whose: str = "") -> None:
    """Say on stderr which options do not do together what their papers say; the run goes on. whose: said before."""
    told = []
    if config.penalty == "roth" and config.loss not in SMOOTH[:2]:
        told.append(f"--penalty roth is derived for a discriminator of probabilities, --loss {config.loss} has none")
    if config.penalty in CENTRED and config.penalty_centre and config.loss != "wasserstein":
        told.append(
            f"--penalty {config.penalty} holds a Wasserstein critic Lipschitz, --loss {config.loss} asks for none"
        )
    held = config.penalty != "none" or config.clip or config.discriminator_norm == "spectral"
    if config.loss == "wasserstein" and not held:
        told.append("--loss wasserstein needs a Lipschitz critic: --penalty, --clip or --discriminator-norm spectral")
    mixed = config.discriminator_norm == "batch" or config.minibatch != "none"
    if config.penalty != "none" and mixed:
        told.append("the penalty is of single examples, and this discriminator sees the batch as a whole")
    for text in told:
        print(f"warning: {whose}{text}", file=sys.stderr)


def head_of(config: GANConfig, **more: Any) -> Logits:
    """Return the discriminator's head of these options. more: its further ones."""
    return Logits(
        deviation=config.minibatch == "deviation",
        kernels=config.kernels if config.minibatch == "discrimination" else 0,
        spectral=config.discriminator_norm == "spectral",
        **more,
        **config.types,
    )


def networks(config: GANConfig, shape: tuple[int, ...], *, head: nn.Module | None = None, prior: Prior | None = None):
    """Return the GAN of these options for examples of this shape. Raises ValueError for a shape it cannot make."""
    if config.network != "mlp" and len(shape) != 3:
        raise ValueError(f"--network {config.network} makes images, the examples of {config.data} have shape {shape}")
    batch, spectral = config.discriminator_norm == "batch", config.discriminator_norm == "spectral"
    head = head or head_of(config)
    prior = prior or normal(config.latent)
    norm = config.generator_norm == "batch"
    if config.network == "mlp":
        if batch:
            raise ValueError("--discriminator-norm batch is for convolutional networks, got --network mlp")
        act, init = ACTIVATIONS[config.activation], INITS[config.init]
        common = {"activation": act, "kernel_init": init, **config.types}
        last = jnp.tanh if len(shape) == 3 else lambda x: x
        return GAN(
            MLPGenerator(config.generator_hidden, shape, batch_norm=norm, last=last, **common),
            MLPDiscriminator(config.discriminator_hidden, maxout=config.maxout, spectral=spectral, head=head, **common),
            prior,
        )
    width = config.discriminator_width or config.width
    if config.network == "dcgan":
        return GAN(
            DCGANGenerator(shape, config.width, batch_norm=norm, **config.types),
            DCGANDiscriminator(width, batch_norm=batch, spectral=spectral, head=head, **config.types),
            prior,
        )
    return GAN(
        ResNetGenerator(shape, config.width, batch_norm=norm, **config.types),
        ResNetDiscriminator(width, batch_norm=batch, spectral=spectral, head=head, **config.types),
        prior,
    )


def optimisers(config: GANConfig, moves: int | None = None) -> dict[str, optax.GradientTransformation]:
    """Return each player's optimiser. moves: of the discriminator in one step, if not --discriminator-steps."""

    def one(rate, moves=1):
        rate = optax.linear_schedule(rate, 0.0, config.steps * moves) if config.decay else rate
        if config.optimiser == "adam":
            # Through an unrolled step the root of a second moment of zero would have an infinite derivative.
            root = 1e-16 if config.unroll else 0.0
            return optax.adam(rate, config.beta1, config.beta2, eps_root=root)
        return optax.rmsprop(rate) if config.optimiser == "rmsprop" else optax.sgd(rate)

    tx = {G: one(config.generator_rate), D: one(config.discriminator_rate, moves or config.discriminator_steps)}
    if config.clip:  # side by side with others its name has theirs before it; heads on its features stay free
        tx[D] = clipped(tx[D], config.clip, lambda name: name.rpartition("/")[2] == D)
    return tx


def show_of(config: GANConfig):
    """Return what the discriminator is shown of x: with noise, in packs."""
    last = config.noise_steps or config.steps

    def show(key: Array, step: Array, x: Array) -> Array:
        if config.noise:
            scale = config.noise * jnp.maximum(1.0 - step / last, 0.0)
            x = x + scale * jax.random.normal(key, x.shape, x.dtype)
        return pack(x, config.pack)

    return show


def check_packs(config: GANConfig, examples: int) -> None:
    """Raise ValueError for packs that do not divide what the discriminator judges at once. examples: see `average`."""
    apart = config.discriminator_steps * config.accumulate * (config.devices if config.parallel == "pmap" else 1)
    batch = batch_size(config, examples, config.discriminator_steps)
    if batch // apart % config.pack:
        raise ValueError(
            f"--pack {config.pack} must divide what the discriminator judges at once, {batch // apart} examples: a "
            f"batch of {batch}" + (f" in {apart} slices" if apart > 1 else "")
        )


def average(config: GANConfig, examples: int) -> float:
    """Return the decay of the generator's average. examples: in the training set."""
    if not config.ema:
        return 0.0
    return float(np.exp2(-batch_size(config, examples, config.discriminator_steps) / config.ema))


def game_of(config: GANConfig, gan: GAN, examples: int, **more: Any) -> Game:
    """Return the game of these options. examples: see `average`. more: further options of `gan_game`.

    Raises ValueError for packs that do not divide what the discriminator judges at once, and as `loss_of` and
    `penalties_of` do.
    """
    check_packs(config, examples)
    terms = dict(more.pop("terms", {}))
    tx = more.pop("tx", None) or optimisers(config)
    *sides, last = gan.generator.shape
    shown = (*sides, last * config.pack)
    if config.feature_matching:
        terms["feature_matching"] = matching(config.feature_matching)
    return gan_game(
        gan,
        loss_of(config),
        tx=tx,
        penalties=penalties_of(config, shown),
        steps=config.discriminator_steps,
        simultaneous=config.simultaneous,
        unroll=config.unroll,
        replay=Replay(config.replay) if config.replay else None,
        show=show_of(config),
        terms=terms,
        adversarial=config.adversarial,
        ema=average(config, examples),
        **more,
    )
