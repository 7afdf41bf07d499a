import numpy as np
import pytest
from scipy.linalg import hadamard

from jaxgen.metrics.disentanglement import factor_score, mutual_information, mutual_information_gap

SIZES = (3, 4, 5)


def factors(copies=40):
    """Every combination of three factors, equally often."""
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in SIZES), indexing="ij"), axis=-1)
    return np.tile(grid.reshape(-1, len(SIZES)), (copies, 1))


def perfect(noise=0.01):
    """One latent a factor, of variance one, and a latent of noise."""
    v = factors()
    random = np.random.default_rng(0)
    codes = (v - v.mean(0)) / v.std(0) + noise * random.standard_normal(v.shape)
    return np.concatenate([codes, random.standard_normal((len(v), 1))], axis=1), v


def test_a_latent_a_factor_is_a_perfect_code():
    codes, v = perfect()
    assert mutual_information_gap(codes, v) > 0.97
    assert factor_score(codes, v, seed=0) == 1.0


def test_information_of_a_perfect_code_is_the_entropy_and_of_an_independent_one_nothing():
    codes, v = perfect()
    information = mutual_information(codes, v)
    np.testing.assert_allclose(np.diag(information), np.log(SIZES), rtol=1e-6)
    assert (abs(information[3]) < 0.04).all()  # (20 - 1)(5 - 1) / 2N = 0.016 of bias
    np.testing.assert_allclose(information[:3][~np.eye(3, dtype=bool)], 0, atol=0.04)


def test_a_rotated_code_has_no_gap():
    codes, v = perfect()
    entangled = codes @ hadamard(4) / 2  # every latent tells a quarter of everything
    assert mutual_information_gap(entangled, v) < 0.05
    two = codes[:, :2] @ hadamard(2) / np.sqrt(2)
    assert mutual_information_gap(two, v[:, :2]) < 0.05
    assert factor_score(two, v[:, :2], seed=0) < 0.9


def test_independent_noise_tells_nothing():
    noise = np.random.default_rng(1).standard_normal((len(factors()), 5))
    assert mutual_information_gap(noise, factors()) < 0.02
    assert factor_score(noise, factors(), seed=0) < 0.5  # chance is 1/3


def test_a_factor_told_twice_has_no_gap():
    codes, v = perfect()
    doubled = np.concatenate([codes, codes[:, :3]], axis=1)
    np.testing.assert_allclose(mutual_information_gap(doubled, v), 0.0, atol=1e-9)


def test_scores_do_not_change_with_order_sign_or_scale_of_the_latents():
    codes, v = perfect(noise=0.6)
    other = codes[:, [2, 0, 3, 1]] * [-1, 1, -1, 1]
    np.testing.assert_allclose(mutual_information_gap(other, v), mutual_information_gap(codes, v), atol=5e-3)
    assert factor_score(other, v, seed=3) == factor_score(codes, v, seed=3)
    assert factor_score(other * [1, 7, 2, 3], v, seed=3) == factor_score(codes, v, seed=3)
    assert mutual_information_gap(codes * [2, 7, 2, 3] + 5, v) == pytest.approx(mutual_information_gap(codes, v))


def test_collapsed_latents_have_no_vote():
    codes, v = perfect(noise=2.0)
    collapsed = np.concatenate([1e-3 * v[:, :1], codes], axis=1)  # would tell more of its factor than any other
    assert factor_score(collapsed, v, seed=0) == factor_score(codes, v, seed=0)
    assert factor_score(collapsed, v, seed=0, active=0.0) != factor_score(codes, v, seed=0)
    codes, v = perfect()
    assert factor_score(0.01 * codes, v, seed=0) == 0.0
    assert factor_score(0.01 * codes, v, seed=0, active=0.0) == 1.0


def test_the_seed_settles_the_draws():
    codes, v = perfect(noise=2.0)
    scores = [factor_score(codes, v, seed=seed, votes=50, group=5) for seed in (0, 0, 1, 2, 3)]
    assert scores[0] == scores[1]
    assert len(set(scores)) > 1


@pytest.mark.parametrize("score", [mutual_information_gap, lambda c, v: factor_score(c, v, seed=0)])
@pytest.mark.parametrize(
    ("codes", "v", "message"),
    [
        (np.zeros((4, 2)), np.zeros((3, 2)), r"got \(4, 2\) and \(3, 2\)"),
        (np.zeros(4), np.zeros((4, 2)), r"codes \[N, D\]"),
        (np.full((4, 2), np.nan), np.arange(8).reshape(4, 2), "finite codes, got 8"),
        (np.ones((4, 2)), np.array([[0, 5], [1, 5], [0, 5], [1, 5]]), "got 5 throughout factor 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(score, codes, v, message):
    with pytest.raises(ValueError, match=message):
        score(codes, v)


def test_a_value_of_a_single_example_and_bad_options_are_refused():
    v = np.array([[0], [0], [1]])
    with pytest.raises(ValueError, match="2 examples of each value of factor 0, got 1 of one"):
        factor_score(np.ones((3, 2)), v, seed=0)
    with pytest.raises(ValueError, match="at least 2 latents and 2 bins, got 1 and 20"):
        mutual_information_gap(np.ones((3, 1)), v)
    with pytest.raises(ValueError, match="got 0 of 64"):
        factor_score(*perfect(), seed=0, votes=0)
