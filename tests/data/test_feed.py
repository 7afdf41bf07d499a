"""Data at rest and data on the way are the same batches; a streamed pass ends cleanly and stays small."""

import subprocess
import sys
import threading
import time
from contextlib import closing

import jax
import numpy as np
import pytest

from jaxgen.data.feed import Resident, Streamed, stream_rows
from jaxgen.data.lazy import Lazy
from jaxgen.data.order import Batches
from jaxgen.parallel import take

N, B = 23, 4
ARRAYS = {
    "image": np.random.default_rng(0).integers(0, 256, (N, 3, 2, 1), np.uint8),
    "label": np.arange(N, dtype=np.int32),
}


class Source:
    """A source of arrays that counts its reads, and fails at one row."""

    name = "source"

    def __init__(self, broken=None):
        self.broken, self.read = broken, []
        self.error = OSError("row 7 is torn")

    def __len__(self):
        return N

    def __getitems__(self, indices):
        self.read += indices
        if self.broken in indices:
            raise self.error
        return {key: array[np.asarray(indices)] for key, array in ARRAYS.items()}


class Seeds:
    """The orders of two seeds side by side, [count, 2, B]."""

    def __init__(self):
        self.orders = [Batches(jax.random.key(seed), N, B) for seed in (0, 1)]

    def indices(self, step, count):
        return np.stack([order.indices(step, count) for order in self.orders], axis=1)


class Straight:
    """Batch i holds row i and nothing else."""

    def indices(self, step, count):
        return np.arange(step, step + count, dtype=np.int32)[:, None] % N


ORDERS = {"one seed": lambda: Batches(jax.random.key(3), N, B), "two seeds": Seeds}


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("jaxgen-")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not threads()


def batches(feed, plan, rows):
    return [
        jax.tree.map(np.asarray, take(chunk.data, chunk.rows[i], chunk.index[i]))
        for (_, count), chunk in zip(plan, feed.chunks(plan, rows), strict=True)
        for i in range(count)
    ]


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize("place", [jax.device_put, dict])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_streamed_and_resident_batches_are_bitwise_those_of_the_order(order, place, first):
    plan = [(first, 4), (first + 4, 4), (first + 8, 3), (first + 11, 1)]  # over several epochs of five batches
    resident = batches(Resident(ARRAYS, order(), place), plan, 4)
    kinds = [(Lazy(Source()), 1), (Lazy(Source()), 3), (ARRAYS, 2)]
    indices = order().indices(first, 12)
    for i, batch in enumerate(resident):
        np.testing.assert_array_equal(batch["index"], indices[i], strict=True)
        np.testing.assert_array_equal(batch["image"], ARRAYS["image"][indices[i]], strict=True)
    for part, workers in kinds:
        streamed = batches(Streamed(part, order(), place, workers=workers), plan, 4)
        assert len(streamed) == len(resident) == 12
        for a, b in zip(streamed, resident, strict=True):
            assert set(a) == {"image", "label", "index"}
            for key in b:
                np.testing.assert_array_equal(a[key], b[key], strict=True)


def test_a_resident_feed_reads_a_lazy_part_whole():
    for key, array in Resident(Lazy(Source()), Straight(), dict).data.items():
        np.testing.assert_array_equal(array, ARRAYS[key], strict=True)


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_every_chunk_has_the_same_shapes_and_a_short_one_reads_no_more_than_it_needs(kind):
    source = Source()
    feed = kind(Lazy(source), Seeds(), dict)
    source.read.clear()
    chunks = list(feed.chunks([(0, 3), (3, 1)], 3))
    shapes = [jax.tree.map(lambda array: (array.shape, array.dtype), chunk) for chunk in chunks]
    assert shapes[0] == shapes[1] and shapes[0].index == ((3, 2, B), np.int32) == shapes[0].rows
    if kind is Streamed:
        assert sorted(source.read) == sorted(Seeds().indices(0, 4).reshape(-1))


@pytest.mark.parametrize("kind", [Resident, Streamed])
@pytest.mark.parametrize("count", [0, 4])
def test_a_chunk_that_does_not_fit_is_refused(kind, count):
    with pytest.raises(ValueError, match=f"chunks of 1 to 3 steps, got {count} at step 5"):
        list(kind(ARRAYS, Straight(), dict).chunks([(5, count)], 3))


@pytest.mark.parametrize("options", [{"ahead": 0}, {"workers": 0}])
def test_a_feed_without_chunks_or_workers_is_refused(options):
    with pytest.raises(ValueError, match="at least 1 chunk ahead and 1 worker"):
        Streamed(ARRAYS, Straight(), dict, **options)


def test_an_error_in_the_reader_is_raised_at_its_chunk_as_it_is():
    source = Source(broken=7)
    feed, got = Streamed(Lazy(source), Straight(), dict, workers=2), []
    with pytest.raises(OSError, match="row 7 is torn") as caught:
        for chunk in feed.chunks([(i, 2) for i in range(0, 20, 2)], 2):
            got.append(chunk.index[0, 0])
    assert caught.value is source.error
    assert got == [0, 2, 4]  # what was before it came first


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_closing_early_ends_the_threads_and_reads_no_further(error):
    source = Source()
    feed = Streamed(Lazy(source), Straight(), dict, workers=2)
    with pytest.raises(error), closing(feed.chunks(((i, 1) for i in range(10**9)), 1)) as chunks:
        next(chunks)
        assert threads()
        raise error
    assert not threads()
    read = len(source.read)
    time.sleep(0.02)
    assert len(source.read) == read


@pytest.mark.parametrize("ahead", [1, 3])
def test_the_reader_stays_so_many_chunks_ahead_and_no_more(ahead):
    placed = []
    feed = Streamed(ARRAYS, Straight(), lambda data: placed.append(0) or data, ahead=ahead)
    with closing(feed.chunks(((i, 1) for i in range(100)), 1)) as chunks:
        for taken in range(1, 4):
            next(chunks)
            deadline = time.monotonic() + 10
            while len(placed) < taken + ahead and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.02)
            assert len(placed) == taken + ahead


def test_a_slow_worker_does_not_change_the_order():
    class Slow(Source):
        def __getitems__(self, indices):
            time.sleep(0.004 if 0 in indices else 0.0)
            return super().__getitems__(indices)

    feed = Streamed(Lazy(Slow()), Straight(), dict, workers=4)
    for chunk in feed.chunks([(i, 4) for i in range(0, 20, 4)], 4):
        np.testing.assert_array_equal(chunk.data["label"], chunk.index.reshape(-1))


def test_the_steps_of_a_streamed_chunk_fit_the_limit():
    part = {"image": np.zeros((5, 8, 8, 1), np.uint8), "label": np.zeros(5, np.int32)}  # 68 bytes a row
    assert stream_rows(part, 10, 100, limit=680 * 7) == stream_rows(part, 10, 100, limit=680 * 8 - 1) == 7
    assert stream_rows(part, 10, 5, limit=680 * 7) == 5
    assert stream_rows(part, 10, 100, limit=100) == 1
    assert stream_rows(part, 10, 100) == 100
    assert stream_rows(Lazy(Source()), 2**20, 100) == 64 * 2**20 // (10 * 2**20)


SCRIPT = """
import resource, jax, numpy as np
from jaxgen.data.feed import Streamed
from jaxgen.data.lazy import Lazy

class Large:  # rows of 256 KiB, never in memory together
    name = "large"
    def __len__(self):
        return 10_000
    def __getitems__(self, indices):
        return {"image": np.repeat(np.array(indices).astype(np.uint8), 2**18).reshape(-1, 512, 512, 1)}

class Straight:
    def indices(self, step, count):
        return np.arange(8 * step, 8 * (step + count), dtype=np.int32).reshape(count, 8)

feed = Streamed(Lazy(Large()), Straight(), jax.device_put, workers=2)
"""


def script(text):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT + text], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def test_a_long_streamed_pass_takes_the_memory_of_a_short_one():
    pytest.importorskip("resource")
    grown = script("""
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for i, chunk in enumerate(feed.chunks([(4 * i, 4) for i in range(20)], 4)):  # 8 MiB each
    jax.block_until_ready(chunk.data)
    if i == 4:
        short = peak()
print(peak() - short)
""")
    assert float(grown) < 24  # of the 120 MiB read since


def test_an_iterator_left_open_at_exit_makes_no_noise_and_does_not_hang():
    assert script("chunks = feed.chunks([(4 * i, 4) for i in range(20)], 4); next(chunks); print('end')") == "end\n"
