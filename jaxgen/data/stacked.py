"""Three grey images as the channels of one: a set of K^3 equally likely modes to count (Srivastava et al. 2017)."""

import jax
import numpy as np

from jaxgen.data.dataset import Dataset
from jaxgen.data.lazy import size, take_rows

SIZES = {"train": 50_000, "validation": 10_000, "test": 10_000}
CHANNELS = 3


def stacked(base: Dataset) -> Dataset:
    """Return images [N, H, W, 3] of three of `base`, drawn from its same part with key 0.

    The label is that of the three as digits, the first channel the highest: 0 ... K^3 - 1. Raises ValueError for a
    set without grey images or labels.
    """
    if "image" not in base.train or "label" not in base.train or base.train["image"].shape[-1] != 1:
        raise ValueError(f"stacked images need a set of grey images with labels, data set {base.name!r} has none")
    classes = len(base.classes) if base.classes else 1 + int(np.max(np.asarray(base.train["label"])))
    parts = {}
    for number, (part, count) in enumerate(SIZES.items()):
        rows = getattr(base, part)
        key = jax.random.fold_in(jax.random.key(0, impl="threefry2x32"), number)
        chosen = np.asarray(jax.random.randint(key, (count, CHANNELS), 0, size(rows)))
        drawn = take_rows(rows, chosen.reshape(-1))
        image = np.moveaxis(drawn["image"][..., 0].reshape(count, CHANNELS, *drawn["image"].shape[1:3]), 1, -1)
        label = drawn["label"].reshape(count, CHANNELS) @ classes ** np.arange(CHANNELS)[::-1]
        parts[part] = {"image": np.ascontiguousarray(image), "label": label.astype(np.int32)}
    return Dataset(
        name=f"stacked:{base.name}",
        **parts,
        source=f"three images of {base.name} a piece, drawn with key 0; {base.source}",
        levels=base.levels,
    )
