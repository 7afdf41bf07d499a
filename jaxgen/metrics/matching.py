"""How well unnamed categories tell classes apart."""

import numpy as np


def matched_accuracy(found: np.ndarray, label: np.ndarray, test_found: np.ndarray, test_label: np.ndarray) -> float:
    """Return the accuracy of categories as names of classes, each standing for the class it most often is.

    (Chen et al. 2016, section 7.2.) found, label: integers [N] of examples that the match is made on; test_found,
    test_label: [M], what is scored. A category not found among the first names no class. Raises ValueError for other
    shapes.
    """
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in ((found, label), (test_found, test_label))]
    if any(a.ndim != 1 or a.shape != b.shape or not len(a) for a, b in pairs):
        raise ValueError(
            f"matched_accuracy: expected [N], [N], [M], [M], got {[np.shape(a) for p in pairs for a in p]}"
        )
    (found, label), (test_found, test_label) = pairs
    table = np.zeros((max(found.max(), test_found.max()) + 1, max(label.max(), test_label.max()) + 1), np.int64)
    np.add.at(table, (found, label), 1)
    name = np.where(table.any(1), table.argmax(1), -1)
    return float((name[test_found] == test_label).mean())
