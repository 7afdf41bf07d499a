"""Continuous flow: Grathwohl et al. 2019, "FFJORD: Free-form continuous dynamics for scalable reversible models".

python -m experiments.ffjord
    moons: test negative log-likelihood 0.074 nats above the exact density's and still falling, 32 seconds on two cores
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import flax.linen as nn

from experiments.common import flows
from experiments.common.autoencoders import check_range
from experiments.common.flow_config import FlowConfig
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain
from jaxgen.bijectors.continuous import Continuous, Drift
from jaxgen.bijectors.flatten import Flatten
from jaxgen.run.cli import main
from jaxgen.run.experiment import Experiment


@dataclass(frozen=True)
class Config(FlowConfig):
    """Options of the continuous flow."""

    steps: int = 300
    """training steps of the whole run"""
    evaluations: int = 1
    """how often the run stops to score, draw and save a checkpoint, the end included"""
    hidden: tuple[int, ...] = (64, 64, 64)
    """widths of the drift's network"""
    activation: Literal["softplus", "tanh", "silu"] = "tanh"
    """activation of the drift's network"""
    learning_rate: float = 5e-3
    """Adam's step size at the start; it decays to zero as a cosine"""
    trace: Literal["exact", "hutchinson"] = "hutchinson"
    """how training takes the drift's divergence; scores and samples take it exactly"""
    tolerance: float = 1e-4
    """the solver's in training; a tenth of it in the scores"""
    solver: Literal["tsit5", "dopri5"] = "tsit5"
    """the solver"""
    adjoint: Literal["checkpointed", "backsolve"] = "checkpointed"
    """gradients through the solver's steps, or by a second solve backwards"""
    most_steps: int = 256
    """of the solver"""
    integral_points: int = 256
    """a side of the grid over the plane that the density is summed on in the end; 0 for no sum"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_range(self, "most_steps", 1)
        check_range(self, "tolerance", 0, above=True)


def make(config: Config, shape: tuple[int, ...], *, scoring: bool = False) -> Bijector:
    """Return the bijector of examples of this shape, images as vectors."""
    drift = Drift(config.hidden, getattr(nn, config.activation), param_dtype=config.types["param_dtype"])
    trace, tolerance = ("exact", 0.1 * config.tolerance) if scoring else (config.trace, config.tolerance)
    flow = Continuous(
        drift,
        trace=trace,
        tolerance=tolerance,
        solver=config.solver,
        adjoint=config.adjoint,
        max_steps=config.most_steps * (4 if scoring else 1),
    )
    return Chain([Flatten(shape), ActNorm(), flow])


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    return flows.build(config, make, exact=partial(make, scoring=True))


if __name__ == "__main__":
    main("ffjord", Config, build, __doc__)
