"""What a module of this package hands to the worker: `build(kind, steps) -> Peer`, and a `sampler` of that kind."""

from collections.abc import Callable
from typing import NamedTuple

# eager: as tutorials write it. fused: with Adam's fused kernel. channels_last: that, and images [B, H, W, C] in memory.
# compile: loss and gradient by torch.compile, beside all that helps eager code. graphs: that, replayed as CUDA graphs.
VECTORS = ("eager", "fused", "compile", "graphs")
IMAGES = ("eager", "fused", "channels_last", "compile", "graphs")
LAST = ("channels_last", "compile", "graphs")  # which keep images [B, H, W, C] in memory


class Peer(NamedTuple):
    """A training in another framework, or the drawing of samples: the number of parameters, and a function that takes
    this many steps, or draws this many batches.
    """

    parameters: int
    run: Callable[[int], None]
