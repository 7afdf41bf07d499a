"""What all peers do alike in PyTorch: where their data rest, how they are compiled, how samples are drawn."""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.peers.peer import LAST, Peer


def put(array: np.ndarray) -> torch.Tensor:
    """Return an array on the device that tensors are made on by default."""
    return torch.from_numpy(array).to(torch.get_default_device())


def compiled(function: Callable, kind: str) -> Callable:
    """Return the function by torch.compile for the kinds that have it so."""
    if kind == "graphs":
        return torch.compile(function, mode="reduce-overhead")
    return torch.compile(function) if kind == "compile" else function


def parameters(*networks: torch.nn.Module) -> int:
    """Return the number of trained numbers, those that a mask leaves out among them, as for ours."""
    return sum(p.numel() for network in networks for p in network.parameters() if p.requires_grad)


def drawing(network: torch.nn.Module, draw: Callable[[torch.nn.Module], torch.Tensor], kind: str) -> Peer:
    """Return the drawing of samples as a peer of this kind. draw: network -> a batch, in the mode for use."""
    if kind in LAST:
        network = network.to(memory_format=torch.channels_last)
    network.eval()
    made, device = compiled(draw, kind), torch.get_default_device()

    def run(count: int) -> None:
        with torch.device(device), torch.inference_mode():
            for _ in range(count):
                made(network)

    return Peer(parameters(network), run)
