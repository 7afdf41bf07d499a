"""The GAN of `benchmarks.subjects.gan` in plain PyTorch: same networks, losses, optimiser, precision and data."""

import torch
from torch import nn

from benchmarks.peers.adversarial import NON_SATURATING, adams, compiled, update
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import drawing, parameters, put
from benchmarks.pixels import orders, points

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
HIDDEN, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE, BETAS = 128, 16, 128, 10_000, 1e-3, (0.5, 0.999)


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers and one without activation."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, HIDDEN),
        nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, outputs),
    )


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data, indices = put(points(EXAMPLES)), put(orders(EXAMPLES, steps, BATCH_SIZE)).long()
    networks = dense(LATENT, 2), nn.Sequential(dense(2, 1), nn.Flatten(0))
    optimisers, losses = adams(networks, kind, LEARNING_RATE, BETAS), compiled(NON_SATURATING, kind)

    def run(count: int) -> None:
        for i in range(count):
            noise = torch.randn(2, BATCH_SIZE, LATENT, device=data.device)
            update(losses, networks, optimisers, data[indices[i]], noise)

    return Peer(parameters(*networks), run)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    return drawing(dense(LATENT, 2), lambda generator: generator(torch.randn(BATCH_SIZE, LATENT)), kind)
