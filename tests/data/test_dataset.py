"""The data set value refuses what is not laid out as it promises."""

import numpy as np
import pytest

from jaxgen.data import Dataset, load, names


def part(n=3, **other):
    arrays = {"image": np.zeros((n, 2, 2, 1), np.uint8), "label": np.zeros(n, np.int32)}
    return {key: array for key, array in {**arrays, **other}.items() if array is not None}


def build(levels=256, **parts):
    parts = {"train": part(), "validation": part(), "test": part(), **parts}
    return Dataset("d", **parts, source="made up", levels=levels, classes=("a", "b"))


def test_a_well_formed_set_is_accepted():
    assert build().classes == ("a", "b")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": {}}, "expected arrays in train, got none"),
        ({"test": part(label=None)}, r"expected the keys of train, \['image', 'label'\], in test"),
        ({"test": part(label=np.zeros(4, np.int32))}, "one length, got {'image': 3, 'label': 4}"),
        ({"validation": part(0)}, "at least one example"),
        ({"train": part(image=np.zeros((3, 2, 2, 1), np.float32))}, r"uint8 \[N, H, W, C\], got float32"),
        ({"train": part(image=np.zeros((3, 2, 2), np.uint8))}, r"uint8 \[N, H, W, C\], got uint8 \[3, 2, 2\]"),
        ({"test": part(image=np.zeros((3, 4, 2, 1), np.uint8))}, r"rows of shape \(2, 2, 1\) as in train"),
        ({"train": part(label=np.zeros(3))}, r"label to be int32 \[N\], got float64"),
        ({"train": part(label=np.full(3, 2, np.int32))}, r"labels in 0\.\.1, got 2"),
        ({"train": part(label=np.full(3, -1, np.int32))}, "labels from 0 up, got -1"),
        ({"train": part(label=[0, 0, 0])}, "numpy array of rows, got list"),
        ({"train": part(x=np.zeros((3, 2), np.float32))}, "expected the keys of train"),
        ({"levels": None}, "expected levels exactly where there are images"),
        ({"levels": 300}, r"levels in 2\.\.256, got 300"),
        ({"levels": 2, "train": part(image=np.full((3, 2, 2, 1), 2, np.uint8))}, r"intensities in 0\.\.1, got 2"),
    ],
)
def test_a_malformed_set_is_refused_with_what_came(parts, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(**parts)
    assert "\n" not in str(caught.value)


def test_rows_must_be_finite_and_factors_named():
    x, nan = np.zeros((3, 2), np.float32), np.array([[0, 0], [0, np.nan]], np.float32)
    with pytest.raises(ValueError, match="finite x, got nan or infinity in row 1"):
        Dataset("d", {"x": x}, {"x": x}, {"x": nan}, "made up")
    factor = {"factor": np.zeros((3, 2), np.int32)}
    with pytest.raises(ValueError, match="expected 1 factor columns, got 2"):
        Dataset("d", factor, factor, factor, "made up", factors=("shape",))


def test_an_unknown_name_offers_the_nearest_and_the_list():
    with pytest.raises(
        ValueError, match="unknown data set 'digts', did you mean digits; expected one of digits"
    ) as caught:
        load("digts")
    assert all(name in str(caught.value) for name in (*names(), "tfds:NAME", "folder:PATH", "npz:PATH", "table:PATH"))
    with pytest.raises(ValueError, match="did you mean tfds:NAME"):
        load("tfd:mnist")
    with pytest.raises(ValueError, match="expected folder:PATH, got nothing after the colon"):
        load("folder:")


@pytest.mark.parametrize("name", names())
def test_every_embedded_set_loads_and_is_the_same_twice(name):
    first, second = load(name), load(name)
    assert first.name == name and "\n" not in first.source
    for part_name in ("train", "validation", "test"):
        for key, array in getattr(first, part_name).items():
            np.testing.assert_array_equal(array, getattr(second, part_name)[key])
