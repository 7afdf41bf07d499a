"""How well scores tell anomalies apart, and the distance to what has been seen as a score to beat."""

import numpy as np

HELD = 20_000_000  # distances that are held in memory at once


def auroc(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """Return the area under the ROC curve in %: how often an anomaly's score is above that of another example.

    scores: [N], higher for what is more anomalous; ties count half. anomalous: [N], of which some are true and some
    are not. Raises ValueError where one of the kinds is missing.
    """
    from sklearn.metrics import roc_auc_score

    anomalous = np.asarray(anomalous, bool)
    if anomalous.all() or not anomalous.any():
        raise ValueError(f"auroc: expected anomalies and others, got {anomalous.sum()} of {len(anomalous)} anomalous")
    return 100 * float(roc_auc_score(anomalous, np.asarray(scores, np.float64)))


def nearest_by_class(train: np.ndarray, label: np.ndarray, test: np.ndarray, classes: int) -> np.ndarray:
    """Return the squared distance [M, classes] of test [M, ...] from the nearest training example of each class.

    train: [N, ...] with label [N] in 0, ..., classes - 1; a class without examples is infinitely far away. Leaving
    a class out of the nearest neighbour's set is leaving its column out.
    """
    train, test = (np.asarray(x, np.float32).reshape(len(x), -1) for x in (train, test))
    middle = train.mean(0)  # differences of squares lose fewer digits about the middle
    train, test = train - middle, test - middle
    nearest = np.full((len(test), classes), np.inf, np.float32)
    for kind in np.unique(label):
        of = train[np.asarray(label) == kind]
        squares, step = (of**2).sum(1), max(1, HELD // len(of))
        for first in range(0, len(test), step):
            rows = test[first : first + step]
            distance = (rows**2).sum(1)[:, None] + squares[None] - 2 * rows @ of.T
            nearest[first : first + step, kind] = np.maximum(distance, 0).min(1)
    return nearest
