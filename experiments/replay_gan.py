"""A GAN whose discriminator remembers: experience replay of generated examples (Shrivastava et al. 2017, section 2.3).

python -m experiments.replay_gan
"""

from dataclasses import dataclass

from experiments.common.gan_config import GANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the GAN with replay."""

    batch_size: int | None = 256
    """examples a step"""
    replay: int = 10_000
    """generated examples remembered; half of what the discriminator is shown as generated is old"""


if __name__ == "__main__":
    main("replay_gan", Config, build, __doc__)
