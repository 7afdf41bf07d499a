import jax
import numpy as np
import pytest
from scipy.stats import chi2

from jaxgen.data.toys import TOYS
from jaxgen.metrics.modes import label_modes, mixture_modes, stacked_labels

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_a_case_counted_by_hand():
    samples = [[0, 0], [0.1, 0], [0, 0.29], [10, 0.2], [9, 9], [0, 10.31], [np.nan, 0], [np.inf, 10]]
    found = mixture_modes(samples, CENTRES, 0.1)
    assert (found.covered, found.modes, found.samples) == (2, 4, 8)
    assert found.counts.tolist() == [3, 1, 0, 0]
    assert found.high_quality == 4 / 8
    assert found.reverse_kl == pytest.approx(0.75 * np.log(3) + 0.25 * np.log(1))  # of (3/4, 1/4) to 1/4 each


def test_collapse_onto_k_of_m_modes_is_log_m_over_k():
    for k in (1, 2, 3, 4):
        found = mixture_modes(np.tile(CENTRES[:k], (5, 1)), CENTRES, 0.1)
        assert found.covered == k
        assert found.reverse_kl == pytest.approx(np.log(4 / k), abs=1e-12)


def test_the_target_weights_are_the_zero_of_the_divergence():
    samples = CENTRES[[0, 0, 0, 0, 1, 1, 2, 3]]
    assert mixture_modes(samples, CENTRES, 0.1, weights=[4, 2, 1, 1]).reverse_kl == pytest.approx(0, abs=1e-12)
    assert mixture_modes(samples, CENTRES, 0.1).reverse_kl == pytest.approx(np.log(4) - 1.75 * np.log(2))


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_exact_samples_score_what_theory_says(name):
    toy, number = TOYS[name], 25_000
    found = mixture_modes(toy.sample(jax.random.key(1, impl="threefry2x32"), number), toy.centres, toy.sigma)
    p = 1 - np.exp(-9 / 2)
    assert found.covered == found.modes == len(toy.centres)
    assert abs(found.high_quality - p) < 4 * np.sqrt(p * (1 - p) / number)
    # 2 N KL of fractions from the truth is chi-squared (Wilks), with M - 1 degrees of freedom.
    low, high = chi2(found.modes - 1).ppf([1e-4, 1 - 1e-4]) / (2 * number * p)
    assert low < found.reverse_kl < high


def test_no_sample_of_quality_has_no_divergence():
    found = mixture_modes(CENTRES + 5, CENTRES, 0.1)
    assert (found.covered, found.high_quality) == (0, 0.0)
    assert np.isnan(found.reverse_kl)


def test_many_samples_are_counted_like_a_few_of_them_at_a_time():
    random = np.random.default_rng(0)
    samples = CENTRES[random.integers(4, size=25_001)] + random.normal(size=(25_001, 2))
    parts = [mixture_modes(part, CENTRES, 0.7).counts for part in np.array_split(samples, 7)]
    assert (mixture_modes(samples, CENTRES, 0.7).counts == sum(parts)).all()


def test_labels_by_hand():
    assert label_modes(np.arange(1000), 1000) == (1000, 1000, pytest.approx(0, abs=1e-12), 1000)
    assert label_modes(np.zeros(7, int), 1000) == (1, 1000, pytest.approx(np.log(1000)), 7)
    labels = np.array([0, 0, 0, 2])
    assert label_modes(labels, 3) == (2, 3, pytest.approx(0.75 * np.log(9 / 4) + 0.25 * np.log(3 / 4)), 4)
    assert label_modes(labels, 3, weights=[0.6, 0.2, 0.2]).reverse_kl == pytest.approx(
        0.75 * np.log(0.75 / 0.6) + 0.25 * np.log(0.25 / 0.2)
    )


def test_stacked_labels_are_decimal_digits():
    assert stacked_labels(np.array([[0, 0, 7], [1, 2, 3], [9, 9, 9]], np.uint8)).tolist() == [7, 123, 999]
    every = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    assert (stacked_labels(every, classes=3) == np.arange(81)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixture_modes(np.zeros((4, 3)), CENTRES, 0.1), r"got \(4, 3\) and \(4, 2\)"),
        (lambda: mixture_modes(np.zeros((0, 2)), CENTRES, 0.1), r"got \(0, 2\) and"),
        (lambda: mixture_modes(CENTRES, np.zeros((0, 2)), 0.1), r"and \(0, 2\)"),
        (lambda: mixture_modes(CENTRES, CENTRES, 0.0), "positive sigma, got 0.0"),
        (lambda: mixture_modes(CENTRES, CENTRES, 1.0, weights=[1, 1]), "expected 4 positive weights"),
        (lambda: mixture_modes(CENTRES, CENTRES, 1.0, weights=[1, 1, 1, 0]), "expected 4 positive weights"),
        (lambda: label_modes(np.array([0, 3]), 3), "from 0 to 2, got 0 to 3"),
        (lambda: label_modes(np.array([-1, 1]), 3), "from 0 to 2, got -1 to 1"),
        (lambda: label_modes(np.array([0.5]), 3), "integer labels"),
        (lambda: label_modes(np.array([], int), 3), r"shape \(0,\)"),
        (lambda: stacked_labels(np.array([1, 2])), r"labels \[N, C\], got int64 of shape \(2,\)"),
        (lambda: stacked_labels(np.array([[1, 10]])), "from 0 to 9, got 1 to 10"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
