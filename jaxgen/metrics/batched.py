"""A function of a batch over a whole part of a data set."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np


def over(
    function: Callable[[jax.Array, Mapping[str, Any]], Any],
    key: jax.Array,
    part: Mapping[str, Any],
    *,
    batch_size: int,
    progress: Callable[[str], None] = lambda text: None,
) -> Any:
    """Return the rows [N, ...] of `function` over all N examples of a part, as numpy.

    part: arrays [N, ...], or anything that shows their shapes and reads rows(index), for a set on disk.
    function: (key, batch) -> tree of [B, ...], compiled once: the last batch is filled up with repeats that
    are dropped again. Each batch has "index", the place of its examples in the part, and a key of its own.
    """
    size = len(next(iter(part.values())))
    batch_size = min(batch_size, size)
    take = getattr(part, "rows", lambda index: {name: array[index] for name, array in part.items()})
    rows, start = [], time.perf_counter()
    for number, first in enumerate(range(0, size, batch_size)):
        left = f", {(time.perf_counter() - start) / first * (size - first):.0f} s left" if first else ""
        progress(f"scoring {first}/{size}{left}")
        index = np.minimum(np.arange(first, first + batch_size), size - 1)
        batch = {**take(index), "index": index.astype(np.int32)}
        rows.append(jax.device_get(function(jax.random.fold_in(key, number), batch)))
    return jax.tree.map(lambda *parts: np.concatenate([np.asarray(p) for p in parts])[:size], *rows)
