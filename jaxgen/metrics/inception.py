"""The Inception network of FID and Inception score, from a local TorchScript file."""

from pathlib import Path
from typing import Any

import numpy as np

AT_ONCE = 50  # images; they are scaled up to 299 x 299, and a layer of 500 takes gigabytes
FORWARD = ("return_features", "no_output_bias")  # options of the network's forward function


class Inception:
    """The network that published scores are in: images -> features [B, 2048] or probabilities [B, 1008].

    file: the Inception of 2015 as one TorchScript file that scales and resizes by itself, as it is handed round for
    FID (`inception-2015-12-05.pt`): (uint8 [B, 3, H, W]) -> features with `return_features=True`, probabilities
    without its last layer's bias, as the first Inception scores had them, with `no_output_bias=True`. It runs on the
    CPU. Raises ValueError for a file that is missing or none of that; ImportError without PyTorch.
    """

    def __init__(self, file: str | Path):
        torch = _torch()
        if not Path(file).is_file():
            raise ValueError(f"Inception: no file {file}")
        try:
            self.network = torch.jit.load(str(file), map_location="cpu").eval()
        except RuntimeError as error:
            raise ValueError(f"Inception: {file} is no TorchScript file: {str(error).splitlines()[0]}") from None
        taken = [argument.name for argument in self.network.forward.schema.arguments]
        if missing := [name for name in FORWARD if name not in taken]:
            raise ValueError(f"Inception: expected a network with {', '.join(missing)}, {file} takes {taken[1:]}")

    def features(self, images: Any) -> np.ndarray:
        """Return features [B, F] of images [B, H, W, C], floats in [0, 1], C of 1 or 3; grey counts as three equal."""
        return self._run(images, return_features=True)

    def probabilities(self, images: Any) -> np.ndarray:
        """Return the probabilities of classes [B, K] of images, as `features` has them."""
        return self._run(images, no_output_bias=True)

    def _run(self, images: Any, **options: bool) -> np.ndarray:
        torch, images = _torch(), np.asarray(images)
        if images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise ValueError(f"Inception: expected images [B, H, W, C] of 1 or 3 channels, got {images.shape}")
        bytes_ = np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
        channels_first = np.broadcast_to(np.moveaxis(bytes_, -1, 1), (len(images), 3, *images.shape[1:3]))
        pieces = [channels_first[start : start + AT_ONCE] for start in range(0, len(images), AT_ONCE)]
        with torch.no_grad():
            found = [self.network(torch.from_numpy(piece.copy()), **options).numpy() for piece in pieces]
        return np.concatenate(found)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("the Inception network needs PyTorch: pip install 'jaxgen[inception]'") from error
    return torch
