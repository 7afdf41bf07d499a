"""Maximum likelihood in PyTorch: what the peers of all flows have in common."""

from collections.abc import Callable

import torch

from benchmarks.peers.peer import LAST, Peer
from benchmarks.peers.torch_ways import compiled, parameters, put
from benchmarks.pixels import orders


def training(
    model: torch.nn.Module,
    loss: Callable[[torch.nn.Module, torch.Tensor], torch.Tensor],
    data: torch.Tensor,
    kind: str,
    steps: int,
    *,
    batch_size: int,
    rate: float,
) -> Peer:
    """Return the training of a model by Adam as a peer of this kind.

    loss: (model, x [B, ...]) -> a scalar. data: [N, ...]. steps: how many steps' worth of the data order to hold.
    """
    if kind in LAST and data.ndim == 4:
        model, data = (one.to(memory_format=torch.channels_last) for one in (model, data))
    indices = put(orders(len(data), steps, batch_size)).long()
    optimiser = torch.optim.Adam(model.parameters(), rate, fused=kind != "eager")
    loss(model, data[indices[0]])  # layers that start from data do so in eager mode
    objective = compiled(loss, kind)

    def run(count: int) -> None:
        for i in range(count):
            optimiser.zero_grad(set_to_none=True)
            objective(model, data[indices[i]]).backward()
            optimiser.step()

    return Peer(parameters(model), run)
