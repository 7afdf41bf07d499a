"""DCGAN: Radford et al. 2016, "Unsupervised representation learning with deep convolutional GANs".

python -m experiments.dcgan
    digits (8x8): FID in the project's classifier's features 14.3 (that of training images: 9.8), 50 seconds on two
    cores
python -m experiments.dcgan --data tfds:mnist --steps 8000 --batch-size 64
    MNIST: FID 11.6 (that of training images: 2.0), 17 minutes on one busy core
python -m experiments.dcgan --data stacked:tfds:mnist --loss relativistic --penalty r1-r2 --penalty-weight 1 --width 16
        --discriminator-norm none --generator-rate 5e-4 --discriminator-rate 1e-3 --decay --steps 12000 --batch-size 64
    1000 modes: all of them, reverse KL 0.11 nats, 19 minutes on one busy core
"""

from dataclasses import dataclass
from typing import Literal

from experiments.common.gan_config import ImageGANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main

NORMS = {"dcgan": "batch", "resnet": "spectral", "mlp": "none"}  # of the discriminator, by network


@dataclass(frozen=True)
class Config(ImageGANConfig):
    """Options of the DCGAN."""

    steps: int = 3000
    """training steps of the whole run, one of the generator each"""
    discriminator_norm: Literal["none", "batch", "spectral"] | None = None
    """normalisation of the discriminator; spectral is of its weights (default: batch for --network dcgan, spectral for
    resnet, none for mlp)"""
    latent: int = 100
    """dimensions of the noise"""
    generator_rate: float = 2e-4
    """step size of the generator"""
    discriminator_rate: float = 2e-4
    """step size of the discriminator"""

    def __post_init__(self) -> None:
        """Set the discriminator's norm where none was asked for, so that the run's config.json tells it."""
        if self.discriminator_norm is None:
            object.__setattr__(self, "discriminator_norm", NORMS[self.network])


if __name__ == "__main__":
    main("dcgan", Config, build, __doc__)
