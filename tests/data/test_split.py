"""Splits: every example in exactly one part, the same one each time."""

import numpy as np
import pytest

from jaxgen.data.split import hold_out, split_indices, stratified_indices


@pytest.mark.parametrize("n", [3, 10, 11, 1797])
def test_parts_partition_the_examples(n):
    parts = split_indices(n)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(n))
    assert len(parts["validation"]) == len(parts["test"]) == max(1, round(n / 10))


def test_a_split_depends_on_its_seed_and_on_nothing_else():
    np.random.seed(5)  # noqa: NPY002
    first = split_indices(50, seed=1)["test"]
    np.testing.assert_array_equal(first, split_indices(50, seed=1)["test"])
    assert first.tolist() != split_indices(50, seed=2)["test"].tolist()
    assert split_indices(20)["test"].tolist() == [8, 19]  # frozen: old scores rest on it


def test_strata_keep_their_shares():
    label = np.array([0] * 100 + [1] * 20)
    for part, want in {"train": (80, 16), "validation": (10, 2), "test": (10, 2)}.items():
        assert tuple(np.bincount(label[stratified_indices(label)[part]])) == want


def test_hold_out_partitions_train():
    parts = hold_out(25)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(25)) and len(parts["validation"]) == 2


def test_too_few_examples_are_refused():
    with pytest.raises(ValueError, match="mine: expected at least 3 examples, one for each part, got 2"):
        split_indices(2, what="mine")
    with pytest.raises(ValueError, match="at least 2 training examples"):
        hold_out(1)
