"""What all peers do alike in PyTorch: where their data rest, and how their losses are compiled."""

from collections.abc import Callable

import numpy as np
import torch


def put(array: np.ndarray) -> torch.Tensor:
    """Return an array on the device that tensors are made on by default."""
    return torch.from_numpy(array).to(torch.get_default_device())


def compiled(function: Callable, kind: str) -> Callable:
    """Return the function by torch.compile for the kinds that have it so."""
    if kind == "graphs":
        return torch.compile(function, mode="reduce-overhead")
    return torch.compile(function) if kind == "compile" else function
