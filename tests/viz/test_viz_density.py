"""Densities of the plane side by side, and grids bent by layers."""

import numpy as np
import pytest
from matplotlib import colormaps

from jaxgen.viz.density import densities
from jaxgen.viz.warp import warp

EXTENT = (-2, 2, -2, 2)


def gaussian(sigma, shift=0.0):
    return lambda x: -((x - shift) ** 2).sum(1) / (2 * sigma**2) - np.log(2 * np.pi * sigma**2)


def count(canvas, level):
    """Pixels with about the colour of this level of the scale."""
    colour = np.array(colormaps["viridis"](level)[:3]) * 255
    return (abs(canvas - colour[None, None]) < 3).all(-1).sum()


def test_panels_stand_side_by_side_and_are_equal_for_equal_inputs():
    points = np.random.RandomState(0).normal(size=(500, 2))
    one = densities(gaussian(0.5), EXTENT)
    two = densities(gaussian(0.5), EXTENT, truth=gaussian(0.4))
    three = densities(gaussian(0.5), EXTENT, truth=gaussian(0.4), samples=points, title="$a")
    assert all(c.dtype == np.uint8 and c.ndim == 3 and c.shape[2] == 3 for c in (one, two, three))
    assert one.shape[1] < two.shape[1] < three.shape[1]
    np.testing.assert_array_equal(two, densities(gaussian(0.5), EXTENT, truth=gaussian(0.4)))


def test_both_panels_have_the_scale_of_the_truth():
    wide = densities(gaussian(1.0), EXTENT, truth=gaussian(0.3))
    narrow = densities(gaussian(0.1), EXTENT, truth=gaussian(0.3))
    left = slice(0, int(0.4 * wide.shape[1]))
    np.testing.assert_array_equal(wide[:, left], narrow[:, left])
    bar = slice(int(0.91 * wide.shape[1]), None)  # the colour bar is also the same
    np.testing.assert_array_equal(wide[:, bar], narrow[:, bar])
    right = slice(int(0.45 * wide.shape[1]), int(0.8 * wide.shape[1]))
    assert count(wide[:, right], 1.0) == 0 and count(narrow[:, right], 1.0) > 100


def test_modes_narrower_than_a_cell_are_not_lost():
    spot = gaussian(0.008, shift=0.04)  # a fifth of a cell in deviation, and at a corner
    found = densities(spot, EXTENT, resolution=100, inside=8)
    assert count(found[:, :300], 1.0) > 4


def test_a_logarithm_shows_what_is_faint():
    def faint(x):
        return np.logaddexp(gaussian(0.2)(x), gaussian(0.2, shift=1.2)(x) - 5)

    plain, log = (densities(faint, EXTENT, nats=nats) for nats in (None, 8.0))
    corner = (slice(60, 160), slice(220, 320))  # around (1.2, 1.2)
    assert count(plain[corner], 0.0) > 5000 and count(log[corner], 0.0) < 7000


def test_values_and_samples_that_are_not_finite_are_drawn_around():
    def broken(x):
        return np.where(x[:, 0] > 0, np.nan, gaussian(0.5)(x))

    canvas = densities(broken, EXTENT, samples=np.array([[0, 0], [np.nan, 1], [9, 9]]))
    assert (canvas == 153).all(-1).sum() > 10_000  # grey
    densities(lambda x: np.full(len(x), np.nan), EXTENT, nats=3.0)
    densities(lambda x: np.full(len(x), -np.inf), EXTENT)
    densities(lambda x: np.full(len(x), np.inf), EXTENT, truth=gaussian(1.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"extent": (1, 0, 0, 1)}, "in order"),
        ({"samples": np.zeros((3, 3))}, r"samples \[N, 2\], got shape \(3, 3\)"),
        ({"nats": 0.0}, "nats above 0, got 0.0"),
        ({"truth": lambda x: x}, r"return \[640000\], got shape \(640000, 2\)"),
    ],
)
def test_densities_say_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        densities(gaussian(1.0), **{"extent": EXTENT, **arguments})


def square(n=9):
    line = np.linspace(-1, 1, n)
    return np.stack(np.meshgrid(line, line, indexing="ij"), -1)


def test_every_grid_is_drawn_in_a_panel_of_its_own():
    grids = [square()]
    for _ in range(5):
        grids.append(grids[-1] + 0.2 * np.sin(3 * grids[-1][..., ::-1]))
    one, six = warp(grids[:1]), warp(grids, title="$a")
    assert six.dtype == np.uint8 and six.shape[0] > 1.8 * one.shape[0]
    assert six.shape[1] == pytest.approx(4 * one.shape[1], abs=4)
    assert (warp(grids[:2]) != warp([grids[0], grids[2]])).any()
    assert (warp(grids[:2]) != warp(grids[:2], names=["data", "_noise"])).any()


def test_rows_and_columns_can_be_told_apart():
    assert (warp([square()]) != warp([square().swapaxes(0, 1)])).any()


def test_a_grid_may_be_broken():
    torn = square()
    torn[2, 3] = np.nan
    torn[4, 4] = np.inf
    assert (warp([torn]) != warp([square()])).any()
    warp([np.full((3, 3, 2), np.nan)])
    warp([np.zeros((3, 3, 2))])


def test_far_tails_do_not_shrink_the_rest():
    far = square(30)
    far[0, 0] = 1e6
    blue = lambda canvas: (abs(canvas.astype(int) - np.array([[[63, 144, 218]]])) < 40).all(-1).sum()  # noqa: E731
    assert blue(warp([far])) > 0.5 * blue(warp([square(30)]))


@pytest.mark.parametrize(
    ("grids", "names", "message"),
    [
        ([], None, r"one shape \[n, n, 2\], at least one"),
        ([np.zeros((3, 3))], None, r"got \[\(3, 3\)\]"),
        ([np.zeros((3, 3, 2)), np.zeros((4, 4, 2))], None, "one shape"),
        ([np.zeros((1, 3, 2))], None, "n at least 2"),
        ([square()], ["a", "b"], "expected 1 names, one a grid, got 2"),
    ],
)
def test_warp_says_what_is_wrong(grids, names, message):
    with pytest.raises(ValueError, match=message):
        warp(grids, names=names)
