"""A GAN of any loss, penalty and stabiliser: Goodfellow et al. 2014, "Generative adversarial nets", and what followed.

python -m experiments.gan
"""

from dataclasses import dataclass

from experiments.common.gan_experiment import build
from experiments.common.gans import GANConfig
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the GAN."""


if __name__ == "__main__":
    main("gan", Config, build, __doc__)
