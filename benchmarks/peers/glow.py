"""The flow of `benchmarks.subjects.glow` by normflows' own layers: same size, loss, optimiser and data."""

import normflows
import torch

from benchmarks.peers.likelihood import training
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import drawing, put
from benchmarks.pixels import colour_images

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
SHAPE, LEVELS, DEPTH, WIDTH, BATCH_SIZE, EXAMPLES, LEARNING_RATE = (32, 32, 3), 3, 8, 64, 32, 1000, 1e-3


def network() -> torch.nn.Module:
    """Return normflows' Glow; its levels are listed from noise to data, so the last one meets the data."""
    side, _, channels = SHAPE
    bases, flows = [], []
    for number in reversed(range(LEVELS)):
        kept = channels * 2 ** (number + 2)
        blocks = [normflows.flows.GlowBlock(kept, WIDTH, split_mode="channel", scale=True) for _ in range(DEPTH)]
        flows.append([*blocks, normflows.flows.Squeeze()])
        leaves = kept if number == LEVELS - 1 else kept // 2
        shape = (leaves, side // 2 ** (number + 1), side // 2 ** (number + 1))
        bases.append(normflows.distributions.DiagGaussian(shape, trainable=False))
    merges = [normflows.flows.Merge() for _ in range(LEVELS - 1)]
    return normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data = put(colour_images(EXAMPLES, SHAPE)).permute(0, 3, 1, 2).contiguous()
    loss = normflows.MultiscaleFlow.forward_kld  # the negative log-likelihood, averaged over the batch
    return training(network(), loss, data, kind, steps, batch_size=BATCH_SIZE, rate=LEARNING_RATE)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    model = network()
    # What starts from data does so here, as in training; drawing would start it from the noise.
    model.forward_kld(put(colour_images(BATCH_SIZE, SHAPE)).permute(0, 3, 1, 2).contiguous())
    return drawing(model, lambda model: model.sample(BATCH_SIZE)[0], kind)
