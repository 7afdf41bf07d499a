"""The unrolled GAN: Metz et al. 2017, "Unrolled generative adversarial networks".

python -m experiments.unrolled_gan
    ring: 7 of 8 modes, but 0.3 % of high quality only, after a tenth of the authors' 25,000 steps, 82 seconds on two
    cores
"""

from dataclasses import dataclass
from typing import Literal

from experiments.common.gan_config import GANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the unrolled GAN, as its authors have them on the ring."""

    steps: int = 2500
    """training steps of the whole run, one of the generator each"""
    batch_size: int | None = 512
    """examples a step"""
    loss: str = "minimax"
    """minimax, non-saturating, least-squares, hinge, wasserstein, relativistic, or your own as module:function"""
    unroll: int = 5
    """steps of the discriminator that the generator looks ahead, and differentiates through"""
    activation: Literal["relu", "leaky-relu", "tanh"] = "tanh"
    """activation of the mlp networks"""
    init: Literal["lecun", "normal", "orthogonal"] = "orthogonal"
    """start of the mlp networks' weights; normal has deviation 0.02, orthogonal gain 1.4"""
    latent: int = 256
    """dimensions of the noise"""
    generator_rate: float = 1e-3
    """step size of the generator"""
    discriminator_rate: float = 1e-4
    """step size of the discriminator"""


if __name__ == "__main__":
    main("unrolled_gan", Config, build, __doc__)
