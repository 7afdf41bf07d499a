"""The flow of `benchmarks.subjects.spline` by zuko."""

from benchmarks.density import zuko_flows as flows
from benchmarks.peers import spline
from benchmarks.peers.peer import Peer


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    return spline.training(flows, kind, steps)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    return spline.sampler(flows, kind)
