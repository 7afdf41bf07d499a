import numpy as np
import pytest

from jaxgen.viz.groups import grouped_bars
from jaxgen.viz.scatter import PALETTE


def drawn(canvas, colour):
    """Return how many pixels have this colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return (canvas == wanted).all(-1).sum()


def test_higher_values_have_longer_bars():
    low, high = (grouped_bars({"a": [1.0, 1.0], "b": [top, top]}, ["x", "y"]) for top in (0.5, 1.0))
    assert drawn(low, PALETTE[1]) < 0.7 * drawn(high, PALETTE[1])
    assert drawn(high, PALETTE[0]) > 1000


def test_values_that_are_not_finite_leave_gaps():
    full = grouped_bars({"a": [1.0, 1.0, 1.0]}, list("xyz"), line=0.5)
    gap = grouped_bars({"a": [1.0, np.nan, 1.0]}, list("xyz"), line=0.5)
    assert drawn(gap, PALETTE[0]) < 0.8 * drawn(full, PALETTE[0])
    assert grouped_bars({"a": [np.nan]}, ["x"], line=50.0).shape[-1] == 3


@pytest.mark.parametrize(("series", "names"), [({}, ["x"]), ({"a": []}, []), ({"a": [1.0, 2.0]}, ["x"])])
def test_series_that_do_not_fit_are_refused(series, names):
    with pytest.raises(ValueError, match="grouped_bars: expected series"):
        grouped_bars(series, names)
