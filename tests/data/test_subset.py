import jax
import numpy as np
import pytest

from jaxgen.data.subset import balanced_subset

LABEL = np.array([0] * 30 + [1] * 9 + [2] * 21)


@pytest.mark.parametrize("count", [3, 15, 27])
def test_every_class_is_drawn_alike_and_no_example_twice(count):
    index = balanced_subset(jax.random.key(0), LABEL, count, 3)
    np.testing.assert_array_equal(np.bincount(LABEL[index]), [count // 3] * 3)
    assert len(set(index)) == count


def test_a_draw_is_its_keys_and_differs_between_keys():
    draws = [tuple(balanced_subset(jax.random.key(k), LABEL, 9, 3)) for k in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_every_example_is_drawn_equally_often():
    drawn = np.concatenate([balanced_subset(jax.random.key(k), LABEL, 9, 3) for k in range(400)])
    share = np.bincount(drawn, minlength=60) / 400
    expected = np.array([3 / 30, 3 / 9, 3 / 21])[LABEL]
    assert (abs(share - expected) < 5 * np.sqrt(expected / 400)).all()


@pytest.mark.parametrize(("count", "message"), [(4, "multiple of the 3"), (0, "got 0"), (30, "at most 27")])
def test_impossible_counts_are_refused(count, message):
    with pytest.raises(ValueError, match=message):
        balanced_subset(jax.random.key(0), LABEL, count, 3)
