"""The one value every data source becomes: three parts of named arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import numpy as np

from jaxgen.data.lazy import Column

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """A data set, split once and for all.

    Each part is a mapping of arrays that share their leading length, or a `Lazy`, whose values are not checked:

    ======== ======= ============ ==========================================
    key      dtype   shape        meaning
    ======== ======= ============ ==========================================
    image    uint8   [N, H, W, C] intensities ``0..levels-1``
    label    int32   [N]          class, an index into ``classes`` if given
    x        float32 [N, D]       real-valued rows (toys, tables)
    factor   int32   [N, F]       generative factors, named by ``factors``
    ======== ======= ============ ==========================================

    Other keys are allowed; only their lengths are checked.

    Args:
      name: what ``load`` was given.
      train: the arrays a model is fitted on.
      validation: the arrays choices are made on.
      test: the arrays the score is computed on.
      source: one line, where the data is from and how it was split.
      levels: number of intensities of ``image``, 256 for common pictures; None without images.
      classes: label names, in the order of the labels.
      factors: names of the columns of ``factor``.
      log_density: the exact log-density where it is known, ``[N, D] -> [N]`` in nats, jittable.

    Raises:
      ValueError: when the parts do not have the layout above.
    """

    name: str
    train: Mapping[str, np.ndarray | Column]
    validation: Mapping[str, np.ndarray | Column]
    test: Mapping[str, np.ndarray | Column]
    source: str
    levels: int | None = None
    classes: tuple[str, ...] | None = None
    factors: tuple[str, ...] | None = None
    log_density: Callable[[jax.Array], jax.Array] | None = None

    def __post_init__(self) -> None:
        keys = set(self.train)
        if not keys:
            raise ValueError(f"data set {self.name!r}: expected arrays in train, got none")
        if ("image" in keys) != (self.levels is not None):
            raise ValueError(
                f"data set {self.name!r}: expected levels exactly where there are images, "
                f"got levels={self.levels} with keys {sorted(keys)}"
            )
        for part in PARTS:
            arrays = getattr(self, part)
            if set(arrays) != keys:
                raise ValueError(
                    f"data set {self.name!r}: expected the keys of train, {sorted(keys)}, in {part}, "
                    f"got {sorted(arrays)}"
                )
            self._check_part(part, arrays)
            for key, array in arrays.items():
                if array.shape[1:] != self.train[key].shape[1:]:
                    raise ValueError(
                        f"data set {self.name!r}: expected {key} of {part} to have rows of shape "
                        f"{self.train[key].shape[1:]} as in train, got {array.shape[1:]}"
                    )

    def _check_part(self, part: str, arrays: Mapping[str, np.ndarray | Column]) -> None:
        where = f"data set {self.name!r}, {part}"
        for key, array in arrays.items():
            if not isinstance(array, np.ndarray | Column) or array.ndim == 0:
                raise ValueError(f"{where}: expected {key} to be a numpy array of rows, got {_describe(array)}")
        lengths = {key: len(array) for key, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"{where}: expected arrays of one length, got {lengths}")
        if not next(iter(lengths.values())):
            raise ValueError(f"{where}: expected at least one example, got none")
        if "image" in arrays:
            _check_image(where, arrays["image"], self.levels)
        if "label" in arrays:
            _check_label(where, arrays["label"], self.classes)
        if "x" in arrays:
            _check_rows(where, arrays["x"])
        if "factor" in arrays:
            _check_factor(where, arrays["factor"], self.factors)


def _check_image(where: str, image: np.ndarray | Column, levels: int) -> None:
    if image.dtype != np.uint8 or image.ndim != 4:
        raise ValueError(f"{where}: expected image to be uint8 [N, H, W, C], got {_describe(image)}")
    if image.shape[3] not in (1, 3) or 0 in image.shape:
        raise ValueError(f"{where}: expected images of 1 or 3 channels, not empty, got {_describe(image)}")
    if not 2 <= levels <= 256:
        raise ValueError(f"{where}: expected levels in 2..256, got {levels}")
    if isinstance(image, np.ndarray) and image.size and image.max() >= levels:
        raise ValueError(f"{where}: expected intensities in 0..{levels - 1}, got {image.max()}")


def _check_label(where: str, label: np.ndarray | Column, classes: tuple[str, ...] | None) -> None:
    if label.dtype != np.int32 or label.ndim != 1:
        raise ValueError(f"{where}: expected label to be int32 [N], got {_describe(label)}")
    if isinstance(label, Column):
        return
    if label.min() < 0:
        raise ValueError(f"{where}: expected labels from 0 up, got {label.min()}")
    if classes is not None and label.max() >= len(classes):
        raise ValueError(f"{where}: expected labels in 0..{len(classes) - 1}, got {label.max()}")


def _check_rows(where: str, x: np.ndarray | Column) -> None:
    if x.dtype != np.float32 or x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{where}: expected x to be float32 [N, D], got {_describe(x)}")
    if isinstance(x, np.ndarray) and not np.isfinite(x).all():
        raise ValueError(f"{where}: expected finite x, got nan or infinity in row {_first_bad_row(x)}")


def _check_factor(where: str, factor: np.ndarray | Column, factors: tuple[str, ...] | None) -> None:
    if factor.dtype != np.int32 or factor.ndim != 2:
        raise ValueError(f"{where}: expected factor to be int32 [N, F], got {_describe(factor)}")
    if factors is not None and factor.shape[1] != len(factors):
        raise ValueError(f"{where}: expected {len(factors)} factor columns, got {factor.shape[1]}")


def _first_bad_row(x: np.ndarray) -> int:
    return int(np.argmin(np.isfinite(x).all(axis=1)))


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray | Column):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
