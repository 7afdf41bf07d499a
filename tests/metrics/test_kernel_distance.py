from itertools import combinations

import numpy as np
import pytest

from jaxgen.metrics.kernel_distance import kernel_distance, polynomial_kernel, squared_mmd

RANDOM = np.random.default_rng(0)


def halves(x):
    """Every way of cutting a set into two halves."""
    for chosen in combinations(range(len(x)), len(x) // 2):
        mask = np.isin(np.arange(len(x)), chosen)
        yield x[mask], x[~mask]


def test_the_kernel_by_hand():
    found = polynomial_kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[(11 / 2 + 1) ** 3, 1.0]])


def test_the_estimate_equals_its_sums_written_out():
    x, y = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(7, 3))

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    xx = np.mean([k(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    yy = np.mean([k(y[i], y[j]) for i in range(7) for j in range(7) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert squared_mmd(x, y) == pytest.approx(xx + yy - 2 * xy, rel=1e-12)


def test_over_all_halvings_of_one_set_the_mean_is_exactly_zero():
    x = RANDOM.normal(size=(10, 4)) * 2 + 1
    found = np.array([squared_mmd(a, b) for a, b in halves(x)])
    assert abs(found.mean()) < 1e-12 * abs(found).max()
    assert found.min() < 0 < found.max()


def test_over_random_halvings_the_mean_is_within_its_error_of_zero():
    random = np.random.default_rng(3)
    x, found = random.normal(size=(400, 3)), []
    for _ in range(200):
        x = random.permutation(x)
        found.append(kernel_distance(x[:200], x[200:], seed=0, splits=4).distance)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0


def test_over_all_subsets_the_mean_is_that_of_the_whole():
    """Unbiased under drawing without replacement, whatever the two distributions."""
    x, y = RANDOM.normal(size=(6, 2)), RANDOM.gamma(2.0, size=(6, 2))
    found = np.mean([squared_mmd(a, b) for a, _ in halves(x) for b, _ in halves(y)])
    assert found == pytest.approx(squared_mmd(x, y), rel=1e-11)


def test_in_one_dimension_it_is_a_distance_of_three_moments():
    """(x y + 1)^3 = 1 + 3 x y + 3 (x y)^2 + (x y)^3: the distance of uniform numbers in closed form."""
    random = np.random.default_rng(1)
    x, y = random.uniform(0, 1, (20_000, 1)), random.uniform(0, 1.2, (30_000, 1))
    power = np.arange(1, 4)
    truth = ((1 / (power + 1) - 1.2**power / (power + 1)) ** 2) @ [3, 3, 1]
    found = kernel_distance(x, y, seed=0, splits=50)
    assert abs(found.distance - truth) < 4 * found.error
    assert found.error < 0.05 * truth


def test_the_standard_error_is_that_of_fresh_samples():
    random = np.random.default_rng(4)
    found = [
        kernel_distance(random.normal(size=(160, 2)) + 0.5, random.normal(size=(160, 2)), seed=i, splits=2)
        for i in range(1000)
    ]
    spread = np.std([f.distance for f in found])
    assert np.sqrt(np.mean([f.error**2 for f in found])) == pytest.approx(spread, rel=0.15)  # 3 % by chance


def test_the_result_states_numbers_and_the_seed_settles_the_order():
    x, y = RANDOM.normal(size=(23, 2)), RANDOM.normal(size=(31, 2))
    found = kernel_distance(x, y, seed=0, splits=5)
    assert found[2:] == (23, 31, 5)
    assert found == kernel_distance(x, y, seed=0, splits=5) != kernel_distance(x, y, seed=1, splits=5)


def test_real_examples_sorted_by_class_do_no_harm():
    random = np.random.default_rng(2)
    x, y = (np.repeat(np.arange(10.0), 100)[:, None] + random.normal(size=(1000, 1)) for _ in range(2))
    shuffled = kernel_distance(random.permutation(x), random.permutation(y), seed=0).error
    assert kernel_distance(x, random.permutation(y), seed=0).error < 2 * shuffled


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: kernel_distance(x, x[:5], seed=0, splits=3), "2 to 2 splits of 5 examples, got 3"),
        (lambda x: kernel_distance(x, x, seed=0, splits=1), "2 to 5 splits of 10 examples, got 1"),
        (lambda x: kernel_distance(x, x[:, :1], seed=0), r"got \(10, 2\) and \(10, 1\)"),
        (lambda x: kernel_distance(x, np.where(x > 0, x, np.nan), seed=0), "finite real features, got"),
        (lambda x: squared_mmd(x, x[:1]), "at least 2 examples of each, got 10 and 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(RANDOM.normal(size=(10, 2)))
