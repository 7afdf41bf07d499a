import numpy as np
import pytest

from jaxgen.viz.fields import Field, fields
from jaxgen.viz.panels import panels

POINTS = np.random.default_rng(0).normal(size=(50, 2))


def test_every_cloud_is_drawn_on_the_axes_of_the_first():
    broken = np.where(np.arange(50)[:, None] < 25, np.nan, POINTS)
    one = panels({"data": POINTS})
    five = panels({"data": POINTS, "same": POINTS, "far": POINTS + 1e6, "broken": broken, "$x$": POINTS}, title="all")
    assert one.dtype == np.uint8
    assert five.shape[0] > one.shape[0]
    assert five.shape[1] == pytest.approx(4 * one.shape[1], abs=4)
    assert (panels({"data": POINTS, "far": POINTS + 1e6}) != panels({"data": POINTS, "far": POINTS})).any()


def test_clouds_that_are_not_points_are_refused():
    for clouds in ({}, {"a": np.zeros((3, 3))}, {"a": np.zeros((0, 2))}):
        with pytest.raises(ValueError, match=r"panels: expected points \[N, 2\]"):
            panels(clouds)


def test_a_field_shows_its_path_and_its_truth():
    path = np.stack([np.linspace(1, 0, 20), np.linspace(0, 1, 20)], 1)
    plain = fields({"turn": Field(lambda x: x[:, ::-1] * np.array([1, -1]), path)}, half=2, xlabel="x", ylabel="y")
    truth = fields({"turn": Field(lambda x: x[:, ::-1] * np.array([1, -1]), path, -path)}, half=2)
    assert plain.dtype == np.uint8
    assert plain.shape == truth.shape
    assert (plain != truth).any()
    with pytest.raises(ValueError, match=r"fields: expected paths \[T, 2\]"):
        fields({"bad": Field(lambda x: x, np.zeros(3))}, half=1)
    with pytest.raises(ValueError, match="at least one"):
        fields({}, half=1)


def test_fields_stand_in_as_many_columns_as_asked_for():
    seven = {str(number): Field(lambda x: x, np.zeros((2, 2))) for number in range(7)}
    assert fields(seven, half=1).shape == (580, 1120, 3)
    assert fields(seven, half=1, columns=6, side=1.5).shape == (320, 900, 3)
