import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from jaxgen.metrics.frechet import Moments, check_number, fid, frechet_distance

RANDOM = np.random.default_rng(0)


def moments(x, pieces=1):
    found = Moments.empty(x.shape[1])
    for part in np.array_split(x, pieces):
        found = found.update(part)
    return found


def closed_form(m, c, n, d):
    """The distance as papers write it, by scipy's root of the product that is not symmetric."""
    return ((m - n) ** 2).sum() + np.trace(c + d - 2 * np.real(sqrtm(c @ d)))


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
def test_streamed_moments_are_those_of_the_whole(pieces):
    x = RANDOM.normal(size=(100, 5)) @ RANDOM.normal(size=(5, 5)) + 3
    mean, covariance = moments(x, pieces).finish()
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=1e-12)


def test_merging_is_associative_and_commutative_and_empty_changes_nothing():
    a, b, c = (moments(RANDOM.normal(size=(n, 4)) * s + s) for n, s in ((3, 1.0), (50, 9.0), (7, 0.1)))
    left, right, turned = a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(b).merge(a)
    for other in (right, turned):
        assert other.number == left.number == 60
        np.testing.assert_allclose(other.mean, left.mean, rtol=1e-12)
        np.testing.assert_allclose(other.scatter, left.scatter, rtol=1e-12, atol=1e-10)
    empty = Moments.empty(4)
    for same in (a.merge(empty), empty.merge(a)):
        np.testing.assert_array_equal(same.mean, a.mean)
        np.testing.assert_array_equal(same.scatter, a.scatter)
    assert empty.merge(empty).number == 0


def test_a_large_mean_does_not_swallow_the_variance():
    x = RANDOM.normal(size=(1000, 3))
    offset = 2.0**27  # sums of squares keep no digit of the variance here; x itself keeps 8
    covariance = moments(x + offset, 10).finish()[1]
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=1e-6, atol=1e-7)


def test_float32_features_are_summed_in_float64():
    x = (RANDOM.normal(size=(4000, 2)) + 1000).astype(np.float32)
    np.testing.assert_allclose(
        moments(x, 40).finish()[1], np.cov(x.astype(np.float64), rowvar=False), rtol=1e-10, atol=1e-12
    )


def test_the_distance_equals_the_closed_form_by_scipy():
    for size in (1, 2, 10):
        x, y = (RANDOM.normal(size=(50, size)) @ RANDOM.normal(size=(size, size)) for _ in range(2))
        a, b = moments(x + 1), moments(y)
        found = fid(a, b)
        assert found == (pytest.approx(closed_form(*a.finish(), *b.finish()), rel=1e-10), 50, 50, size)
        assert fid(b, a).distance == pytest.approx(found.distance, rel=1e-12)


def test_commuting_covariances_by_hand():
    turn = ortho_group.rvs(4, random_state=0)
    v, w = np.array([1.0, 4.0, 9.0, 0.0]), np.array([4.0, 4.0, 1.0, 25.0])
    found = frechet_distance(np.zeros(4), turn * v @ turn.T, np.array([0, 3.0, 0, 0]), turn * w @ turn.T)
    assert found == pytest.approx(9 + 1 + 0 + 4 + 25, rel=1e-12)  # |m - n|^2 + the sum of (sqrt v - sqrt w)^2


def test_a_shift_and_a_scale_of_the_features():
    x = RANDOM.normal(size=(60, 5)) @ RANDOM.normal(size=(5, 5))
    shift = np.arange(5.0)
    assert fid(moments(x + shift), moments(x)).distance == pytest.approx(30.0, rel=1e-11)
    mean, covariance = moments(x).finish()
    scaled = fid(moments(3 * x), moments(x)).distance
    assert scaled == pytest.approx(4 * (mean @ mean + np.trace(covariance)), rel=1e-11)
    turn = ortho_group.rvs(5, random_state=1)
    y = RANDOM.normal(size=(60, 5))
    assert fid(moments(x @ turn), moments(y @ turn)).distance == pytest.approx(
        fid(moments(x), moments(y)).distance, rel=1e-11
    )


def test_singular_covariances_keep_their_digits():
    size, rank = 40, 5
    turn = ortho_group.rvs(size, random_state=0)
    first, second = np.zeros(size), np.zeros(size)
    first[:rank], second[rank : 2 * rank] = 100.0, 100.0  # on planes that share no direction
    zero = np.zeros(size)
    c, d = (turn * v @ turn.T for v in (first, second))
    assert frechet_distance(zero, c, zero, d) == pytest.approx(2 * rank * 100, rel=1e-12)
    assert frechet_distance(zero, c, zero, c) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(zero, c, zero, 4 * c) == pytest.approx(rank * 100, rel=1e-12)
    assert frechet_distance(zero, 0 * c, zero, d) == pytest.approx(rank * 100, rel=1e-12)


def test_a_dead_feature_adds_nothing():
    x, y = RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(30, 3)) * 2
    dead = np.zeros((30, 1))
    wider = fid(moments(np.hstack([x, dead])), moments(np.hstack([y, dead]))).distance
    assert wider == pytest.approx(fid(moments(x), moments(y)).distance, rel=1e-12)


def test_equal_sets_are_at_no_distance_and_fewer_samples_look_further():
    x = RANDOM.normal(size=(2000, 8))
    assert abs(fid(moments(x), moments(x)).distance) < 1e-12
    distances = [fid(moments(RANDOM.normal(size=(n, 8))), moments(x)).distance for n in (16, 64, 2000)]
    assert distances[0] > distances[1] > distances[2] > 0


def test_what_has_no_distance_is_refused():
    few, many = moments(RANDOM.normal(size=(7, 8))), moments(RANDOM.normal(size=(8, 8)))
    with pytest.raises(ValueError, match="at least 8 generated examples for 8 features, got 7"):
        fid(few, many)
    with pytest.raises(ValueError, match="at least 8 real examples for 8 features, got 7"):
        fid(many, few)
    with pytest.raises(ValueError, match="at least 2 test examples for 1 features, got 1"):
        check_number(1, 1, what="test")
    with pytest.raises(ValueError, match="one size, got 8 and 3"):
        fid(many, moments(RANDOM.normal(size=(9, 3))))
    with pytest.raises(ValueError, match="equal sizes, got 8 and 3"):
        many.merge(Moments.empty(3))
    with pytest.raises(ValueError, match=r"features \[B, 8\], got \(4, 3\)"):
        many.update(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="finite features, got 2 of 16"):
        many.update(np.array([[np.nan, np.inf, *range(6)], [0.0] * 8]))
    with pytest.raises(ValueError, match="at least 2 examples, got 1"):
        moments(np.zeros((1, 3))).finish()
    with pytest.raises(ValueError, match=r"got \[\(2,\), \(2, 2\), \(3,\), \(2, 2\)\]"):
        frechet_distance(np.zeros(2), np.eye(2), np.zeros(3), np.eye(2))
    with pytest.raises(ValueError, match="eigenvalues -1 to 1"):
        frechet_distance(np.zeros(2), np.diag([1.0, -1.0]), np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="finite means"):
        frechet_distance(np.zeros(2), np.diag([1.0, np.nan]), np.zeros(2), np.eye(2))
