"""The few labelled examples of semi-supervised learning."""

import jax
import numpy as np


def balanced_subset(key: jax.Array, label: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Draws labelled examples, as many of each class, for the key alone.

    Args:
      key: of the draw.
      label: integers ``[N]`` in ``0..classes - 1``.
      count: examples to draw.
      classes: number of classes.

    Returns:
      indices ``[count]``, sorted.

    Raises:
      ValueError: as `check_balanced`.
    """
    check_balanced(label, count, classes)
    drawn = np.argsort(np.asarray(jax.random.uniform(key, (len(label),))), kind="stable")
    own = [drawn[label[drawn] == k][: count // classes] for k in range(classes)]
    return np.sort(np.concatenate(own))


def check_balanced(label: np.ndarray, count: int, classes: int) -> None:
    """Raises ValueError for a count that is no positive multiple of the classes, or more than some class has."""
    if count < 1 or count % classes:
        raise ValueError(f"labelled examples: expected a positive multiple of the {classes} classes, got {count}")
    fewest = int(np.bincount(label, minlength=classes).min())
    if count > fewest * classes:
        raise ValueError(
            f"labelled examples: expected at most {fewest * classes}, since the rarest of {classes} classes has "
            f"{fewest} in training, got {count}"
        )
