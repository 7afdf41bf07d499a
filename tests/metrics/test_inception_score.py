import numpy as np
import pytest

from jaxgen.metrics.inception_score import inception_score

RANDOM = np.random.default_rng(0)


def test_one_class_scores_one_and_all_classes_their_number():
    sure = np.eye(7)[np.arange(70) % 7]
    assert inception_score(np.eye(7)[np.full(20, 3)], splits=4) == (1.0, 0.0, 20, 4, 7)
    assert inception_score(sure, splits=1) == (pytest.approx(7, rel=1e-12), 0.0, 70, 1, 7)
    assert inception_score(np.full((10, 7), 1 / 7)).mean == pytest.approx(1, rel=1e-12)


def test_uneven_classes_score_the_exponent_of_their_entropy():
    fractions = np.array([0.5, 0.25, 0.25])
    found = inception_score(np.eye(3)[[0, 0, 1, 2]], splits=1).mean
    assert found == pytest.approx(np.exp(-(fractions * np.log(fractions)).sum()), rel=1e-12)


def test_a_classifier_that_errs_symmetrically_in_closed_form():
    e = 0.1
    p = np.where(np.eye(4) > 0, 1 - e, e / 3)
    truth = 4 * (1 - e) ** (1 - e) * (e / 3) ** e
    assert inception_score(p, splits=1).mean == pytest.approx(truth, rel=1e-12)


def test_it_equals_the_sum_written_out():
    p = RANDOM.dirichlet(np.ones(5), 40)
    scores = []
    for part in (p[0::2], p[1::2]):
        scores.append(np.exp(np.mean([np.sum(row * np.log(row / part.mean(0))) for row in part])))
    found = inception_score(p, splits=2)
    assert found.mean == pytest.approx(np.mean(scores), rel=1e-12)
    assert found.deviation == pytest.approx(abs(scores[0] - scores[1]) / 2, rel=1e-9)


def test_samples_sorted_by_class_do_no_harm():
    assert inception_score(np.eye(5)[np.repeat(np.arange(5), 20)]).mean == pytest.approx(5, rel=1e-12)


def test_the_rounding_of_rows_in_float32_or_less_does_not_enter():
    p = np.eye(10, dtype=np.float32)[np.arange(20) % 10] * np.float32(1.0005)
    assert inception_score(p, splits=1).mean == pytest.approx(10, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inception_score(np.full((4, 2), 0.5)), "1 to 4 splits of 4 samples, got 10"),
        (lambda: inception_score(np.full((4, 2), 0.5), splits=0), "got 0"),
        (lambda: inception_score(np.ones(4)), r"\[N, C\], got \(4,\)"),
        (lambda: inception_score(np.array([[2.0, -1.0]]), splits=1), "from -1 to 2 with sums from 1 to 1"),
        (lambda: inception_score(np.array([[0.5, 0.4]]), splits=1), "with sums from 0.9 to 0.9"),
        (lambda: inception_score(np.array([[0.5, np.nan]]), splits=1), "expected rows of probabilities"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
