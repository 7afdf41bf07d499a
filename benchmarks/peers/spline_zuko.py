"""The flow of `benchmarks.subjects.spline` by zuko."""

from benchmarks.density import zuko_flows as flows
from benchmarks.peers.peer import Peer
from benchmarks.peers.spline import training


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    return training(flows, kind, steps)
