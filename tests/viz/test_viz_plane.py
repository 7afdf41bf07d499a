"""Pictures of the plane: scattered points and densities."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxgen.viz.scatter import MARKERS, PALETTE, density, evaluate, scatter


def has_colour(canvas, colour, pixels=1):
    """Whether at least so many pixels of the canvas have exactly this colour."""
    return (canvas == np.round(np.array(to_rgb(colour)) * 255).astype(np.uint8)).all(axis=-1).sum() >= pixels


def test_a_scatter_is_a_canvas_equal_for_equal_points():
    points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    labels = np.arange(200) % 10
    canvas = scatter(points, labels, title="codes")
    assert canvas.dtype == np.uint8 and canvas.ndim == 3 and canvas.shape[-1] == 3
    np.testing.assert_array_equal(canvas, scatter(points.copy(), labels.copy(), title="codes"))
    assert not np.array_equal(canvas, scatter(-points, labels, title="codes"))


def test_the_legend_shows_the_colour_of_every_class_there_is_and_no_other():
    points = np.zeros((3, 2))
    canvas = scatter(points, [0, 1, 2])
    assert [has_colour(canvas, colour) for colour in PALETTE] == [True] * 3 + [False] * 7


def test_names_and_titles_are_written_as_they_are():
    points, labels = np.zeros((2, 2)), [0, 1]
    plain = scatter(points, labels)
    assert not np.array_equal(plain, scatter(points, labels, names=["cat", "dog"]))
    assert not np.array_equal(plain, scatter(points, labels, title=r"$\frac$"))  # no mathematics, no error
    scatter(points, labels, names=["_a", "$"])


def test_more_classes_than_colours_and_markers_are_drawn():
    count = len(PALETTE) * len(MARKERS) + 5
    assert has_colour(scatter(np.zeros((count, 2)), np.arange(count)), PALETTE[-1])


def test_points_that_are_not_finite_are_left_out():
    points = np.random.default_rng(0).normal(size=(20, 2))
    points[:5] = np.nan, np.inf
    with_lost, without = scatter(points), scatter(points[5:])
    assert with_lost.shape == without.shape and not np.array_equal(with_lost, without)  # it says so
    scatter(np.full((3, 2), np.nan), [0, 1, 2])
    scatter(np.zeros((0, 2)), np.zeros(0, int))


@pytest.mark.parametrize(
    ("points", "labels", "names", "message"),
    [
        (np.zeros((4, 3)), None, None, r"points \[N, 2\], got shape \(4, 3\)"),
        (np.zeros((4, 2)), [0, 1], None, r"labels \[4\], got int64 of shape \(2,\)"),
        (np.zeros((2, 2)), [0.5, 1.0], None, "whole-number labels.*float64"),
        (np.zeros((2, 2)), [0, 7], ["a", "b"], "labels 0 to 1, one a name, got labels 0 to 7"),
    ],
)
def test_scatter_says_what_is_wrong(points, labels, names, message):
    with pytest.raises(ValueError, match=message):
        scatter(points, labels, names=names)


def test_a_function_is_evaluated_at_cell_centres_lowest_y_first():
    grid = evaluate(lambda points: points[:, 0] + 10 * points[:, 1], (0, 2, 0, 4), resolution=2)
    np.testing.assert_allclose(grid, [[10.5, 11.5], [30.5, 31.5]])


def test_a_density_of_a_function_is_that_of_its_grid_with_the_lowest_row_at_the_bottom():
    extent = (-1, 1, -1, 1)
    canvas = density(lambda points: points[:, 1], extent, resolution=50)
    np.testing.assert_array_equal(canvas, density(evaluate(lambda p: p[:, 1], extent, 50), extent))
    middle = canvas[:, canvas.shape[1] // 2].astype(int)
    yellow = np.flatnonzero(middle[:, 0] - middle[:, 2] > 100)  # viridis: yellow high, violet low
    violet = np.flatnonzero((middle[:, 2] - middle[:, 1] > 40) & (middle[:, 0] < 90))
    assert len(yellow) and len(violet) and yellow.max() < violet.min()


def test_a_density_may_hold_values_that_are_not_finite():
    density(np.full((3, 3), np.nan), (0, 1, 0, 1))
    canvas = density(np.array([[0.0, np.nan], [np.inf, 1.0]]), (0, 1, 0, 1))
    assert has_colour(canvas, "0.6", pixels=10_000)
    assert not has_colour(density(np.array([[0.0, 0.2], [0.4, 1.0]]), (0, 1, 0, 1)), "0.6", pixels=10_000)


@pytest.mark.parametrize(
    ("values", "extent", "message"),
    [
        (np.zeros((3, 3)), (1, 0, 0, 1), "in order"),
        (np.zeros(3), (0, 1, 0, 1), r"grid \[Y, X\].*\(3,\)"),
        (lambda points: points, (0, 1, 0, 1), r"return \[40000\], got shape \(40000, 2\)"),
    ],
)
def test_density_says_what_is_wrong(values, extent, message):
    with pytest.raises(ValueError, match=message):
        density(values, extent)
