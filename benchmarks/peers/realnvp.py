"""The flow of `benchmarks.subjects.realnvp` by normflows' own layers: same size, loss, optimiser and data."""

import normflows
import torch

from benchmarks.peers.likelihood import training
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import drawing, put
from benchmarks.pixels import points

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
HIDDEN, LAYERS, BATCH_SIZE, EXAMPLES, LEARNING_RATE = (64, 64), 32, 512, 10_000, 5e-4


def network() -> torch.nn.Module:
    """Return normflows' RealNVP; its flows are listed from noise to data, so the last coupling meets the data."""
    flows = []
    for _ in range(LAYERS):
        net = normflows.nets.MLP([1, *HIDDEN, 2], init_zeros=True)
        flows += [normflows.flows.Permute(2, mode="swap"), normflows.flows.AffineCouplingBlock(net)]
    return normflows.NormalizingFlow(normflows.distributions.DiagGaussian(2, trainable=False), flows)


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data = put(points(EXAMPLES))
    loss = normflows.NormalizingFlow.forward_kld  # the negative log-likelihood, averaged over the batch
    return training(network(), loss, data, kind, steps, batch_size=BATCH_SIZE, rate=LEARNING_RATE)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    return drawing(network(), lambda model: model.sample(BATCH_SIZE)[0], kind)
