"""Training images mirrored at random."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxgen.data import Dataset, preprocess

Array = jax.Array


def check_flip(flip: bool, data: Dataset) -> None:
    """Raise ValueError where --flip is asked for and there are no images."""
    if flip and data.levels is None:
        raise ValueError(f"--flip mirrors images, data set {data.name} has none")


def mirrored(flip: bool, key: Array, batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the batch, where asked for each image mirrored left to right with probability one half."""
    if not flip:
        return batch
    return {**batch, "image": preprocess.flip(jax.random.fold_in(key, 1), batch["image"])}
