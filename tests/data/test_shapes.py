"""Sprites: every factor shows, no two combinations look alike, no combination is in two parts."""

import itertools

import jax
import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.shapes import FACTOR_SIZES, FACTORS, render

DRAW = jax.jit(render)


def combinations(*fixed):
    """All factor rows, with None for a free factor and a number for a fixed one."""
    ranges = [range(size) if value is None else [value] for size, value in zip(FACTOR_SIZES, fixed, strict=True)]
    return np.array(list(itertools.product(*ranges)), np.int32)


@pytest.mark.parametrize("column", range(6), ids=FACTORS)
@pytest.mark.parametrize("base", [(0, 0, 0, 0, 0, 0), (1, 3, 2, 4, 5, 3), (2, 5, 7, 7, 7, 5)])
def test_every_value_of_a_factor_looks_different(column, base):
    factor = combinations(*[None if i == column else value for i, value in enumerate(base)])
    image = np.asarray(DRAW(factor)).astype(int)
    for one, other in itertools.combinations(image, 2):
        assert np.abs(one - other).max() > 20


def test_all_combinations_are_distinct():
    factor = combinations(None, None, None, None, None, None)
    seen = set()
    for chunk in np.split(factor, 27):
        seen.update(hash(image.tobytes()) for image in np.asarray(DRAW(chunk)))
    assert len(seen) == len(factor) == 55_296


def test_sprites_stay_inside_and_sit_at_their_place():
    for shape in range(3):
        factor = combinations(shape, 5, None, None, None, 0)
        red = np.asarray(DRAW(factor))[..., 0].astype(float)
        border = np.ones((32, 32), bool)
        border[1:-1, 1:-1] = False
        assert not red[:, border].any()
        mass = red.sum((1, 2))
        middle = np.arange(32) + 0.5
        x, y = (red.sum(1) @ middle) / mass, (red.sum(2) @ middle) / mass
        slack = 0.05 if shape < 2 else 1.5  # a heart's middle is not its centroid
        np.testing.assert_allclose(x, 9 + 2 * factor[:, 3], atol=slack)
        np.testing.assert_allclose(y, 9 + 2 * factor[:, 4], atol=slack)


def test_areas_are_those_of_the_shapes():
    factor = combinations(None, 5, 0, 3, 3, 0)
    area = (np.asarray(DRAW(factor))[..., 0] / 255.0).sum((1, 2))
    np.testing.assert_allclose(area[:2], [2 * 64, np.pi * 8 * 4], rtol=0.02)  # of radius 8
    # a unit square on its corner and two half discs of diameter sqrt(1/2), in units of 8 / 0.675 pixels
    np.testing.assert_allclose(area[2], (0.5 + np.pi / 8) * (8 / 0.675) ** 2, rtol=0.03)


def test_colours_are_the_six_hues():
    image = np.asarray(DRAW(combinations(0, 5, 0, 3, 3, None)))
    hues = [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255)]
    assert [tuple(pixel) for pixel in image[:, 15, 15]] == hues


def test_compiled_equals_eager_within_a_rounding():
    factor = load("shapes").test["factor"][:200]
    eager, compiled = (np.asarray(f(factor)).astype(int) for f in (render, DRAW))
    assert eager.dtype == int and render(factor).dtype == np.uint8
    assert np.abs(eager - compiled).max() <= 1 and (eager != compiled).mean() < 1e-3


def test_parts_share_no_combination_and_images_are_those_of_their_factors():
    data = load("shapes")
    parts = [{tuple(row) for row in part["factor"]} for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [20_000, 2_000, 2_000]
    assert len(set.union(*parts)) == 24_000
    assert all((part["factor"].max(0) == np.array(FACTOR_SIZES) - 1).all() for part in (data.train, data.test))
    difference = np.abs(np.asarray(DRAW(data.test["factor"][:500])).astype(int) - data.test["image"][:500])
    assert difference.max() <= 1
