"""A GAN whose discriminator remembers: experience replay of generated examples (Shrivastava et al. 2017, section 2.3).

python -m experiments.replay_gan
    ring: all 8 modes, 97.4 % of high quality, but unevenly: reverse KL 0.18 nats, 28 seconds on two cores
"""

from dataclasses import dataclass

from experiments.common.gan_config import GANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the GAN with replay."""

    generator_hidden: tuple[int, ...] = (96, 96, 96, 96, 96, 96)
    """widths of the mlp generator's layers"""
    discriminator_hidden: tuple[int, ...] = (96, 96, 96, 96)
    """widths of the mlp discriminator's layers"""
    latent: int = 2
    """dimensions of the noise"""
    decay: bool = True
    """let the step sizes fall to zero in a straight line"""
    replay: int = 10_000
    """generated examples remembered; half of what the discriminator is shown as generated is old"""


if __name__ == "__main__":
    main("replay_gan", Config, build, __doc__)
