import numpy as np
import pytest

from jaxgen.metrics.lsa import lsa
from jaxgen.metrics.retrieval import retrieval_accuracy

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_retrieval_equals_sorting_all_distances(metric):
    codes, label = RANDOM.randn(40, 3), RANDOM.randint(0, 3, 40)
    queries = np.array([3, 17, 39])
    if metric == "cosine":
        unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
        distance = 1 - unit @ unit.T
    else:
        distance = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    found = retrieval_accuracy(codes, label, queries, (1, 4, 39), metric=metric)
    for k in (1, 4, 39):
        nearest = distance[queries].argsort(1)[:, :k]
        assert found[k] == pytest.approx((label[nearest] == label[queries][:, None]).mean())


def test_a_query_does_not_find_itself_but_finds_its_equals():
    codes, label = np.array([[0.0], [0.0], [5.0], [6.0]]), np.array([0, 0, 1, 2])
    assert retrieval_accuracy(codes, label, [0, 1], (1,)) == {1: 1.0}
    assert retrieval_accuracy(codes, label, [2, 3], (1,)) == {1: 0.0}
    collapsed, distinct = np.zeros((9, 2)), np.arange(9)
    assert retrieval_accuracy(collapsed, distinct, np.arange(9), (3,)) == {3: 0.0}


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="expected 1 to 3 neighbours, got \\[4\\]"):
        retrieval_accuracy(np.zeros((4, 2)), np.zeros(4), [0], (4,))
    with pytest.raises(ValueError, match="codes \\[N, D\\] and labels \\[N\\]"):
        retrieval_accuracy(np.zeros((4, 2)), np.zeros(3), [0], (1,))
    with pytest.raises(ValueError, match="expected 1 to 4 dimensions, got 5"):
        lsa(np.ones((9, 5)), np.ones((2, 5)), 5, weighted=False)


def test_lsa_is_the_projection_on_the_first_singular_vectors():
    train, counts = RANDOM.poisson(2.0, (30, 12)), RANDOM.poisson(2.0, (5, 12))
    _, _, v = np.linalg.svd(np.log1p(train), full_matrices=False)
    codes = lsa(train, counts, 3, weighted=False)
    np.testing.assert_allclose(abs(codes), abs(np.log1p(counts) @ v[:3].T), rtol=1e-6)
    assert abs(np.linalg.norm(lsa(train, counts, 11, weighted=True), axis=1)).max() <= 1 + 1e-9  # of unit documents
