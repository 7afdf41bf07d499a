"""The Dirac-GAN of Mescheder et al. 2018, "Which training methods for GANs do actually converge?".

The data are a point at 0, the generator's a point at theta, the discriminator's logit is psi x + b. At the equilibrium
theta = psi = 0 the eigenvalues of the Jacobian of the players' velocities (minus their gradients) say where training
goes: onto a circle where they are imaginary, inwards where their real parts are negative.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.adversarial import LOSSES
from jaxgen.losses.penalties import gradient, jensen_shannon, r1, r1_r2, r2, zero_centred

KEY = jax.random.key(0)
SLOPE = {  # the derivative f'(0) of each loss in the logit, at its own equilibrium
    "minimax": 0.5,
    "non-saturating": 0.5,
    "least-squares": 0.5,
    "hinge": 1.0,
    "wasserstein": 1.0,
    "relativistic": 0.5,
}
BIAS = {"least-squares": 0.5}  # where the discriminator's bias rests, 0 for the others
CURVATURE = {"minimax": 0.5, "non-saturating": 0.5, "least-squares": 2.0}  # of the loss in the bias, 0 for the others


def velocities(loss, penalty=None, weight=0.0, real=(0.0,), noise=(0.0,), shares=(1.0,)):
    """Return (theta, psi, b) -> their velocities under simultaneous gradient flow.

    real, noise: atoms of the data and around theta; shares: how much each weighs.
    """

    def losses(place):
        theta, psi, bias = place

        def critic(x):
            return psi * x[:, 0] + bias

        x = jnp.asarray(real)[:, None]
        y = theta + jnp.asarray(noise)[:, None]
        discriminator, generator = loss(critic(x), critic(y))
        if penalty is not None:
            discriminator = discriminator + weight * penalty(critic, x, y, KEY)
        return (jnp.asarray(shares) * discriminator).sum(), (jnp.asarray(shares) * generator).sum()

    def velocity(place):
        return -jnp.stack([jax.grad(lambda p: losses(p)[1])(place)[0], *jax.grad(lambda p: losses(p)[0])(place)[1:]])

    return velocity


def eigenvalues(name, **options):
    """Return those of (theta, psi), and the one of the bias, which does not turn with them."""
    place = jnp.array([0.0, 0.0, BIAS.get(name, 0.0)])
    field = velocities(LOSSES[name], **options)
    velocity, jacobian = jax.jit(lambda place: (field(place), jax.jacfwd(field)(place)))(place)
    np.testing.assert_allclose(velocity, 0, atol=1e-6)
    jacobian = np.asarray(jacobian, np.float64)
    np.testing.assert_allclose(jacobian[2, :2], 0, atol=1e-6)
    np.testing.assert_allclose(jacobian[:2, 2], 0, atol=1e-6)
    return np.linalg.eigvals(jacobian[:2, :2]), jacobian[2, 2]


def assert_pair(found, middle, square):
    """Compare with middle +- sqrt(square), in any order."""
    root = np.sqrt(complex(square))
    # A double root moves by the square root of what the Jacobian is rounded by: compare sum and product.
    np.testing.assert_allclose(found.sum(), 2 * middle, atol=1e-5)
    np.testing.assert_allclose(found.prod(), (middle + root) * (middle - root), atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_without_a_penalty_training_circles(name):
    pair, bias = eigenvalues(name)
    assert_pair(pair, 0.0, -(SLOPE[name] ** 2))  # +- f'(0) i
    np.testing.assert_allclose(np.real(pair), 0, atol=1e-6)
    np.testing.assert_allclose(bias, -CURVATURE.get(name, 0.0), atol=1e-6)


@pytest.mark.parametrize(("penalty", "weight"), [(r1, 0.3), (r2, 3.0)], ids=["r1", "r2"])
@pytest.mark.parametrize("name", LOSSES)
def test_with_r1_or_r2_it_spirals_inwards_at_the_known_rate(name, penalty, weight):
    pair, _ = eigenvalues(name, penalty=penalty, weight=weight)
    assert_pair(pair, -weight / 2, (weight**2 - 4 * SLOPE[name] ** 2) / 4)
    assert (np.real(pair) < 0).all()


@pytest.mark.parametrize(("penalty", "times"), [(zero_centred, 2.0), (r1_r2, 2.0), (jensen_shannon, 0.5)])
def test_the_other_penalties_are_r1_of_another_weight(penalty, times):
    """|psi|^2 is twice r1; Roth's is psi^2 (1/4 + 1/4) / 2 where D = 1/2."""
    pair, _ = eigenvalues("non-saturating", penalty=penalty, weight=0.8)
    weight = 0.8 * times
    assert_pair(pair, -weight / 2, (weight**2 - 4 * 0.25) / 4)


def test_a_penalty_centred_at_one_does_not_converge():
    """Wasserstein with a gradient penalty, section 3.2: it pulls the slope from the equilibrium, whatever the sign."""
    field = velocities(LOSSES["wasserstein"], gradient, 1.0)
    for sign in (-1.0, 1.0):
        velocity = field(jnp.array([0.0, sign * 0.1, 0.0]))
        np.testing.assert_allclose(velocity[1], sign * 2 * 0.9, rtol=1e-5)


@pytest.mark.parametrize("deviation", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_instance_noise_damps_at_the_known_rate(name, deviation):
    """f''(0) s^2 +- sqrt(f''(0)^2 s^4 - f'(0)^2), f''(0) = -1/4, by quadrature over pairs of both noises."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(12)
    shares = shares / shares.sum()
    real, noise = (deviation * a.ravel() for a in np.meshgrid(nodes, nodes))
    pair, _ = eigenvalues(name, real=real, noise=noise, shares=np.outer(shares, shares).ravel())
    assert_pair(pair, -0.25 * deviation**2, (0.25 * deviation**2) ** 2 - 0.25)


@pytest.mark.parametrize(("weight", "grows"), [(0.0, True), (1.0, False)])
def test_steps_at_once_grow_by_the_factor_that_their_eigenvalue_says(weight, grows):
    """Euler steps h multiply the distance by |1 + h lambda|: outwards without a penalty, inwards with R1."""
    rate, count = 0.1, 400
    field = velocities(LOSSES["non-saturating"], r1, weight)

    @jax.jit
    def play(place):
        return jax.lax.fori_loop(0, count, lambda _, p: p + rate * field(p), place)

    start = jnp.array([1e-3, 0.0, 0.0])
    jacobian = np.eye(2) + rate * np.array([[0, 0.5], [-0.5, -weight]])
    expected = np.linalg.matrix_power(jacobian, count) @ np.asarray(start)[:2]
    found = np.asarray(play(start))[:2]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)
    assert (np.linalg.norm(found) > 1e-3) == grows
