import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, xlogy
from scipy.stats import wasserstein_distance

from jaxgen.losses.adversarial import (
    LOSSES,
    SMOOTH,
    hinge,
    least_squares,
    minimax,
    non_saturating,
    relativistic,
    wasserstein,
)

REAL = np.array([-3.0, -1.0, 0.0, 0.4, 2.0, 7.0], np.float32)
FAKE = np.array([0.5, -2.0, 0.0, 3.0, -0.1, -6.0], np.float32)
P = np.array([0.4, 0.1, 0.3, 0.2])  # two densities on four points
Q = np.array([0.1, 0.5, 0.2, 0.2])
every = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def gradients(loss, real, fake):
    """d discriminator / d real, d discriminator / d fake, d generator / d fake, of each example alone."""
    of = [jax.grad(lambda r, f, side=side: loss(r, f)[side].sum(), argnums=(0, 1)) for side in (0, 1)]
    return *of[0](real, fake), of[1](real, fake)[1]


def log_sigmoid(x):
    return -np.logaddexp(0, -np.float64(x))


EXPECTED = {
    "minimax": lambda r, f: (-log_sigmoid(r) - log_sigmoid(-f), log_sigmoid(-f)),
    "non-saturating": lambda r, f: (-log_sigmoid(r) - log_sigmoid(-f), -log_sigmoid(f)),
    "least-squares": lambda r, f: ((r - 1) ** 2 / 2 + f**2 / 2, (f - 1) ** 2 / 2),
    "hinge": lambda r, f: (np.maximum(0, 1 - r) + np.maximum(0, 1 + f), -f),
    "wasserstein": lambda r, f: (f - r, -f),
    "relativistic": lambda r, f: (-log_sigmoid(r - f), -log_sigmoid(f - r)),
}
DERIVATIVES = {
    "minimax": lambda r, f: (-expit(-r), expit(f), -expit(f)),
    "non-saturating": lambda r, f: (-expit(-r), expit(f), -expit(-f)),
    "least-squares": lambda r, f: (r - 1, f, f - 1),
    "hinge": lambda r, f: (-1.0 * (r < 1), 1.0 * (f > -1), -np.ones(len(f))),
    "wasserstein": lambda r, f: (-np.ones(len(r)), np.ones(len(f)), -np.ones(len(f))),
    "relativistic": lambda r, f: (-expit(f - r), expit(f - r), -expit(r - f)),
}


def test_every_loss_is_listed_here():
    assert set(EXPECTED) == set(DERIVATIVES) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_values_at_known_logits(name):
    for ours, expected in zip(LOSSES[name](REAL, FAKE), EXPECTED[name](REAL, FAKE), strict=True):
        assert ours.shape == (6,)
        np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_at_known_logits(name):
    found = gradients(LOSSES[name], jnp.asarray(REAL), jnp.asarray(FAKE))
    for ours, expected in zip(found, DERIVATIVES[name](REAL, FAKE), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-6, atol=1e-7)


@every
@pytest.mark.parametrize("real", [-1e4, 1e4])
@pytest.mark.parametrize("fake", [-1e4, 1e4])
def test_extreme_logits_give_finite_losses_and_gradients(loss, real, fake):
    real, fake = jnp.array([real]), jnp.array([fake])
    for value in (*loss(real, fake), *gradients(loss, real, fake)):
        assert np.isfinite(value).all()


@every
def test_the_discriminator_lifts_real_logits_and_the_generator_those_of_its_own(loss):
    """At logits between the targets 0 and 1 of the least squares, and within the hinge."""
    real, fake = jnp.array([0.1, 0.5, 0.9]), jnp.array([0.2, 0.8, 0.4])
    on_real, on_fake, generator = gradients(loss, real, fake)
    assert (on_real < 0).all()
    assert (on_fake > 0).all()
    assert (generator < 0).all()


def test_minimax_and_non_saturating_share_the_discriminator():
    for smooth in (0.0, 0.1):
        ours, theirs = minimax(REAL, FAKE, smooth=smooth), non_saturating(REAL, FAKE, smooth=smooth)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert (ours[1] != theirs[1]).all()


def test_the_minimax_generator_saturates_where_the_non_saturating_one_does_not():
    lost = jnp.array([-30.0])  # an example that the discriminator is sure about
    assert abs(gradients(minimax, lost, lost)[2][0]) < 1e-12
    np.testing.assert_allclose(gradients(non_saturating, lost, lost)[2], -1.0, rtol=1e-6)


@pytest.mark.parametrize("smooth", [0.0, 0.1, 0.5])
def test_smoothing_is_the_cross_entropy_to_a_soft_target(smooth):
    target = 1 - smooth
    real = -target * log_sigmoid(REAL) - (1 - target) * log_sigmoid(-REAL)
    for loss in (minimax, non_saturating):
        np.testing.assert_allclose(loss(REAL, FAKE, smooth=smooth)[0], real - log_sigmoid(-FAKE), rtol=2e-6)
        np.testing.assert_array_equal(loss(REAL, FAKE, smooth=smooth)[1], loss(REAL, FAKE)[1])
    squares = ((REAL - target) ** 2 + FAKE**2) / 2
    np.testing.assert_allclose(least_squares(REAL, FAKE, smooth=smooth)[0], squares, rtol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smoothed_discriminator_is_content_at_its_target(name):
    target = jnp.array([0.9 if name == "least-squares" else np.log(0.9 / 0.1)], jnp.float32)
    slope = jax.grad(lambda real: LOSSES[name](real, target, smooth=0.1)[0].sum())(target)
    np.testing.assert_allclose(slope, 0, atol=1e-7)


def test_pairing_is_antisymmetric():
    """Whoever takes the other's logits takes the other's side, and a constant added to both changes nothing."""
    ours, swapped, moved = relativistic(REAL, FAKE), relativistic(FAKE, REAL), relativistic(REAL + 3, FAKE + 3)
    np.testing.assert_array_equal(ours[0], swapped[1])
    np.testing.assert_array_equal(ours[1], swapped[0])
    np.testing.assert_allclose(moved[0], ours[0], rtol=1e-6)
    np.testing.assert_allclose(ours[1] - ours[0], REAL - FAKE, rtol=1e-5)


def expected_loss(loss, logit, side=0):
    """Return the mean over x ~ P and, on its own, y ~ Q of a loss at logit(x), logit(y)."""
    x, y = (a.ravel() for a in jnp.meshgrid(jnp.arange(4), jnp.arange(4), indexing="ij"))
    return (jnp.asarray(P[x] * Q[y], jnp.float32) * loss(logit[x], logit[y])[side]).sum()


def test_optimum_of_the_cross_entropies_is_the_log_ratio_and_worth_the_jensen_shannon_divergence():
    best, middle = jnp.log(P / Q), (P + Q) / 2
    divergence = (xlogy(P, P / middle) + xlogy(Q, Q / middle)).sum() / 2
    for loss in (minimax, non_saturating):
        value, slope = jax.value_and_grad(lambda logit, loss=loss: expected_loss(loss, logit))(best)
        np.testing.assert_allclose(value, 2 * np.log(2) - 2 * divergence, rtol=1e-5)
        np.testing.assert_allclose(slope, 0, atol=1e-7)
    np.testing.assert_allclose(expected_loss(minimax, best, 1), -(Q * np.log((P + Q) / Q)).sum(), rtol=1e-5)


def test_optimum_of_the_least_squares_is_the_share_and_worth_half_the_harmonic_overlap():
    best = jnp.asarray(P / (P + Q), jnp.float32)
    value, slope = jax.value_and_grad(lambda logit: expected_loss(least_squares, logit))(best)
    np.testing.assert_allclose(value, (P * Q / (P + Q)).sum() / 2, rtol=1e-5)
    np.testing.assert_allclose(slope, 0, atol=1e-7)


def test_optimum_of_the_hinge_is_the_sign_and_worth_twice_the_overlap():
    best = jnp.sign(jnp.asarray(P - Q, jnp.float32))
    np.testing.assert_allclose(expected_loss(hinge, best), 2 * np.minimum(P, Q).sum(), rtol=1e-5)


def test_optimum_of_the_pairing_is_the_log_ratio_up_to_a_constant():
    slope = jax.grad(lambda logit: expected_loss(relativistic, logit))(jnp.log(P / Q) + 0.7)
    np.testing.assert_allclose(slope, 0, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "best"),
    [
        (minimax, np.log(P / Q)),
        (least_squares, P / (P + Q)),
        (hinge, np.sign(P - Q)),
        (relativistic, np.log(P / Q)),
    ],
)
def test_no_other_discriminator_is_better_than_the_optimum(loss, best):
    best = jnp.asarray(best, jnp.float32)
    away = jax.random.normal(jax.random.key(0), (200, 4)) * jnp.geomspace(1e-2, 10, 200)[:, None]
    others = jax.vmap(lambda d: expected_loss(loss, best + d))(away)
    assert (others >= expected_loss(loss, best) - 1e-6).all()


def test_the_best_lipschitz_critic_is_worth_the_wasserstein_distance():
    """On the line the best potential falls or rises with slope 1, by which distribution function is larger."""
    points = np.array([-1.0, 0.5, 1.0, 4.0])
    slopes = np.sign(np.cumsum(Q) - np.cumsum(P))[:-1]
    critic = jnp.asarray(np.concatenate([[0.0], np.cumsum(slopes * np.diff(points))]), jnp.float32)
    distance = wasserstein_distance(points, points, P, Q)
    np.testing.assert_allclose(expected_loss(wasserstein, critic), -distance, rtol=1e-5)


@every
@pytest.mark.parametrize(("real", "fake"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 1)), ((4,), (3,)), ((), ())])
def test_logits_of_unequal_or_unexpected_shape_are_refused(loss, real, fake):
    with pytest.raises(ValueError) as refused:
        loss(jnp.zeros(real), jnp.zeros(fake))
    assert f"got {real} and {fake}" in str(refused.value)
