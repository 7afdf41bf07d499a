import numpy as np
import pytest

from jaxgen.viz.lines import lines
from jaxgen.viz.scatter import PALETTE


def count(canvas, colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((abs(canvas.astype(int) - rgb).sum(-1) < 40).sum())


def test_every_series_is_drawn_in_its_own_colour():
    canvas = lines({"a": np.arange(5), "b": np.arange(3)}, xlabel="place", ylabel="cost in $", title="t")
    assert canvas.dtype == np.uint8 and canvas.ndim == 3 and canvas.shape[2] == 3
    assert count(canvas, PALETTE[0]) > 100 and count(canvas, PALETTE[1]) > 100 and count(canvas, PALETTE[2]) < 20


def test_what_has_no_logarithm_leaves_a_gap():
    whole = lines({"a": np.ones(9)}, log=True)
    gap = lines({"a": np.array([1, 1, 1, 1, 0, -1, np.nan, 1, 1.0])}, log=True)
    assert 100 < count(gap, PALETTE[0]) < count(whole, PALETTE[0])
    assert lines({"a": np.zeros(3)}, log=True).shape == whole.shape


@pytest.mark.parametrize("series", [{}, {"a": np.zeros((2, 2))}, {"a": np.zeros(0)}, {"a": np.float64(1)}])
def test_other_shapes_are_refused(series):
    with pytest.raises(ValueError, match=r"lines: expected series of values \[K\]"):
        lines(series)
