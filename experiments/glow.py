"""Glow: Kingma and Dhariwal 2018, "Glow: Generative flow with invertible 1x1 convolutions".

python -m experiments.glow
    digits (8x8, 17 intensities): 2.05 bits a dimension (a normal distribution a pixel: 3.41), 79 seconds on two
    cores
python -m experiments.glow --data tfds:mnist --dequantise variational --depth 24 ... (in RESULTS.md)
    MNIST: 1.08 bits a dimension (6.19), 52 minutes on two cores
"""

from dataclasses import dataclass

from experiments.common import flows
from experiments.common.autoencoders import check_range
from experiments.common.flow_config import FlowConfig
from jaxgen.bijectors.base import Bijector
from jaxgen.models.coupling_flows import glow
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment


@dataclass(frozen=True)
class Config(FlowConfig):
    """Options of Glow."""

    data: str = "digits"
    """data set of images: an embedded one, tfds:NAME, folder:PATH or npz:PATH"""
    steps: int = 1500
    """training steps of the whole run"""
    levels: int = 2
    """scales of the images"""
    depth: int = 8
    """steps a level"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("levels", "depth"):
            check_range(self, name, 1)


def make(config: Config, shape: tuple[int, ...]) -> Bijector:
    """Return the bijector of images [H, W, C]."""
    if len(shape) != 3:
        raise ValueError(f"Glow is of images, {config.data} has examples of shape {shape}")
    return glow(config.conv(), shape, levels=config.levels, depth=config.depth)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, make)


if __name__ == "__main__":
    main("glow", Config, build, __doc__)
