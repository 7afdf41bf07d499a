"""The linear map of channels: where its type can hold no inverse, it says so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.linear import Linear

KEY = jax.random.key(0)
X = jnp.ones((2, 3))


def with_log_diagonal(value):
    params = Linear().init(KEY, X)["params"]
    return {"params": {**params, "log_diagonal": params["log_diagonal"].at[1].set(value)}}


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("value", [-200.0, -90.0, 90.0, np.nan])
def test_a_diagonal_that_the_type_cannot_hold_is_refused(value, way):
    variables = with_log_diagonal(value)
    with pytest.raises(ValueError, match=rf"from -87.34 to 88.72, .* in float32, got {value} at channel 1"):
        Linear().apply(variables, X, method=way)
    jax.jit(lambda variables: Linear().apply(variables, X, method=way))(variables)


def test_parameters_that_a_compiled_function_closes_over_are_known():
    fine, variables = with_log_diagonal(1.0), with_log_diagonal(-200.0)
    jax.jit(lambda: Linear().apply(fine, X))()
    with pytest.raises(ValueError, match="got -200"):
        jax.jit(lambda: Linear().apply(variables, X))()


def test_a_diagonal_just_within_the_limits_has_an_inverse():
    variables = with_log_diagonal(-87.0)
    back, log_det = Linear().apply(variables, Linear().apply(variables, X)[0], method="inverse")
    assert jnp.isfinite(back).all() and jnp.isfinite(log_det).all()


def test_an_image_by_the_inverse_map_is_its_places_by_solving():
    y = jax.random.normal(KEY, (5, 3, 4, 6))
    variables = Linear().init(KEY, y)
    x, log_det = Linear().apply(variables, y, method="inverse")
    for place in [(0, 0, 0), (4, 2, 3), (2, 1, 0)]:
        alone = Linear().apply(variables, y[place][None], method="inverse")
        np.testing.assert_allclose(x[place], alone[0][0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(log_det[place[0]], 12 * alone[1][0], rtol=1e-5)


def test_the_inverse_map_is_as_exact_as_solving():
    """Of a W whose condition is near 1e6, where x is 1e4 times as large as y."""
    y = jax.random.normal(KEY, (64, 16))
    params = Linear().init(KEY, y)["params"]
    keys = jax.random.split(KEY, 3)
    for key, name in zip(keys, ("above", "below"), strict=False):
        params[name] = params[name] + 0.5 * jax.random.normal(key, (16, 16))
    params["log_diagonal"] = jax.random.uniform(keys[2], (16,), minval=-3, maxval=3)

    whole = {name: np.asarray(value, np.float64) for name, value in params.items()}
    diagonal = np.diag(np.sign(whole["sign"]) * np.exp(whole["log_diagonal"]))
    w = ((np.tril(whole["below"], -1) + np.eye(16)) @ (np.triu(whole["above"], 1) + diagonal))[whole["order"].argsort()]
    exact = np.linalg.solve(w, np.asarray(y, np.float64).T).T
    for rows in (y, y[:8]):
        x = Linear().apply({"params": params}, rows, method="inverse")[0]
        assert np.abs(x - exact[: len(x)]).max() < 2e-6 * np.abs(exact[: len(x)]).max()
