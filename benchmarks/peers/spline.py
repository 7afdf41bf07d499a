"""Spline couplings of one size and data, whichever library makes them."""

from types import ModuleType

import torch

from benchmarks.density.job import COUPLING, Size
from benchmarks.peers import likelihood
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import drawing, put
from benchmarks.pixels import rows

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
KIND, SIZE = COUPLING, Size(layers=10)
COLUMNS, BATCH_SIZE, EXAMPLES, LEARNING_RATE = 43, 128, 10_000, 5e-4


def training(flows: ModuleType, kind: str, steps: int) -> Peer:
    """Return the training of a module's flow (`benchmarks.density`) as a peer of this kind."""
    torch.manual_seed(0)
    data = put(rows(EXAMPLES, COLUMNS))

    def loss(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return -flows.log_prob(model, x).mean()

    model = flows.build(KIND, SIZE, COLUMNS)
    return likelihood.training(model, loss, data, kind, steps, batch_size=BATCH_SIZE, rate=LEARNING_RATE)


def sampler(flows: ModuleType, kind: str) -> Peer:
    """Return the drawing of samples from a module's flow as a peer of this kind."""
    torch.manual_seed(0)
    model = flows.build(KIND, SIZE, COLUMNS)
    flows.log_prob(model, put(rows(BATCH_SIZE, COLUMNS)))  # what starts from data does so here, as in training
    return drawing(model, lambda model: flows.sample(model, BATCH_SIZE), kind)
