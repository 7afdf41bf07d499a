"""A GAN of any loss, penalty and stabiliser: Goodfellow et al. 2014, "Generative adversarial nets", and what followed.

python -m experiments.gan
    ring: the relativistic loss with both penalties (Huang et al. 2024, "The GAN is dead; long live the GAN!") and
    instance noise that fades (Sonderby et al. 2017): over ten seeds (--seeds 10) 7.9 of 8 modes, 97.3 % of high
    quality, reverse KL 0.03 nats; one takes 85 seconds on two cores
python -m experiments.gan --data grid --noise 0.28 --noise-steps 25000 --steps 30000 --penalty-weight 1.5e-2
    grid of 25: over ten seeds (--seeds 10) 25.0 modes, 94.1 % of high quality, reverse KL 0.005 nats, 40 minutes on
    one busy core
python -m experiments.gan --loss non-saturating --penalty none --noise 0
    the same networks as a plain GAN
"""

from dataclasses import dataclass

from experiments.common.gan_config import GANConfig
from experiments.common.gan_experiment import build
from jaxgen.run.cli import main


@dataclass(frozen=True)
class Config(GANConfig):
    """Options of the GAN."""

    steps: int = 20_000
    """training steps of the whole run, one of the generator each"""
    batch_size: int | None = 256
    """examples a step"""
    loss: str = "relativistic"
    """minimax, non-saturating, least-squares, hinge, wasserstein, relativistic, or your own as module:function"""
    penalty: str = "r1-r2"
    """gradient, one-sided, zero-centred, r1, r2, r1-r2, roth, none, or your own as module:function"""
    penalty_weight: float = 1e-4
    """weight of the penalty"""
    noise: float = 0.7
    """standard deviation of the noise on all that the discriminator is shown, at the start"""
    noise_steps: int | None = 10_000
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
    main("gan", Config, build, __doc__)
