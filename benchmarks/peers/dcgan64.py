"""The DCGAN of `benchmarks.subjects.dcgan64` in plain PyTorch."""

from benchmarks.peers import dcgan
from benchmarks.peers.peer import Peer

SIDE, BATCH_SIZE = 64, 128


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    return dcgan.build(kind, steps, side=SIDE, batch_size=BATCH_SIZE)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    return dcgan.sampler(kind, draws, side=SIDE, batch_size=BATCH_SIZE)
