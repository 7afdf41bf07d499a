"""The DCGAN of `benchmarks.subjects.dcgan64` in plain PyTorch."""

from benchmarks.peers import dcgan
from benchmarks.peers.peer import Peer

SIDE, BATCH_SIZE = 64, 128


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    return dcgan.build(kind, steps, side=SIDE, batch_size=BATCH_SIZE)
