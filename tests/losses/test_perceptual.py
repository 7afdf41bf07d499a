import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses.perceptual import feature_distance

KEYS = jax.random.split(jax.random.key(0), 4)
SHAPES = ((3, 4, 5, 2), (3, 6))
F, G = (
    [jax.random.normal(key, shape) for key, shape in zip(keys, SHAPES, strict=True)] for keys in (KEYS[:2], KEYS[2:])
)


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_it_is_half_the_squared_distance_of_each_layer_added_up(over):
    reduce = np.sum if over == "sum" else np.mean
    expected = [
        sum(0.5 * reduce((np.asarray(f[i]) - np.asarray(g[i])) ** 2) for f, g in zip(F, G, strict=True))
        for i in range(3)
    ]
    np.testing.assert_allclose(feature_distance(F, G, over=over), expected, rtol=1e-5)


def test_with_the_image_itself_as_feature_it_is_minus_a_unit_gaussians_likelihood_but_for_its_constant():
    from jaxgen.losses.likelihoods import gaussian

    constant = 0.5 * np.log(2 * np.pi) * 40
    np.testing.assert_allclose(
        feature_distance(F[:1], G[:1], over="sum"), -gaussian(F[0], G[0], 0.0) - constant, rtol=1e-4
    )


def test_it_vanishes_only_at_equal_features_and_its_gradient_points_there():
    np.testing.assert_array_equal(feature_distance(F, F), jnp.zeros(3))
    gradient = jax.grad(lambda f: feature_distance([f], [G[1]], over="sum").sum())(F[1])
    np.testing.assert_allclose(gradient, F[1] - G[1], rtol=1e-5)


def test_it_is_finite_at_large_features():
    assert jnp.isfinite(feature_distance([jnp.full((2, 3), 1e10)], [jnp.full((2, 3), -1e10)])).all()


def test_unequal_layers_are_refused():
    with pytest.raises(AssertionError, match=r"(?s)\(3, 6\).*\(3, 5\)"):
        feature_distance([F[1]], [F[1][:, :5]])
    with pytest.raises(ValueError, match="equal numbers of layers, at least one, got 2 and 1"):
        feature_distance(F, G[:1])
    with pytest.raises(ValueError, match="got 0 and 0"):
        feature_distance([], [])
