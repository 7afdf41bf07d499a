"""Masked autoregressive flow: Papamakarios et al. 2017, "Masked autoregressive flow for density estimation".

python -m experiments.maf
    moons: test negative log-likelihood 0.015 nats above the exact density's, 26 seconds on two cores
"""

from dataclasses import dataclass
from functools import partial

from experiments.common import flows
from experiments.common.autoencoders import ACTIVATIONS, check_range
from experiments.common.flow_config import FlowConfig
from jaxgen.bijectors.autoregressive import Net
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.flatten import Flatten
from jaxgen.models.autoregressive_flows import maf
from jaxgen.nn.conditioner import ZEROS
from jaxgen.nn.masked import MADE
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment


@dataclass(frozen=True)
class Config(FlowConfig):
    """Options of the masked autoregressive flow."""

    layers: int = 8
    """autoregressive layers"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "layers", 1)


def masked(config: FlowConfig) -> Net:
    """Return the maker of masked networks."""
    activation = ACTIVATIONS[config.activation]
    return partial(MADE, config.hidden, activation=activation, kernel_init=ZEROS, scattered=True, **config.types)


def make(config: Config, shape: tuple[int, ...]) -> Bijector:
    """Return the bijector of examples of this shape, images as vectors."""
    return Chain([Flatten(shape), maf(masked(config), layers=config.layers)])


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, make)


if __name__ == "__main__":
    main("maf", Config, build, __doc__)
