"""The logit: its slope is that of autodiff, its inverse undoes it, and values out of its domain are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.logit import Logit

X = jax.random.uniform(jax.random.key(0), (5, 2, 3, 1), minval=0.001, maxval=0.999)


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 0.05, 0.4])
def test_the_log_determinant_is_that_of_the_jacobian_both_ways(alpha):
    layer = Logit(alpha)
    y, log_det = layer.apply({}, X)
    back, inverse_log_det = layer.apply({}, y, method="inverse")
    assert y.shape == X.shape and log_det.shape == inverse_log_det.shape == (5,)
    for method, start, found in (("forward", X, log_det), ("inverse", y, inverse_log_det)):
        jacobian = jax.vmap(
            jax.jacobian(lambda v, m=method: layer.apply({}, v.reshape(1, 2, 3, 1), method=m)[0].ravel())
        )(start.reshape(5, 6))
        np.testing.assert_allclose(found, jnp.linalg.slogdet(jacobian)[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(back, X, atol=2e-6)
    np.testing.assert_allclose(log_det, -inverse_log_det, rtol=1e-4, atol=1e-4)


def test_the_ends_are_finite_symmetric_and_in_closed_form():
    for alpha in (1e-6, 0.05):
        y, log_det = Logit(alpha).apply({}, jnp.array([[0.0], [1.0], [0.5]]))
        exact = np.log(alpha / (1 - alpha))
        np.testing.assert_allclose(y[:, 0], [exact, -exact, 0.0], rtol=1e-6)
        np.testing.assert_allclose(log_det[:2], np.log((1 - 2 * alpha) / (alpha * (1 - alpha))), rtol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "x", "message"),
    [
        (
            0.05,
            [[0.25, 1.5]],
            r"x in \[0, 1\], got values from 0.25 to 1.5, .* 1.5 at index \(0, 1\)",
        ),
        (0.05, [[-0.1, 0.5]], r"x in \[0, 1\]"),
        (0.05, [[0.2, 0.5], [0.5, np.nan]], r"x in \[0, 1\], got values from nan .* nan at index \(1, 1\)"),
        (0.0, [[0.0, 0.5]], r"x in \(0, 1\), as alpha is 0"),
    ],
)
def test_known_values_out_of_the_domain_are_refused_and_traced_ones_pass(alpha, x, message):
    with pytest.raises(ValueError, match=message):
        Logit(alpha).apply({}, jnp.array(x))
    jax.jit(lambda v: Logit(alpha).apply({}, v))(jnp.array(x))


def test_values_that_a_compiled_function_closes_over_are_known():
    x, beyond = jnp.full((1, 2), 0.5), jnp.full((1, 2), 3.5)
    jax.jit(lambda: Logit(0.05).apply({}, x))()
    with pytest.raises(ValueError, match=r"from 3\.5 to 3\.5"):
        jax.jit(lambda: Logit(0.05).apply({}, beyond))()


@pytest.mark.parametrize("alpha", [-0.1, 0.5, float("nan")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match=r"expected alpha in \[0, 0.5\)"):
        Logit(alpha)
