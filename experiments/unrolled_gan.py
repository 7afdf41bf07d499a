"""The unrolled GAN: Metz et al. 2017, "Unrolled generative adversarial networks".

python -m experiments.unrolled_gan
    ring: all 8 modes, 88.4 % of high quality, reverse KL 0.09 nats, with noise that fades (Sonderby et al. 2017); 71
    seconds on two cores (6 modes, 90.4 %, 0.38 on another machine, whose last bits differ)
python -m experiments.unrolled_gan --loss minimax --noise 0 --no-decay --ema 0 --steps 25000 --batch-size 512
    --generator-hidden 128 128 --discriminator-hidden 128 128 --activation tanh --init orthogonal --latent 256
    --discriminator-rate 1e-4
    as its authors have it; a tenth of these steps ends with 7 modes, but 0.3 % of high quality only
"""

from dataclasses import dataclass

from experiments.common.gan_config import GANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the unrolled GAN."""

    steps: int = 4000
    """training steps of the whole run, one of the generator each"""
    unroll: int = 5
    """steps of the discriminator that the generator looks ahead, and differentiates through"""
    noise: float = 0.3
    """standard deviation of the noise on all that the discriminator is shown, at the start"""
    noise_steps: int | None = 2500
    """steps in which that noise falls to zero in a straight line (default: the whole run)"""
    generator_hidden: tuple[int, ...] = (96, 96, 96, 96, 96, 96)
    """widths of the mlp generator's layers"""
    discriminator_hidden: tuple[int, ...] = (96, 96, 96, 96)
    """widths of the mlp discriminator's layers"""
    latent: int = 2
    """dimensions of the noise"""
    decay: bool = True
    """let the step sizes fall to zero in a straight line"""
    ema: float = 20_000.0
    """half-life of the generator's average in examples shown, those of the whole batch; 0 for none"""


if __name__ == "__main__":
    main("unrolled_gan", Config, build, __doc__)
