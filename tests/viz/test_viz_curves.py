"""Curves as SVG: equal, small, thinned, with bands, whatever the values."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from jaxgen.viz.curves import POINTS, curves, mean_and_deviation, thin

STEPS = np.arange(50)
NOISE = np.random.default_rng(0).normal(size=20_000)


def paths(svg):
    """The number of points of every filled or stroked path, bands and lines."""
    return [len(re.findall("[ML] ", path)) for path in re.findall(r' d="([^"]*)"', svg)]


def test_curves_are_svg_equal_for_equal_input_and_free_of_dates():
    series = {"train": (STEPS, NOISE[:50]), "validation": (STEPS[::5], NOISE[:10])}
    svg = curves(series, title="loss", ylabel="nats")
    assert svg == curves(dict(series), title="loss", ylabel="nats")
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    written = {text.strip() for text in root.itertext()}
    assert {"loss", "nats", "step", "train", "validation"} <= written
    assert "date" not in svg and "metadata" not in svg
    assert "<g id" not in svg  # several stand on one page


def test_only_seeds_have_a_band_and_the_legend_counts_them():
    one = curves({"a": (STEPS, NOISE[:50])})
    four = curves({"a": (STEPS, NOISE[:200].reshape(50, 4))})
    assert "fill-opacity: 0.2" not in one
    assert four.count("fill-opacity: 0.2") == 1
    assert ">a</text>" in one and ">a (4 seeds)</text>" in four


def test_a_seed_that_fails_is_told_and_leaves_the_others():
    values = NOISE[:200].reshape(50, 4).copy()
    values[30:, 2] = np.inf
    assert "a (4 seeds, 1 not always finite)" in curves({"a": (STEPS, values)})
    mean, deviation = mean_and_deviation(np.array([[1.0, 3.0, np.nan], [np.nan] * 3]))
    np.testing.assert_array_equal(mean, [2, np.nan])
    np.testing.assert_array_equal(deviation, [1, np.nan])


def test_a_lone_value_is_a_dot():
    dot = "fill: #3f90da"
    assert dot in curves({"a": ([1], [2.0])}) and dot in curves({"a": ([1, 2], [2.0, np.nan])})
    assert dot not in curves({"a": ([1, 2], [2.0, 3.0])})


def test_long_lines_are_thinned():
    points = max(paths(curves({"a": (np.arange(20_000), NOISE)})))
    assert POINTS / 2 < points <= POINTS
    band = max(paths(curves({"a": (np.arange(10_000), NOISE.reshape(10_000, 2))})))
    assert POINTS / 2 < band <= 2 * POINTS + 4  # there and back
    assert len(curves({"a": (np.arange(20_000), NOISE)})) < 40_000


@pytest.mark.parametrize("length", [0, 1, 499, 500, 501, 750, 20_000])
def test_thinning_keeps_ends_order_and_spikes(length):
    values = NOISE[:length].copy()
    values[length // 3 : length // 3 + 1] = 99.0
    values[length // 2 : length // 2 + 1] = -99.0
    values[: length // 10] = np.nan
    chosen = thin(values)
    assert len(chosen) <= POINTS and (np.diff(chosen) > 0).all()
    if length <= POINTS:
        np.testing.assert_array_equal(chosen, np.arange(length))
    else:
        assert chosen[0] == 0 and chosen[-1] == length - 1
        assert {length // 3, length // 2} <= set(chosen.tolist())


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        [np.nan] * 3,
        [np.inf, 1, 2],
        [1e308, -1e308, 0],
        [0, 0, 0],
        [-1, -2, -3],
        [5, 5, 5],
        [1e-300, 0, 1],
        [1, np.nan, 2],
    ],
)
def test_no_value_breaks_the_curves(values, log):
    values = np.array(values, float)
    for shaped in (values, np.stack([values, values[::-1]], axis=1)):
        svg = curves({"a": ([1, 2, 3], shaped)}, log=log)
        ElementTree.fromstring(svg)
        assert not re.search(r' d="[^"]*(nan|inf)', svg)


def test_names_are_text_not_mark_up():
    svg = curves({"<b>&": ([1], [2.0]), "_a$b$": ([1, 2], [2.0, 3.0])}, title="$1 <i>")
    written = {text.strip() for text in ElementTree.fromstring(svg).itertext()}
    assert {"<b>&", "_a$b$", "$1 <i>"} <= written


def test_a_logarithmic_axis_puts_equal_ratios_at_equal_distances():
    def heights(log):
        svg = curves({"a": ([1, 2, 3], [1.0, 10.0, 100.0])}, log=log)
        line = re.search(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: #3f90da', svg)[1]
        return np.diff([float(y) for _, y in re.findall(r"[ML] (\S+) (\S+)", line)])

    first, second = heights(log=True)
    np.testing.assert_allclose(first, second, atol=0.05)
    first, second = heights(log=False)
    np.testing.assert_allclose(second, 10 * first, rtol=0.01)


def test_curves_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least one series"):
        curves({})
    with pytest.raises(ValueError, match=r"'kl': expected steps \[T\].*got \(3,\) and \(2,\)"):
        curves({"kl": ([1, 2, 3], [1.0, 2.0])})


def test_the_legend_of_many_series_leaves_room_for_the_lines():
    svg = curves({f"a long name of a series, number {n}": ([0, 1], [0.0, n]) for n in range(26)}, title="many")
    assert all(f"number {n}<" in svg for n in range(26))  # and no warning, which would be an error
