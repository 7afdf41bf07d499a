"""nflows' own layers, stacked as ours are: actnorm, the layer, and the order reversed, or of couplings dealt."""

from functools import partial

import torch
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.transforms.autoregressive import (
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
)
from nflows.transforms.base import CompositeTransform, Transform
from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform
from nflows.transforms.normalization import ActNorm
from nflows.transforms.permutations import Permutation, ReversePermutation

from benchmarks.density.job import AUTOREGRESSIVE, BOUND, COUPLING, Size
from benchmarks.density.torch_training import Network


def build(kind: str, size: Size, dimensions: int) -> torch.nn.Module:
    """Return nflows' flow of one of the kinds of `benchmarks.density.job.FLOWS`."""
    spline = {"num_bins": size.bins, "tails": "linear", "tail_bound": BOUND}
    if kind == COUPLING:
        parts = _couplings(size, dimensions, spline)
    else:
        made = {
            "features": dimensions,
            "hidden_features": size.hidden[0],
            "num_blocks": len(size.hidden) - 1,
            "use_residual_blocks": False,
        }
        layer = partial(MaskedAffineAutoregressiveTransform, **made)
        if kind == AUTOREGRESSIVE:
            layer = partial(MaskedPiecewiseRationalQuadraticAutoregressiveTransform, **made, **spline)
        layers = range(size.layers)
        parts = [part for _ in layers for part in (ActNorm(dimensions), layer(), ReversePermutation(dimensions))]
    return Flow(CompositeTransform(parts), StandardNormal([dimensions]))


def log_prob(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return log p(x) [B] in nats."""
    return model.log_prob(x)


def _couplings(size: Size, dimensions: int, spline: dict) -> list[Transform]:
    """Return couplings in pairs, the two halves in turn, with actnorm before each pair, and dealt after it."""
    second = [0] * (dimensions // 2) + [1] * (dimensions - dimensions // 2)  # where it changes
    first = [1 - changed for changed in second]
    net = partial(Network, hidden=size.hidden)
    start = int(not dimensions & (dimensions + 1))  # as `jaxgen.bijectors.permute.Deal` has it
    dealt = torch.tensor([*range(start, dimensions, 2), *range(1 - start, dimensions, 2)])
    parts = []
    for _ in range(size.layers // 2):
        parts.append(ActNorm(dimensions))
        parts += [PiecewiseRationalQuadraticCouplingTransform(mask, net, **spline) for mask in (second, first)]
        parts.append(Permutation(dealt))
    return parts


def sample(model: torch.nn.Module, n: int) -> torch.Tensor:
    """Return n samples [n, D]."""
    return model.sample(n)
