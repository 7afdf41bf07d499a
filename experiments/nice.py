"""NICE: Dinh et al. 2015, "NICE: Non-linear independent components estimation".

python -m experiments.nice
    digits (8x8, 17 intensities): 2.18 bits a dimension (a normal distribution a pixel: 3.41), 34 seconds on two cores
"""

import math
from dataclasses import dataclass

from experiments.common import flows
from experiments.common.autoencoders import check_range
from experiments.common.flow_config import FlowConfig
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.flatten import Flatten
from jaxgen.models.coupling_flows import nice
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment


@dataclass(frozen=True)
class Config(FlowConfig):
    """Options of NICE."""

    data: str = "digits"
    """data set: an embedded one, tfds:NAME, folder:PATH, npz:PATH or table:PATH"""
    steps: int = 2000
    """training steps of the whole run"""
    hidden: tuple[int, ...] = (256, 256, 256)
    """widths of the networks"""
    pairs: int = 2
    """pairs of couplings"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "pairs", 1)


def make(config: Config, shape: tuple[int, ...]) -> Bijector:
    """Return the bijector of examples of this shape, images as vectors."""
    if math.prod(shape) < 2:
        raise ValueError(f"couplings need two numbers an example at least, {config.data} has {math.prod(shape)}")
    return Chain([Flatten(shape), nice(config.dense(**config.types), pairs=config.pairs)])


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, make)


if __name__ == "__main__":
    main("nice", Config, build, __doc__)
