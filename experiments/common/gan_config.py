"""The options of every experiment with a generator and a discriminator."""

from dataclasses import dataclass
from typing import Literal

from experiments.common.autoencoders import check_range
from jaxgen.losses.adversarial import SMOOTH
from jaxgen.run.experiment import Common

CENTRED = ("gradient", "one-sided")  # the penalties of a norm that is not zero


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
    penalty_centre: float = 1.0
    """the norm that the penalties gradient and one-sided hold the gradient at, or below"""
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
    kernels: int = 100
    """learned distances of minibatch discrimination"""
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
    flip: bool = False
    """mirror each training image left to right with probability one half"""
    features: str | None = None
    """what images are compared in: classifier (trained on the data; the default with labels), shrunk (as few pixels as
    there are images allow; without), pixels, inception:FILE, or your own as module:function"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        counts = ("penalty_interval", "discriminator_steps", "pack", "maxout", "kernels", "width", "latent", "samples")
        for name in counts:
            check_range(self, name, 1)
        for name in ("penalty_weight", "clip", "unroll", "replay", "noise", "feature_matching", "adversarial", "ema"):
            check_range(self, name, 0)
        check_range(self, "penalty_centre", 0)
        if self.noise_steps is not None:
            check_range(self, "noise_steps", 1)
        if self.penalty_centre != 1 and self.penalty not in CENTRED:
            raise ValueError(f"--penalty-centre is for --penalty {' or '.join(CENTRED)}, got --penalty {self.penalty}")
        for name in ("generator_rate", "discriminator_rate"):
            check_range(self, name, 0)
        for name in ("smooth", "beta1", "beta2"):
            check_range(self, name, 0, 1)
        for name in ("generator_hidden", "discriminator_hidden"):
            if any(width < 1 for width in getattr(self, name)):
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}")
        if self.smooth and self.loss not in SMOOTH:
            raise ValueError(f"--smooth is for --loss {', '.join(SMOOTH)}, got --loss {self.loss}")
        if self.replay and self.feature_matching:
            raise ValueError("--feature-matching compares new examples: no --replay beside it")
        if self.simultaneous and (self.discriminator_steps > 1 or self.unroll or self.replay):
            raise ValueError(
                "--simultaneous players take one step each: no --discriminator-steps, --unroll or --replay"
            )


@dataclass(frozen=True)
class ImageGANConfig(GANConfig):
    """The same, for small convolutional networks of images."""

    data: str = "digits"
    """data set of images: an embedded one, tfds:NAME, folder:PATH or npz:PATH"""
    network: Literal["mlp", "dcgan", "resnet"] = "dcgan"
    """kind of both networks"""
    width: int = 32
    """channels of the convolutional generator's last hidden map"""
    generator_norm: Literal["none", "batch"] = "batch"
    """normalisation of the generator"""
    ema: float = 20_000.0
    """half-life of the generator's average in examples shown, those of the whole batch; 0 for none"""
