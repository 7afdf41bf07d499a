"""The DCGAN of `benchmarks.subjects.dcgan` in plain PyTorch: same networks, losses, optimiser, precision and data."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.peers.adversarial import NON_SATURATING, adams, compiled, update
from benchmarks.peers.peer import LAST, Peer
from benchmarks.peers.torch_ways import drawing, parameters, put
from benchmarks.pixels import colour_images, orders

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
SIDE, WIDTH, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE, BETAS = 32, 64, 100, 64, 2_000, 2e-4, (0.5, 0.999)


def widths(side: int) -> list[int]:
    """Return the channels of each map from the image to the one of 4 x 4: at 32 pixels 3, 64, 128 and 256."""
    return [3, *(WIDTH * 2**n for n in range((side // 4).bit_length() - 1))]


class Generator(nn.Module):
    """z [B, 100] -> images [B, 3, side, side] in (-1, 1). side: 4 times a power of two."""

    def __init__(self, *, batch_norm: bool = True, side: int = SIDE):
        super().__init__()
        sizes = widths(side)[::-1]
        self.first = sizes[0]
        self.dense = nn.Linear(LATENT, 16 * self.first)
        pairs = pairwise(sizes)
        self.convolutions = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(a) if batch_norm else nn.Identity() for a in sizes[:-1])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.dense(z).unflatten(1, (self.first, 4, 4))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = convolution(F.relu(norm(x)))
        return x.tanh()


class Discriminator(nn.Module):
    """Images [B, 3, side, side] -> logits [B]."""

    def __init__(self, *, batch_norm: bool = True, side: int = SIDE):
        super().__init__()
        sizes = widths(side)
        pairs = pairwise(sizes)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairs)
        norms = [nn.BatchNorm2d(a) if batch_norm else nn.Identity() for a in sizes[2:]]
        self.norms = nn.ModuleList([nn.Identity(), *norms])
        self.dense = nn.Linear(16 * sizes[-1], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(x)), 0.2)
        return self.dense(x.flatten(1))[:, 0]


def prepared(kind: str, *networks: nn.Module) -> list[nn.Module]:
    """Return the networks in the memory format of this kind: channels last but for the eager and fused ones."""
    return [one.to(memory_format=torch.channels_last) if kind in LAST else one for one in networks]


def images(kind: str, side: int = SIDE) -> torch.Tensor:
    """Return the data [2000, 3, side, side] in the memory format of this kind."""
    x = put(colour_images(EXAMPLES, (side, side, 3))).permute(0, 3, 1, 2)
    return x if kind in LAST else x.contiguous()


def build(kind: str, steps: int, *, side: int = SIDE, batch_size: int = BATCH_SIZE) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data, indices = images(kind, side), put(orders(EXAMPLES, steps, batch_size)).long()
    networks = prepared(kind, Generator(side=side), Discriminator(side=side))
    optimisers, losses = adams(networks, kind, LEARNING_RATE, BETAS), compiled(NON_SATURATING, kind)

    def run(count: int) -> None:
        for i in range(count):
            noise = torch.randn(2, batch_size, LATENT, device=data.device)
            update(losses, networks, optimisers, data[indices[i]], noise)

    return Peer(parameters(*networks), run)


def sampler(kind: str, draws: int, *, side: int = SIDE, batch_size: int = BATCH_SIZE) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    return drawing(Generator(side=side), lambda generator: generator(torch.randn(batch_size, LATENT)), kind)
