"""Penalties against the closed forms of linear and quadratic critics, and of networks against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.penalties import (
    PENALTIES,
    between,
    gradient,
    gradient_norm,
    jensen_shannon,
    one_sided,
    r1,
    r1_r2,
    r2,
    squared_gradient,
    zero_centred,
)
from jaxgen.models.dcgan import DCGANDiscriminator

KEY = jax.random.key(0)
REAL = jax.random.normal(jax.random.key(1), (5, 2, 3)) + 1.0
FAKE = jax.random.normal(jax.random.key(2), (5, 2, 3))
W = jax.random.normal(jax.random.key(3), (2, 3))
SYMMETRIC = jnp.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.5]])
every = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def linear(w):
    return lambda x: (x * w[None]).reshape(len(x), -1).sum(-1) + 0.3


def quadratic(x):
    """x.Ax / 2, summed over rows [B, 2, 3], with the gradient Ax."""
    return 0.5 * jnp.einsum("bri,ij,brj->b", x, SYMMETRIC, x)


def slopes(x):
    """Return the squared gradient norm [B] of the quadratic critic, by numpy."""
    return ((np.asarray(x, np.float64) @ np.asarray(SYMMETRIC)) ** 2).sum((1, 2))


def norm(w):
    return float(np.sqrt((np.asarray(w, np.float64) ** 2).sum()))


@pytest.mark.parametrize("centre", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_of_a_linear_critic_the_gradient_penalty_is_exact(centre, scale):
    w = scale * W
    for one in (False, True):
        excess = norm(w) - centre
        expected = max(excess, 0) ** 2 if one else excess**2
        found = gradient(linear(w), REAL, FAKE, KEY, centre=centre, one_sided=one)
        np.testing.assert_allclose(found, np.full(5, expected), rtol=1e-5, atol=1e-10)


def test_of_a_linear_critic_every_penalty_is_exact():
    square = norm(W) ** 2
    real, fake = (np.asarray(linear(W)(x), np.float64) for x in (REAL, FAKE))
    roth = 0.5 * square * ((1 + np.exp(real)) ** -2 + (1 + np.exp(-fake)) ** -2)
    expected = {
        "gradient": (norm(W) - 1) ** 2,
        "one-sided": max(norm(W) - 1, 0) ** 2,
        "zero-centred": square,
        "r1": square / 2,
        "r2": square / 2,
        "r1-r2": square,
        "roth": roth,
    }
    assert set(expected) == set(PENALTIES)
    for name, penalty in PENALTIES.items():
        found = penalty(linear(W), REAL, FAKE, KEY)
        assert found.shape == (5,)
        np.testing.assert_allclose(found, np.broadcast_to(expected[name], 5), rtol=1e-5, err_msg=name)


def test_one_sided_lets_gentle_slopes_be():
    np.testing.assert_array_equal(one_sided(linear(0.9 * W / norm(W)), REAL, FAKE, KEY), 0)
    np.testing.assert_allclose(one_sided(linear(3 * W / norm(W)), REAL, FAKE, KEY), 4.0, rtol=1e-5)


def test_of_a_quadratic_critic_every_penalty_is_measured_where_it_says():
    mixed = slopes(between(REAL, FAKE, KEY))
    real, fake = slopes(REAL), slopes(FAKE)
    np.testing.assert_allclose(gradient(quadratic, REAL, FAKE, KEY), (np.sqrt(mixed) - 1) ** 2, rtol=1e-4)
    np.testing.assert_allclose(zero_centred(quadratic, REAL, FAKE, KEY), mixed, rtol=1e-5)
    np.testing.assert_allclose(r1(quadratic, REAL, FAKE, KEY), real / 2, rtol=1e-5)
    np.testing.assert_allclose(r2(quadratic, REAL, FAKE, KEY), fake / 2, rtol=1e-5)
    np.testing.assert_allclose(r1_r2(quadratic, REAL, FAKE, KEY), (real + fake) / 2, rtol=1e-5)
    d_real, d_fake = (1 / (1 + np.exp(-np.asarray(quadratic(x), np.float64))) for x in (REAL, FAKE))
    roth = ((1 - d_real) ** 2 * real + d_fake**2 * fake) / 2
    np.testing.assert_allclose(jensen_shannon(quadratic, REAL, FAKE, KEY), roth, rtol=1e-5)


def test_the_jensen_shannon_penalty_is_the_response_to_small_noise():
    """Roth et al. 2017: under noise of variance g its optimal discriminator's value falls by g times the penalty.

    On the line p = N(1, 1) and q = N(0, 1) have log p / q = x - 1/2, gradient 1; 2 JSD of the densities with noise is
    integrated.
    """
    x = np.linspace(-12, 13, 20_001)

    def divergence(variance):
        p, q = (np.exp(-((x - m) ** 2) / 2 / variance) / np.sqrt(2 * np.pi * variance) for m in (1, 0))
        middle = (p + q) / 2
        return np.trapezoid(p * np.log(p / middle) + q * np.log(q / middle), x)

    response = (divergence(1 - 1e-4) - divergence(1 + 1e-4)) / 2e-4
    at = jnp.asarray(x[:, None], jnp.float32)
    zero = jnp.zeros_like(at) - 1e4  # where a generated example weighs nothing

    def critic(x):
        return x[:, 0] - 0.5

    p, q = (np.exp(-((x - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (1, 0))
    real = np.trapezoid(p * jensen_shannon(critic, at, zero, KEY), x)
    fake = np.trapezoid(q * jensen_shannon(critic, -zero, at, KEY), x)
    np.testing.assert_allclose(real + fake, response, rtol=1e-3)


@every
def test_an_example_is_penalised_alike_whatever_the_others_are(penalty):
    """One norm, and one mixing weight, an example: neither is of the batch."""
    whole = penalty(quadratic, REAL, FAKE, KEY)
    others = jax.random.normal(KEY, REAL.shape) * 9
    for row in range(5):
        real, fake = others.at[row].set(REAL[row]), (others + 1).at[row].set(FAKE[row])
        np.testing.assert_array_equal(penalty(quadratic, real, fake, KEY)[row], whole[row])


def test_mixing_weights_are_one_an_example_and_uniform():
    real, fake = jnp.zeros((4000, 2, 3)), jnp.ones((4000, 2, 3))
    weight = np.asarray(between(real, fake, KEY))
    np.testing.assert_array_equal(weight, np.broadcast_to(weight[:, :1, :1], weight.shape))
    sorted_weights = np.sort(weight[:, 0, 0])
    distance = np.abs(sorted_weights - (np.arange(4000) + 0.5) / 4000).max()
    assert distance < 1.95 / np.sqrt(4000)  # Kolmogorov and Smirnov's bound of 0.1 %
    assert len(np.unique(sorted_weights)) > 3990


def test_real_and_generated_of_unequal_shape_are_refused():
    with pytest.raises(AssertionError, match="shape"):
        between(REAL, FAKE[:4], KEY)


@every
@pytest.mark.parametrize("shape", [(5, 1), (), (5, 3)])
def test_a_critic_that_does_not_return_one_logit_an_example_is_refused(penalty, shape):
    with pytest.raises(ValueError) as refused:
        penalty(lambda x: jnp.broadcast_to(x.sum(), shape), REAL, FAKE, KEY)
    assert f"shape (5,), got {shape}" in str(refused.value)


@every
def test_its_gradient_is_finite_where_the_critic_is_flat(penalty):
    def cost(w):
        return penalty(linear(w), REAL, FAKE, KEY).mean()

    value, slope = jax.value_and_grad(cost)(jnp.zeros_like(W))
    assert np.isfinite(value)
    np.testing.assert_array_equal(slope, 0)


def test_a_gradient_norm_has_its_own_derivative_where_it_is_not_zero():
    found = jax.grad(lambda w: gradient_norm(linear(w), REAL)[0])(W)
    np.testing.assert_allclose(found, np.asarray(W) / norm(W), rtol=1e-5)


def test_squared_gradient_returns_the_logits_too():
    logits, square = squared_gradient(quadratic, REAL)
    np.testing.assert_allclose(logits, quadratic(REAL), rtol=1e-6)
    np.testing.assert_allclose(square, slopes(REAL), rtol=1e-5)


@pytest.mark.parametrize("spectral", [False, True])
def test_derivatives_of_the_second_order_through_the_projects_own_convolutions(spectral):
    """The penalties' gradient in a DCGAN discriminator's parameters, in float64, is that of finite differences.

    The spectral norms' singular vectors have no gradient, by design: it is exact once they have settled.
    """
    with jax.enable_x64(True):
        net = DCGANDiscriminator(3, batch_norm=False, spectral=spectral, activation=jnp.tanh)
        real, fake = (jax.random.normal(key, (2, 8, 8, 1), jnp.float64) for key in jax.random.split(KEY))
        params, rest = started(net, real)

        @jax.jit
        @jax.value_and_grad
        def cost(params):
            def critic(x):
                return net.apply({"params": params, **rest}, x, train=False).logits

            weighted = ((1.0, gradient), (0.3, r1), (2.0, jensen_shannon))
            return sum(weight * penalty(critic, real, fake, KEY).mean() for weight, penalty in weighted)

        leaves, tree = jax.tree.flatten(params)
        rng = np.random.default_rng(0)
        along = jax.tree.unflatten(tree, [rng.normal(size=a.shape) for a in leaves])
        found = sum((a * b).sum() for a, b in zip(*map(jax.tree.leaves, (cost(params)[1], along)), strict=True))
        ahead, behind = (cost(jax.tree.map(lambda a, b, t=t: a + t * b, params, along))[0] for t in (1e-5, -1e-5))
        expected = (ahead - behind) / 2e-5
        assert abs(expected) > 1e-2
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def started(net, x):
    """Return parameters in float64, of the order of one, and collections whose singular vectors have settled."""
    rest = dict(jax.jit(lambda: net.init(KEY, x, train=True))())
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64) * (20 if a.ndim > 2 else 1), rest.pop("params"))

    def one(_, rest):
        return net.apply({"params": params, **rest}, x, train=True, mutable=list(rest))[1]

    rest = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), rest)
    return params, jax.jit(lambda rest: jax.lax.fori_loop(0, 500, one, rest))(rest) if rest else rest
