"""How often the neighbours of a code are of its class."""

from collections.abc import Sequence
from typing import Literal

import numpy as np


def retrieval_accuracy(
    codes: np.ndarray,
    label: np.ndarray,
    queries: np.ndarray,
    neighbours: Sequence[int],
    *,
    metric: Literal["euclidean", "cosine"] = "euclidean",
) -> dict[int, float]:
    """Return {k: fraction of the k nearest others, over all queries, that have the query's label}, in [0, 1].

    codes: [N, D]. label: [N]. queries: places in codes, [Q]; each is compared with all codes but itself, whatever
    equals it included (Hinton and Salakhutdinov 2006, figure 4). neighbours: the k, below N.
    Raises ValueError for lengths that differ, or more neighbours than there are others.
    """
    from sklearn.neighbors import NearestNeighbors

    codes, label, queries = np.asarray(codes), np.asarray(label), np.asarray(queries)
    if codes.ndim != 2 or len(codes) != len(label):
        raise ValueError(f"retrieval: expected codes [N, D] and labels [N], got {codes.shape} and {label.shape}")
    most = max(neighbours)
    if not 1 <= min(neighbours) <= most < len(codes):
        raise ValueError(f"retrieval: expected 1 to {len(codes) - 1} neighbours, got {list(neighbours)}")
    found = NearestNeighbors(n_neighbors=most + 1, metric=metric).fit(codes)
    nearest = found.kneighbors(codes[queries], return_distance=False)
    # A query is its own nearest neighbour, but not always the first of several equal ones, nor always found then.
    other = nearest != queries[:, None]
    other[other.all(1), -1] = False
    same = (label[nearest] == label[queries][:, None])[other].reshape(len(queries), most)
    return {k: float(same[:, :k].mean()) for k in neighbours}
