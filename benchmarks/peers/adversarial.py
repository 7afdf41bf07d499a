"""A step of the non-saturating GAN in plain PyTorch: one update of the discriminator, then one of the generator.

The same work as ours, which is less than most tutorials do in one place and more in another: each update has noise
of its own, and no gradient is taken of weights that do not move.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from benchmarks.peers import torch_ways

Tensor = torch.Tensor


class Losses(NamedTuple):
    """(generator, discriminator, real, z) and (generator, discriminator, z), each to a scalar."""

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]


def discriminate(generator, discriminator, real: Tensor, z: Tensor) -> Tensor:
    """Return the cross-entropy of real and generated examples, each batch normalised by itself."""
    with torch.no_grad():
        fake = generator(z)
    return (F.softplus(-discriminator(real)) + F.softplus(discriminator(fake))).mean()


def generate(generator, discriminator, z: Tensor) -> Tensor:
    """Return the non-saturating loss."""
    return F.softplus(-discriminator(generator(z))).mean()


NON_SATURATING = Losses(discriminate, generate)


def compiled(losses: Losses, kind: str) -> Losses:
    """Return the losses by torch.compile for the kinds that have them so."""
    return Losses(*(torch_ways.compiled(loss, kind) for loss in losses))


def adams(networks: Sequence[torch.nn.Module], kind: str, rate: float, betas: tuple[float, float]) -> list:
    """Return an Adam a network; fused but for the eager kind."""
    return [torch.optim.Adam(one.parameters(), rate, betas, fused=kind != "eager") for one in networks]


def move(optimiser, value: Tensor) -> Tensor:
    """Take one step of an optimiser in place; return the loss, not read, so that nothing waits for it."""
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    optimiser.step()
    return value.detach()


def update(losses: Losses, networks, optimisers, real: Tensor, noise: Sequence[Tensor], *more) -> tuple[Tensor, Tensor]:
    """Take one step in place: the discriminator's as often as there is noise for, but for the last, the generator's.

    real: examples [B, ...], cut into strided slices. noise: z of each update. more: an argument of each of the
    discriminator's losses. Returns the two losses, the discriminator's averaged.
    """
    generator, discriminator = networks
    steps = len(noise) - 1
    discriminator.requires_grad_(True)
    first = [
        move(optimisers[1], losses.discriminator(*networks, real[j::steps], noise[j], *(one[j] for one in more)))
        for j in range(steps)
    ]
    discriminator.requires_grad_(False)
    return sum(first) / steps, move(optimisers[0], losses.generator(generator, discriminator, noise[-1]))
