from itertools import combinations
from math import prod

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from jaxgen.metrics.neighbours import neighbours

RANDOM = np.random.default_rng(0)


def by_loops(generated, real, k):
    """The definitions, one pair at a time, with radii by scikit-learn."""

    def radii(x):
        return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors()[0][:, -1]  # itself left out

    def near(x, centre, radius):
        return np.linalg.norm(x - centre) <= radius

    r, g = radii(real), radii(generated)
    precision = np.mean([any(near(y, x, e) for x, e in zip(real, r, strict=True)) for y in generated])
    recall = np.mean([any(near(x, y, e) for y, e in zip(generated, g, strict=True)) for x in real])
    density = sum(near(y, x, e) for y in generated for x, e in zip(real, r, strict=True)) / (k * len(generated))
    coverage = np.mean([any(near(y, x, e) for y in generated) for x, e in zip(real, r, strict=True)])
    return precision, recall, density, coverage


def test_a_line_by_hand():
    real = np.array([[0.0], [1.0], [3.0], [10.0]])  # balls for k = 1: radii 1, 1, 2, 7
    generated = np.array([[0.5], [0.75], [18.0]])  # radii 0.25, 0.25, 17.25
    found = neighbours(generated, real, k=1)
    assert found.precision == 2 / 3  # 18 is in no ball
    assert found.recall == 3 / 4  # 18's ball begins at 0.75: it holds 1, 3 and 10
    assert found.density == (2 + 2) / 3  # 0.5 and 0.75 are in the balls of 0 and 1, not in [1, 5] or [3, 17]
    assert found.coverage == 2 / 4
    assert found[4:] == (1, 3, 4)


@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize(("n", "m", "size"), [(30, 21, 2), (9, 40, 5)])
def test_it_equals_the_definitions(k, n, m, size):
    generated, real = RANDOM.normal(size=(n, size)) * 0.8 + 0.4, RANDOM.normal(size=(m, size))
    assert neighbours(generated, real, k=k)[:4] == pytest.approx(by_loops(generated, real, k), rel=1e-12)


@pytest.mark.parametrize("held", [1, 100, 1000])
def test_the_result_does_not_depend_on_the_memory(held):
    generated, real = RANDOM.normal(size=(37, 3)), RANDOM.normal(size=(23, 3))
    assert neighbours(generated, real, k=4, held=held) == neighbours(generated, real, k=4)


def test_order_rotation_shift_and_scale_change_nothing():
    generated, real = RANDOM.normal(size=(40, 3)), RANDOM.normal(size=(50, 3)) * 1.5
    turn = np.linalg.qr(RANDOM.normal(size=(3, 3)))[0]
    found = neighbours(generated, real)
    assert neighbours(RANDOM.permutation(generated), RANDOM.permutation(real)) == found
    assert neighbours(7 * generated @ turn + 2, 7 * real @ turn + 2) == found


def test_precision_and_recall_change_places_with_the_sets():
    generated, real = RANDOM.normal(size=(40, 2)), RANDOM.normal(size=(50, 2)) + 1
    one, other = neighbours(generated, real), neighbours(real, generated)
    assert (one.precision, one.recall) == (other.recall, other.precision)


@pytest.mark.parametrize("size", [1, 3, 64, 129])
def test_a_copy_of_the_real_set_is_on_the_edge_of_every_ball(size):
    x = RANDOM.normal(size=(50, size)) + 1000
    assert neighbours(x[::-1], x, k=5, held=777) == (1.0, 1.0, 6 / 5, 1.0, 5, 50, 50)  # 5 neighbours and itself


def test_collapse_keeps_precision_and_loses_the_rest():
    real = RANDOM.normal(size=(100, 2))
    found = neighbours(np.repeat(real[:1], 100, axis=0), real)
    assert (found.precision, found.recall) == (1.0, 1 / 100)
    assert found.coverage < 0.2


def test_over_all_divisions_of_one_set_density_and_coverage_are_as_stated():
    """Exact for exchangeable examples: a mean over every choice of the real ones."""
    x, m, k = RANDOM.normal(size=(10, 2)), 6, 2
    n = len(x) - m
    found = []
    for chosen in combinations(range(len(x)), m):
        mask = np.isin(np.arange(len(x)), chosen)
        found.append(neighbours(x[~mask], x[mask], k=k))
    assert np.mean([f.density for f in found]) == pytest.approx(1, rel=1e-12)
    missed = prod((m - i) / (m + n - i) for i in range(1, k + 1))
    assert np.mean([f.coverage for f in found]) == pytest.approx(1 - missed, rel=1e-12)


@pytest.mark.parametrize(
    ("generated", "real", "k", "message"),
    [
        (np.zeros((5, 2)), np.zeros((9, 2)), 5, "k from 1 to 4 for 5 examples, got 5"),
        (np.zeros((9, 2)), np.zeros((9, 2)), 0, "got 0"),
        (np.zeros((9, 2)), np.zeros((9, 3)), 1, r"got \(9, 2\) and \(9, 3\)"),
        (np.zeros((9, 2, 1)), np.zeros((9, 2)), 1, r"features \[N, F\]"),
        (np.full((9, 2), np.nan), np.zeros((9, 2)), 1, "finite generated features, got 18 of 18"),
    ],
)
def test_what_cannot_be_compared_is_refused(generated, real, k, message):
    with pytest.raises(ValueError, match=message):
        neighbours(generated, real, k=k)
