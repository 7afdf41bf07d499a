"""A part of a data set that is read when its rows are asked for, so that it need not fit in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

BITE = 1024  # rows read at a time where a whole column is wanted

Select = range | np.ndarray  # rows of a source: a stretch of it, or any indices


class Source(Protocol):
    """Rows that can be read in any order, by several threads at once."""

    name: str

    def __len__(self) -> int: ...

    def __getitems__(self, indices: Sequence[int]) -> dict[str, np.ndarray]:
        """At least one row, ``{key: [n, ...]}``."""
        ...


@dataclass(frozen=True)
class Column:
    """What is known of one array of a `Lazy` part before it is read; ``np.asarray`` reads it whole."""

    part: "Lazy" = field(repr=False)
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """As of an array."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole column in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(f"{self.key} lies on disk: expected copy to be allowed, got copy=False")
        whole = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for start in range(0, len(self), BITE):
            stop = min(len(self), start + BITE)
            whole[start:stop] = self.part.rows(np.arange(start, stop))[self.key]
        return whole


class Lazy(Mapping[str, Column]):
    """Rows of a source under the keys of a part; only the first is read to see their shapes.

    Args:
      source: indexable, as `tfds_source.Source`.
      select: which of its rows, in which order; all of them where None.

    Raises:
      ValueError: when it selects no row.
    """

    def __init__(self, source: Source, select: Select | None = None):
        self._source = source
        self._select = range(len(source)) if select is None else select
        if not len(self._select):
            raise ValueError(f"{source.name}: expected at least one example, got none")
        first = source.__getitems__([int(self._select[0])])
        self._columns = {
            key: Column(self, key, (len(self._select), *array.shape[1:]), array.dtype) for key, array in first.items()
        }

    def __getitem__(self, key: str) -> Column:
        return self._columns[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of keys; `size` gives that of the rows."""
        return len(self._columns)

    def rows(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Reads rows, safely from several threads.

        Args:
          index: integers ``[n]``, in any order and with repeats; negative ones count from the end.

        Returns:
          ``{key: [n, ...]}``, what ``array[index]`` is where the part is in memory.

        Raises:
          ValueError: for an index of another kind, or rows that do not look like the first.
          IndexError: for an index beyond the end.
        """
        index = np.asarray(index)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise ValueError(
                f"{self._source.name}: expected integer indices [n], got {index.dtype} {list(index.shape)}"
            )
        n, index = len(self._select), index.astype(np.int64)
        outside = index[(index < -n) | (index >= n)]
        if len(outside):
            raise IndexError(f"{self._source.name}: expected indices of {n} rows, got {outside[0]}")
        if not len(index):
            return {key: np.empty((0, *column.shape[1:]), column.dtype) for key, column in self.items()}
        index = np.where(index < 0, index + n, index)
        if isinstance(self._select, range):
            index = self._select.start + self._select.step * index
        else:
            index = self._select[index]
        found = self._source.__getitems__(index.tolist())
        for key, column in self.items():
            if found[key].shape[1:] != column.shape[1:] or found[key].dtype != column.dtype:
                raise ValueError(
                    f"{self._source.name}: expected {key} as in its first row, {column.dtype} "
                    f"{list(column.shape[1:])}, got {found[key].dtype} {list(found[key].shape[1:])}"
                )
        return found


def pick(arrays: Mapping[str, np.ndarray], select: Select) -> dict[str, np.ndarray]:
    """The selected rows of arrays in memory; a stretch is a view."""
    rows = slice(select.start, select.stop, select.step) if isinstance(select, range) else select
    return {key: array[rows] for key, array in arrays.items()}


def take_rows(part: Mapping, index: np.ndarray) -> dict[str, np.ndarray]:
    """The rows ``index`` ``[n]`` of a part, in memory or not."""
    return part.rows(index) if isinstance(part, Lazy) else {key: array[index] for key, array in part.items()}


def size(part: Mapping) -> int:
    """The number of rows of a part."""
    return len(next(iter(part.values())))


def nbytes(part: Mapping) -> int:
    """The bytes of a part in memory, or that it would take there."""
    return sum(column.nbytes for column in part.values())
