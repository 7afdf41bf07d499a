"""What the GAN experiments have in common: options, networks, the game."""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.autoencoders import check_range
from jaxgen.game import Game
from jaxgen.games.gan import D, G, Term, Weighted, gan_game
from jaxgen.games.optimisers import clipped
from jaxgen.games.replay import Replay
from jaxgen.losses.adversarial import LOSSES, SMOOTH, Adversarial
from jaxgen.losses.matching import feature_matching
from jaxgen.losses.penalties import PENALTIES
from jaxgen.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgen.models.gan import GAN, Prior, normal, pack
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.models.resnet_gan import ResNetDiscriminator, ResNetGenerator
from jaxgen.nn.heads import Logits
from jaxgen.run.experiment import Common
from jaxgen.run.named import named

Array = jax.Array
ACTIVATIONS = {"relu": nn.relu, "tanh": nn.tanh, "leaky-relu": lambda x: nn.leaky_relu(x, 0.2)}
INITS = {
    "lecun": nn.initializers.lecun_normal(),
    "normal": nn.initializers.normal(0.02),
    "orthogonal": nn.initializers.orthogonal(1.4),
}


@dataclass(frozen=True)
class GANConfig(Common):
    """Options of every experiment with a generator and a discriminator."""

    data: str = "ring"
    """data set: an embedded one, tfds:NAME, folder:PATH or npz:PATH"""
    steps: int = 10_000
    """training steps of the whole run, one of the generator each"""
    loss: str = "non-saturating"
    """minimax, non-saturating, least-squares, hinge, wasserstein, relativistic, or your own as module:function"""
    penalty: str = "none"
    """gradient, one-sided, zero-centred, r1, r2, r1-r2, roth, none, or your own as module:function"""
    penalty_weight: float = 10.0
    """weight of the penalty"""
    penalty_interval: int = 1
    """play the penalty every so many steps only, so many times as heavily"""
    smooth: float = 0.0
    """label smoothing: the discriminator's target for real examples is 1 - this"""
    clip: float = 0.0
    """keep the discriminator's weights within -this and this; 0 for free ones"""
    discriminator_steps: int = 1
    """steps of the discriminator for one of the generator, on equal slices of the batch"""
    simultaneous: bool = False
    """both players move at once, from one forward pass"""
    unroll: int = 0
    """steps of the discriminator that the generator looks ahead, and differentiates through"""
    replay: int = 0
    """generated examples remembered; half of what the discriminator is shown as generated is old"""
    pack: int = 1
    """examples that the discriminator judges together"""
    noise: float = 0.0
    """standard deviation of the noise on all that the discriminator is shown, at the start"""
    noise_steps: int | None = None
    """steps in which that noise falls to zero in a straight line (default: the whole run)"""
    feature_matching: float = 0.0
    """weight of the distance between mean features in the generator's loss"""
    adversarial: float = 1.0
    """weight of the adversarial loss in the generator's loss"""
    minibatch: Literal["none", "deviation", "discrimination"] = "none"
    """what the discriminator sees of the batch as a whole"""
    network: Literal["mlp", "dcgan", "resnet"] = "mlp"
    """kind of both networks"""
    generator_hidden: tuple[int, ...] = (128, 128)
    """widths of the mlp generator's layers"""
    discriminator_hidden: tuple[int, ...] = (128, 128)
    """widths of the mlp discriminator's layers"""
    maxout: int = 1
    """pieces of each hidden unit of the mlp discriminator, the largest of which it is"""
    width: int = 64
    """channels of the convolutional generator's last hidden map"""
    discriminator_width: int | None = None
    """channels of the convolutional discriminator's first map (default: --width)"""
    activation: Literal["relu", "leaky-relu", "tanh"] = "leaky-relu"
    """activation of the mlp networks"""
    init: Literal["lecun", "normal", "orthogonal"] = "lecun"
    """start of the mlp networks' weights; normal has deviation 0.02, orthogonal gain 1.4"""
    generator_norm: Literal["none", "batch"] = "none"
    """normalisation of the generator"""
    discriminator_norm: Literal["none", "batch", "spectral"] = "none"
    """normalisation of the discriminator; spectral is of its weights"""
    latent: int = 16
    """dimensions of the noise"""
    generator_rate: float = 1e-3
    """step size of the generator"""
    discriminator_rate: float = 1e-3
    """step size of the discriminator"""
    optimiser: Literal["adam", "rmsprop", "sgd"] = "adam"
    """how both players move"""
    beta1: float = 0.5
    """Adam's memory of gradients"""
    beta2: float = 0.999
    """Adam's memory of squared gradients"""
    decay: bool = False
    """let the step sizes fall to zero in a straight line"""
    ema: float = 0.0
    """half-life of the generator's average in examples shown, those of the whole batch; 0 for none"""
    samples: int = 10_000
    """generated examples of the final scores"""
    features: str | None = None
    """what images are compared in: classifier (trained on the data), pixels, or your own as module:function"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("penalty_interval", "discriminator_steps", "pack", "maxout", "width", "latent", "samples"):
            check_range(self, name, 1)
        for name in ("penalty_weight", "clip", "unroll", "replay", "noise", "feature_matching", "adversarial", "ema"):
            check_range(self, name, 0)
        for name in ("generator_rate", "discriminator_rate"):
            check_range(self, name, 0)
        for name in ("smooth", "beta1", "beta2"):
            check_range(self, name, 0, 1)
        for name in ("generator_hidden", "discriminator_hidden"):
            if any(width < 1 for width in getattr(self, name)):
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if self.smooth and self.loss not in SMOOTH:
            raise ValueError(f"--smooth is for --loss {', '.join(SMOOTH)}, got --loss {self.loss}")
        if self.simultaneous and (self.discriminator_steps > 1 or self.unroll or self.replay):
            raise ValueError(
                "--simultaneous players take one step each: no --discriminator-steps, --unroll or --replay"
            )


def loss_of(config: GANConfig) -> Adversarial:
    """Return the loss. Raises ValueError for one that is not found, or not per example."""
    loss = named("--loss", config.loss, LOSSES)
    if config.smooth:
        return lambda real, fake: loss(real, fake, smooth=config.smooth)
    rows = jax.ShapeDtypeStruct((3,), jnp.float32)
    try:
        came = jax.eval_shape(loss, rows, rows)
    except TypeError as error:
        raise ValueError(f"--loss {config.loss} must take logits of real and of generated examples: {error}") from error
    shapes = [getattr(part, "shape", type(part).__name__) for part in came] if isinstance(came, tuple | list) else came
    if shapes != [(3,), (3,)]:
        raise ValueError(
            f"--loss {config.loss} must return what the discriminator and what the generator minimises, one number an "
            f"example each: expected shapes [(3,), (3,)] for 3 examples, got {shapes}"
        )
    return loss


def penalties_of(config: GANConfig) -> tuple[Weighted, ...]:
    """Return the penalties, none or one. Raises ValueError for one that is not found."""
    if config.penalty == "none":
        return ()
    penalty = named("--penalty", config.penalty, PENALTIES)
    return (Weighted(penalty, config.penalty_weight, config.penalty_interval),)


def networks(config: GANConfig, shape: tuple[int, ...], *, head: nn.Module | None = None, prior: Prior | None = None):
    """Return the GAN of these options for examples of this shape. Raises ValueError for a shape it cannot make."""
    if config.network != "mlp" and len(shape) != 3:
        raise ValueError(f"--network {config.network} makes images, the examples of {config.data} have shape {shape}")
    batch, spectral = config.discriminator_norm == "batch", config.discriminator_norm == "spectral"
    head = head or Logits(
        deviation=config.minibatch == "deviation",
        kernels=100 if config.minibatch == "discrimination" else 0,
        spectral=spectral,
        **config.types,
    )
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
        ResNetDiscriminator(width, spectral=spectral, head=head, **config.types),
        prior,
    )


def optimisers(config: GANConfig) -> dict[str, optax.GradientTransformation]:
    """Return each player's optimiser."""

    def one(rate):
        rate = optax.linear_schedule(rate, 0.0, config.steps) if config.decay else rate
        if config.optimiser == "adam":
            # Through an unrolled step the root of a second moment of zero would have an infinite derivative.
            root = 1e-16 if config.unroll else 0.0
            return optax.adam(rate, config.beta1, config.beta2, eps_root=root)
        return optax.rmsprop(rate) if config.optimiser == "rmsprop" else optax.sgd(rate)

    tx = {G: one(config.generator_rate), D: one(config.discriminator_rate)}
    if config.clip:
        tx[D] = clipped(tx[D], config.clip)
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


def average(config: GANConfig, batch_size: int) -> float:
    """Return the decay of the generator's average."""
    return float(np.exp2(-batch_size / config.ema)) if config.ema else 0.0


def game_of(config: GANConfig, gan: GAN, batch_size: int, **more: Any) -> Game:
    """Return the game of these options. more: further options of `gan_game`."""
    terms = dict(more.pop("terms", {}))
    if config.feature_matching:
        matching = Term(lambda params, r: feature_matching(r.on_real.features, r.on_fake.features), 0.0, 1.0)
        terms["feature_matching"] = matching._replace(generator=config.feature_matching)
    return gan_game(
        gan,
        loss_of(config),
        tx=optimisers(config),
        penalties=penalties_of(config),
        steps=config.discriminator_steps,
        simultaneous=config.simultaneous,
        unroll=config.unroll,
        replay=Replay(config.replay) if config.replay else None,
        show=show_of(config),
        terms=terms,
        adversarial=config.adversarial,
        ema=average(config, batch_size),
        **more,
    )
