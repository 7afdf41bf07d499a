"""How chunks of batches reach the compiled steps: from data at rest on the device, or read on the way.

Both feeds give the same batches. A chunk is what a call of ``many_steps`` reads: ``data`` on the device,
``rows`` that say where each batch is in it, and ``index`` that says which examples of the set these are.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from jaxgen.data.lazy import nbytes, size, take_rows

# What a worker reads at a time: enough that a call to the source is cheap, so little that closing is quick.
PIECE, PIECE_BYTES = 1024, 8 * 2**20
LIMIT = 64 * 2**20  # bytes of a chunk

Place = Callable[[dict[str, np.ndarray]], Mapping[str, Any]]
Plan = Iterable[tuple[int, int]]


class Order(Protocol):
    """Which examples the steps read, as `jaxgen.data.order.Batches`."""

    def indices(self, step: int, count: int) -> np.ndarray:
        """The examples of `count` batches from `step` on, int32 ``[count, ..., B]``."""
        ...


class Chunk(NamedTuple):
    """Attributes: data ``{key: [examples, ...]}``; rows and index ``[N, ..., B]``, the first `count` of N valid."""

    data: Mapping[str, Any]
    rows: np.ndarray
    index: np.ndarray


class Resident:
    """Data that rests on the device, put there once.

    Args:
      part: of a data set; read whole where it is `Lazy`.
      order: of the examples.
      place: puts arrays where the compiled steps want them.
    """

    def __init__(self, part: Mapping, order: Order, place: Place):
        self.order = order
        self.data = place({key: np.asarray(column) for key, column in part.items()})

    def chunks(self, plan: Plan, rows: int) -> Iterator[Chunk]:
        """Yields the arguments of each chunk of a plan.

        Args:
          plan: first step and number of steps of each chunk, in order.
          rows: N, the steps that every chunk has room for, so that nothing is retraced for a short one.

        Raises:
          ValueError: for a chunk of more than `rows` steps, or of none.
        """
        for step, count in plan:
            index = _index(self.order, step, count, rows)
            yield Chunk(self.data, index, index)


class Streamed:
    """Data read chunk by chunk, ahead of the steps, and placed on the device in the background.

    Args:
      part: of a data set, `Lazy` or not.
      order: of the examples; asked by the reading thread only.
      place: puts arrays where the compiled steps want them.
      ahead: chunks ready or being read in front of the one handed out; bounds the memory.
      workers: threads that read and decode; as many as processors, but at most four, where None.

    Raises:
      ValueError: for fewer than one chunk ahead or worker.
    """

    def __init__(self, part: Mapping, order: Order, place: Place, *, ahead: int = 2, workers: int | None = None):
        workers = min(4, os.cpu_count() or 1) if workers is None else workers
        if ahead < 1 or workers < 1:
            raise ValueError(f"expected at least 1 chunk ahead and 1 worker, got {ahead} and {workers}")
        self.part, self.order, self.place = part, order, place
        self.ahead, self.workers = ahead, workers

    def chunks(self, plan: Plan, rows: int) -> Iterator[Chunk]:
        """As `Resident.chunks`; what goes wrong in reading is raised here, at its chunk.

        Its threads end with the iterator: exhaust it, or close it (``contextlib.closing``).
        """
        plan, closed = iter(plan), threading.Event()
        pending: deque[Future[Chunk]] = deque()
        workers = ThreadPoolExecutor(self.workers, "jaxgen-decode")
        reader = ThreadPoolExecutor(1, "jaxgen-read")  # one, so that chunks are finished in their order
        # Called once: below, or before the interpreter ends with the iterator open, when it is too late below.
        end = weakref.finalize(self, _end, closed, pending, reader, workers)
        try:
            while True:
                for step, count in islice(plan, self.ahead + 1 - len(pending)):
                    pending.append(reader.submit(self._read, workers, closed, step, count, rows))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            end()

    def _read(self, workers: ThreadPoolExecutor, closed: threading.Event, step: int, count: int, rows: int) -> Chunk:
        index = _index(self.order, step, count, rows)
        wanted = index[:count].reshape(-1)
        # Rows beyond `count` stay zero: no step reads them.
        data = {key: np.zeros((index.size, *column.shape[1:]), column.dtype) for key, column in self.part.items()}

        def fill(first: int, last: int) -> None:
            if not closed.is_set():
                for key, array in take_rows(self.part, wanted[first:last]).items():
                    data[key][first:last] = array

        length = min(PIECE, -(-len(wanted) // self.workers), max(1, PIECE_BYTES // max(1, _row_bytes(self.part))))
        pieces = [workers.submit(fill, i, min(i + length, len(wanted))) for i in range(0, len(wanted), length)]
        for piece in pieces:
            piece.result()
        return Chunk(self.place(data), np.arange(index.size, dtype=np.int32).reshape(index.shape), index)


def _end(closed: threading.Event, pending: deque, reader: ThreadPoolExecutor, workers: ThreadPoolExecutor) -> None:
    closed.set()
    pending.clear()
    reader.shutdown(cancel_futures=True)
    workers.shutdown()


def stream_rows(part: Mapping, batch: int, chunk: int, limit: int = LIMIT) -> int:
    """How many steps of a streamed chunk are held at once.

    Args:
      part: of a data set.
      batch: examples a step reads, of all seeds together.
      chunk: steps of a chunk where memory is no matter.
      limit: bytes that a chunk should stay under.

    Returns:
      from 1 to `chunk`.
    """
    return max(1, min(chunk, limit // max(1, batch * _row_bytes(part))))


def _row_bytes(part: Mapping) -> int:
    return nbytes(part) // size(part)


def _index(order: Order, step: int, count: int, rows: int) -> np.ndarray:
    """The examples of a chunk, filled up to `rows` steps with zeros."""
    if not 1 <= count <= rows:
        raise ValueError(f"expected chunks of 1 to {rows} steps, got {count} at step {step}")
    index = order.indices(step, count)
    return np.concatenate([index, np.zeros((rows - count, *index.shape[1:]), index.dtype)])
