import numpy as np
import pytest

from jaxgen.metrics.matching import matched_accuracy


def test_a_renaming_of_the_classes_is_perfect_and_a_coin_is_not():
    rng = np.random.default_rng(0)
    label, test = rng.integers(0, 5, 400), rng.integers(0, 5, 300)
    renamed = np.array([3, 0, 4, 1, 2])
    assert matched_accuracy(renamed[label], label, renamed[test], test) == 1.0
    assert matched_accuracy(rng.integers(0, 5, 400), label, rng.integers(0, 5, 300), test) < 0.4


def test_the_majority_names_a_category_and_an_unseen_one_names_none():
    found, label = np.array([0, 0, 0, 1]), np.array([2, 2, 1, 0])
    assert matched_accuracy(found, label, np.array([0, 0, 1, 2]), np.array([2, 1, 0, 0])) == 0.5


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"expected \[N\], \[N\], \[M\], \[M\], got"):
        matched_accuracy(np.zeros(3, int), np.zeros(2, int), np.zeros(3, int), np.zeros(3, int))
