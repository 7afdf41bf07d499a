"""zuko's flows, as it makes them: orders reversed in turn, couplings of every other number, no actnorm."""

from functools import partial

import torch
import zuko

from benchmarks.density.job import AUTOREGRESSIVE, BOUND, Size


def build(kind: str, size: Size, dimensions: int) -> torch.nn.Module:
    """Return zuko's flow of one of the kinds of `benchmarks.density.job.FLOWS`."""
    options = {"transforms": size.layers, "hidden_features": size.hidden}
    if kind == "maf":
        return zuko.flows.MAF(dimensions, **options)
    if kind == AUTOREGRESSIVE:
        return zuko.flows.NSF(dimensions, bins=size.bins, **options)
    spline = partial(zuko.transforms.MonotonicRQSTransform, bound=BOUND)
    shapes = [(size.bins,), (size.bins,), (size.bins - 1,)]
    return zuko.flows.NICE(dimensions, univariate=spline, shapes=shapes, **options)


def log_prob(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return log p(x) [B] in nats."""
    return model().log_prob(x)


def sample(model: torch.nn.Module, n: int) -> torch.Tensor:
    """Return n samples [n, D]."""
    return model().sample((n,))
