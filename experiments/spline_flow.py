"""Neural spline flow: Durkan et al. 2019, "Neural spline flows".

python -m experiments.spline_flow
    moons: test negative log-likelihood 0.004 nats above the exact density's, 45 seconds on two cores
python -m experiments.spline_flow --data ring --bins 16 --layers 8
    ring of 8 modes of deviation 0.01: 0.013 nats above, a minute
python -m experiments.spline_flow --data grid --components 64 --clip 1 --evaluations 2
    grid of 25 modes of deviation 0.05, of noise that is a learned mixture: 0.001 nats above, 160 seconds on one busy
    core; of one normal distribution, with --bins 32 --layers 8 --steps 8000: 0.019 in 5 minutes
python -m experiments.spline_flow --data table:PATH --kind autoregressive
    rows of numbers, standardised
"""

from dataclasses import dataclass
from typing import Literal

from experiments.common import flows
from experiments.common.autoencoders import check_range
from experiments.common.flow_config import FlowConfig
from experiments.maf import masked
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.spline import rational_quadratic
from jaxgen.models.autoregressive_flows import autoregressive_flow
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment


@dataclass(frozen=True)
class Config(FlowConfig):
    """Options of the spline flow."""

    steps: int = 6000
    """training steps of the whole run"""
    kind: Literal["coupling", "autoregressive"] = "coupling"
    """how the splines hang on the other numbers: on one half, or on those before"""
    layers: int = 6
    """layers; couplings come in pairs"""
    bins: int = 8
    """pieces of a spline"""
    bound: float = 4.0
    """splines are of [-bound, bound], and the identity beyond"""
    mix: bool = True
    """an invertible linear map between layers"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        for name in ("layers", "bins"):
            check_range(self, name, 1)
        check_range(self, "bound", 0, above=True)


def make(config: Config, shape: tuple[int, ...]) -> Bijector:
    """Return the bijector of examples of this shape, images as vectors."""
    spline = rational_quadratic(config.bins, config.bound)
    if config.kind == "autoregressive":
        flow = autoregressive_flow(masked(config), spline, layers=config.layers, mix=config.mix)
    else:
        flow = vector_flow(config.dense(**config.types), spline, layers=config.layers, mix=config.mix)
    return Chain([Flatten(shape), flow])


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, make)


if __name__ == "__main__":
    main("spline_flow", Config, build, __doc__)
