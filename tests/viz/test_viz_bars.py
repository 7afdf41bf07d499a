import numpy as np
import pytest

from jaxgen.viz.bars import bars
from jaxgen.viz.scatter import PALETTE

BLUE = np.array([int(PALETTE[0][i : i + 2], 16) for i in (1, 3, 5)])


def blue(canvas):
    return (abs(canvas.astype(int) - BLUE).max(-1) < 4).sum()


def test_an_area_is_as_large_as_its_values():
    half, whole = bars({"a": np.array([1.0, 0.0])}), bars({"a": np.array([1.0, 1.0])})
    assert half.dtype == np.uint8
    np.testing.assert_allclose(blue(whole) / blue(half), 2.0, rtol=0.02)


def test_each_series_has_axes_of_its_own_and_gaps_are_left():
    one = bars({"a": np.ones(3)})
    two = bars({"a": np.ones(3), "b": np.array([1.0, np.nan])}, line=0.5, title="t", xlabel="x", ylabel="y")
    assert two.shape[0] > 1.5 * one.shape[0]
    assert bars({"many": np.ones(500)}).shape == one.shape


@pytest.mark.parametrize("series", [{}, {"a": np.zeros((2, 2))}, {"a": np.zeros(0)}])
def test_what_is_no_series_is_refused(series):
    with pytest.raises(ValueError, match=r"series of values \[K\]"):
        bars(series)
