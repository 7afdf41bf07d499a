"""The WGAN-GP of `benchmarks.subjects.wgan_gp` in plain PyTorch: the DCGAN's networks without batch normalisation."""

import torch

from benchmarks.peers.adversarial import Losses, adams, compiled, update
from benchmarks.peers.dcgan import EXAMPLES, LATENT, Discriminator, Generator, images, prepared
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import parameters, put
from benchmarks.pixels import orders

CRITIC_STEPS, BATCH_SIZE, PENALTY, LEARNING_RATE, BETAS = 5, 320, 10.0, 3e-4, (0.5, 0.9)
SLICE = BATCH_SIZE // CRITIC_STEPS


def penalty(critic, real: torch.Tensor, fake: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean of (|grad| - 1)^2 between real and generated examples. weight: [B, 1, 1, 1]."""
    x = (real + weight * (fake - real)).requires_grad_(True)
    gradient = torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]
    return ((gradient.square().sum((1, 2, 3)).sqrt() - 1.0) ** 2).mean()


def discriminate(generator, critic, real: torch.Tensor, z: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the critic's difference and its penalty."""
    with torch.no_grad():
        fake = generator(z)
    return (critic(fake) - critic(real)).mean() + PENALTY * penalty(critic, real, fake, weight)


def generate(generator, critic, z: torch.Tensor) -> torch.Tensor:
    """Return the generator's loss."""
    return -critic(generator(z)).mean()


WASSERSTEIN = Losses(discriminate, generate)


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data, indices = images(kind), put(orders(EXAMPLES, steps, BATCH_SIZE)).long()
    networks = prepared(kind, Generator(batch_norm=False), Discriminator(batch_norm=False))
    optimisers, losses = adams(networks, kind, LEARNING_RATE, BETAS), compiled(WASSERSTEIN, kind)

    def run(count: int) -> None:
        for i in range(count):
            noise = torch.randn(CRITIC_STEPS + 1, SLICE, LATENT, device=data.device)
            weights = torch.rand(CRITIC_STEPS, SLICE, 1, 1, 1, device=data.device)
            update(losses, networks, optimisers, data[indices[i]], noise, weights)

    return Peer(parameters(*networks), run)
