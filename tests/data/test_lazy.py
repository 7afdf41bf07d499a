"""A lazy part is its arrays: same rows, same shapes, nothing read before it is asked for."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgen.data import Dataset, load
from jaxgen.data.lazy import Lazy, nbytes, pick, size, take_rows
from jaxgen.metrics.batched import over

N = 20
ARRAYS = {
    "image": np.random.default_rng(0).integers(0, 256, (N, 3, 2, 1), np.uint8),
    "label": np.arange(N, dtype=np.int32),
}


class Counted:
    """A source of arrays that keeps what it was asked for."""

    name = "counted"

    def __init__(self, arrays=ARRAYS):
        self.arrays, self.asked = arrays, []

    def __len__(self):
        return len(next(iter(self.arrays.values())))

    def __getitems__(self, indices):
        self.asked += indices
        return {key: array[np.asarray(indices)] for key, array in self.arrays.items()}


SELECTS = {"whole": None, "stretch": range(5, 15), "stepped": range(3, 18, 2), "any": np.array([7, 0, 19, 7])}


@pytest.mark.parametrize("select", SELECTS.values(), ids=SELECTS)
def test_rows_are_those_of_the_arrays_whatever_the_index(select):
    lazy, arrays = Lazy(Counted(), select), pick(ARRAYS, range(N) if select is None else select)
    n = len(arrays["label"])
    assert size(lazy) == size(arrays) == n and nbytes(lazy) == nbytes(arrays)
    random = np.random.default_rng(1).integers(-n, n, 30)
    for index in (random, random.astype(np.int8), np.arange(n, dtype=np.uint8)[::-1], np.array([], np.int32)):
        expected, found = take_rows(arrays, index), take_rows(lazy, index)
        assert set(found) == set(expected)
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key], strict=True)
    for key, array in arrays.items():
        column = lazy[key]
        assert (column.shape, column.dtype, column.ndim, len(column)) == (array.shape, array.dtype, array.ndim, n)
        np.testing.assert_array_equal(np.asarray(column), array, strict=True)


def test_only_the_first_row_is_read_before_rows_are_asked_for():
    source = Counted()
    part = Lazy(source, range(5, 15))
    assert size(part) == 10 and nbytes(part) == 10 * (6 + 4) and part["image"].shape[1:] == (3, 2, 1)
    Dataset("d", part, part, part, "made up", levels=256)
    assert source.asked == [5]
    part.rows(np.array([0, 9, -1]))
    assert source.asked == [5, 5, 14, 14]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([0.0]), r"expected integer indices \[n\], got float64 \[1\]"),
        (np.zeros((2, 3), int), r"got int64 \[2, 3\]"),
        (np.zeros(N, bool), "got bool"),
    ],
)
def test_an_index_of_another_kind_is_refused(index, message):
    with pytest.raises(ValueError, match=message):
        Lazy(Counted()).rows(index)


@pytest.mark.parametrize("outside", [10, -11])
def test_a_row_beyond_the_end_is_refused_and_not_that_of_another_part(outside):
    with pytest.raises(IndexError, match=f"of 10 rows, got {outside}"):
        Lazy(Counted(), range(5, 15)).rows(np.array([0, outside]))


def test_rows_unlike_the_first_are_refused():
    source = Counted(dict(ARRAYS))
    part = Lazy(source)
    source.arrays["image"] = ARRAYS["image"][:, :2]
    with pytest.raises(ValueError, match=r"image as in its first row, uint8 \[3, 2, 1\], got uint8 \[2, 2, 1\]"):
        part.rows(np.array([3]))


def test_a_part_without_rows_is_refused():
    with pytest.raises(ValueError, match="counted: expected at least one example"):
        Lazy(Counted(), range(0))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (
            {"image": np.zeros((N, 3, 2, 1), np.float32)},
            r"train: expected image to be uint8 \[N, H, W, C\], got float32",
        ),
        ({"label": np.zeros(N, np.int64)}, r"train: expected label to be int32 \[N\], got int64"),
        ({"image": np.zeros((N, 4, 2, 1), np.uint8)}, r"image of validation to have rows of shape \(4, 2, 1\)"),
        ({"x": np.zeros((N, 2), np.float32)}, "expected the keys of train"),
    ],
)
def test_a_data_set_checks_what_shows_without_reading(harm, message):
    good, bad = Lazy(Counted()), Lazy(Counted({**ARRAYS, **harm}))
    with pytest.raises(ValueError, match=message):
        Dataset("d", bad, good, good, "made up", levels=256)


def test_threads_may_read_at_once():
    part, indices = Lazy(Counted(), range(1, N)), [np.random.default_rng(i).integers(0, N - 1, 50) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for index, rows in zip(indices, pool.map(part.rows, indices), strict=True):
            np.testing.assert_array_equal(rows["label"], 1 + index)


def write(folder, n, start=0):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(start)
    for i in range(n):
        colour = (3,) if i % 5 == 1 else ()  # grey ones among the coloured
        Image.fromarray(rng.integers(0, 256, (6, 4, *colour), np.uint8)).save(folder / f"{i:03}.png")


@pytest.mark.parametrize("layout", ["flat", "classes", "held out", "parts"])
def test_a_lazy_folder_has_bitwise_the_rows_of_the_one_in_memory(tmp_path, layout):
    if layout == "flat":
        write(tmp_path / "f", 25)
    else:
        parts = {"classes": [""], "held out": ["train", "test"], "parts": ["train", "test", "val"]}[layout]
        for i, part in enumerate(parts):
            write(tmp_path / "f" / part / "a", 12 - i, 10 + i)
            write(tmp_path / "f" / part / "b", 7 + i, 20 + i)
    data, lazy = load(f"folder:{tmp_path / 'f'}"), load(f"folder:{tmp_path / 'f'}", lazy=True)
    assert (lazy.name, lazy.source, lazy.classes) == (data.name, data.source, data.classes)
    for part in ("train", "validation", "test"):
        assert isinstance(getattr(lazy, part), Lazy)
        assert set(getattr(lazy, part)) == set(getattr(data, part))
        for key, array in getattr(data, part).items():
            np.testing.assert_array_equal(np.asarray(getattr(lazy, part)[key]), array, strict=True)


def test_a_lazy_folder_names_the_picture_that_broke_since(tmp_path):
    write(tmp_path / "f", 10)
    part = load(f"folder:{tmp_path / 'f'}", lazy=True).train
    for file in (tmp_path / "f").iterdir():
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"\d\.png: expected a picture Pillow can read, got "):
        part.rows(np.arange(3))
    for file in (tmp_path / "f").iterdir():
        Image.new("L", (5, 5)).save(file)
    with pytest.raises(ValueError, match=r"png: expected \[6, 4, 3\] as before, got \[5, 5, 1\]"):
        part.rows(np.arange(3))


def test_a_lazy_folder_of_two_sizes_is_refused_when_it_is_opened(tmp_path):
    write(tmp_path / "f", 5)
    Image.new("L", (9, 6)).save(tmp_path / "f" / "x.png")
    with pytest.raises(ValueError, match=r"one size, got .*000.png of 4x6 and .*x.png of 9x6"):
        load(f"folder:{tmp_path / 'f'}", lazy=True)


def test_what_is_in_memory_anyway_stays_there():
    assert isinstance(load("digits", lazy=True).train["image"], np.ndarray)


def test_a_metric_over_a_lazy_part_is_that_over_its_arrays():
    def function(key, batch):
        return {"sum": batch["image"].sum((1, 2, 3)) + jax.random.randint(key, (), 0, 9), "index": batch["index"]}

    arrays = pick(ARRAYS, range(2, 19))
    expected = over(function, jax.random.key(0), arrays, batch_size=5)
    found = over(function, jax.random.key(0), Lazy(Counted(), range(2, 19)), batch_size=5)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    np.testing.assert_array_equal(found["index"], np.arange(17))
