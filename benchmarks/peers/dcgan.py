"""The DCGAN of `benchmarks.subjects.dcgan` in plain PyTorch: same networks, losses, optimiser, precision and data."""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.peers.adversarial import NON_SATURATING, adams, compiled, size, update
from benchmarks.peers.peer import Peer
from benchmarks.pixels import colour_images, orders

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
SIDE, WIDTH, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE, BETAS = 32, 64, 100, 64, 2_000, 2e-4, (0.5, 0.999)


class Generator(nn.Module):
    """z [B, 100] -> images [B, 3, 32, 32] in (-1, 1)."""

    def __init__(self, *, batch_norm: bool = True):
        super().__init__()
        self.dense = nn.Linear(LATENT, 16 * 4 * WIDTH)
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in [(4 * WIDTH, 2 * WIDTH), (2 * WIDTH, WIDTH), (WIDTH, 3)]
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n * WIDTH) if batch_norm else nn.Identity() for n in (4, 2, 1))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.dense(z).unflatten(1, (4 * WIDTH, 4, 4))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = convolution(F.relu(norm(x)))
        return x.tanh()


class Discriminator(nn.Module):
    """Images [B, 3, 32, 32] -> logits [B]."""

    def __init__(self, *, batch_norm: bool = True):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1) for a, b in [(3, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, 4 * WIDTH)]
        )
        norms = [nn.BatchNorm2d(n * WIDTH) if batch_norm else nn.Identity() for n in (2, 4)]
        self.norms = nn.ModuleList([nn.Identity(), *norms])
        self.dense = nn.Linear(16 * 4 * WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(x)), 0.2)
        return self.dense(x.flatten(1))[:, 0]


def prepared(kind: str, *networks: nn.Module) -> list[nn.Module]:
    """Return the networks in the memory format of this kind: channels last but for the eager and fused ones."""
    last = kind in ("channels_last", "compile")
    return [one.to(memory_format=torch.channels_last) if last else one for one in networks]


def images(kind: str) -> torch.Tensor:
    """Return the data [2000, 3, 32, 32] in the memory format of this kind."""
    x = torch.from_numpy(colour_images(EXAMPLES, (SIDE, SIDE, 3))).permute(0, 3, 1, 2)
    return x if kind in ("channels_last", "compile") else x.contiguous()


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data, indices = images(kind), torch.from_numpy(orders(EXAMPLES, steps, BATCH_SIZE)).long()
    networks = prepared(kind, Generator(), Discriminator())
    optimisers, losses = adams(networks, kind, LEARNING_RATE, BETAS), compiled(NON_SATURATING, kind)

    def run(count: int) -> None:
        for i in range(count):
            update(losses, networks, optimisers, data[indices[i]], torch.randn(2, BATCH_SIZE, LATENT))

    return Peer(size(networks), run)
