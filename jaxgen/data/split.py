"""Seeded 80/10/10 splits that never change.

They draw from ``RandomState``, whose stream NumPy has promised to keep; that of ``default_rng``
may change between versions, and a changed split would make old scores incomparable.
"""

from collections.abc import Mapping

import numpy as np

Parts = dict[str, np.ndarray]  # the indices, or the arrays, of one part by name


def split_indices(n: int, *, seed: int = 0, what: str = "a split") -> Parts:
    """Splits ``0..n-1`` by a seeded permutation.

    Args:
      n: number of examples, at least 3.
      seed: of the permutation.
      what: is split, for the error.

    Returns:
      ``{"train": [..], "validation": [..], "test": [..]}``: a tenth each, rounded, but at least one
      example, for validation and test; the rest for train. Sorted, so the parts keep the source's order.

    Raises:
      ValueError: when there are fewer than three examples.
    """
    if n < 3:
        raise ValueError(f"{what}: expected at least 3 examples, one for each part, got {n}")
    order = np.random.RandomState(seed).permutation(n)
    tenth = max(1, round(n / 10))
    cuts = {"train": order[2 * tenth :], "validation": order[:tenth], "test": order[tenth : 2 * tenth]}
    return {part: np.sort(index) for part, index in cuts.items()}


def hold_out(n: int, *, seed: int = 0, what: str = "a split") -> Parts:
    """Holds a seeded tenth of train out for validation, as `split_indices` does for both.

    Raises:
      ValueError: when there are fewer than two examples.
    """
    if n < 2:
        raise ValueError(f"{what}: expected at least 2 training examples, one of them for validation, got {n}")
    order = np.random.RandomState(seed).permutation(n)
    tenth = max(1, round(n / 10))
    return {"train": np.sort(order[tenth:]), "validation": np.sort(order[:tenth])}


def stratified_indices(label: np.ndarray, *, seed: int = 0) -> Parts:
    """Splits within each class, so that every part holds the classes in the same proportions.

    Args:
      label: integers ``[N]``, at least 3 of each value.
      seed: of the permutations.

    Returns:
      as `split_indices`.
    """
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for k in np.unique(label):
        members = np.flatnonzero(label == k)
        for part, index in split_indices(len(members), seed=seed + int(k)).items():
            parts[part].append(members[index])
    return {part: np.sort(np.concatenate(index)) for part, index in parts.items()}


def take(arrays: Mapping[str, np.ndarray], indices: Parts) -> dict[str, dict[str, np.ndarray]]:
    """The rows of every array, ``{part: {key: array[index]}}``."""
    return {part: {key: array[index] for key, array in arrays.items()} for part, index in indices.items()}
