"""Autoencoders: shapes, gradients, and what a linear one is worth."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.linalg import subspace_angles

from jaxgen.losses.reconstruction import squared_error
from jaxgen.metrics.pca import principal_components
from jaxgen.models.autoencoder import mlp_autoencoder
from jaxgen.models.tied import TiedAutoencoder

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(7,), (4, 5, 1), (3, 4, 3)])
@pytest.mark.parametrize("hidden", [(), (9,), (9, 6)])
def test_every_shape_comes_back_and_every_parameter_gets_a_gradient(shape, hidden):
    x = jax.random.uniform(KEY, (5, *shape))
    for model in (mlp_autoencoder(shape, hidden, 2, activation=jnp.tanh), TiedAutoencoder(shape, (*hidden, 2))):

        @jax.jit
        def everything(x, model=model):
            params = model.init(KEY, x)
            gradient = jax.grad(lambda p: squared_error(x, model.reconstruct(p, x)).sum())(params)
            return model.encode(params, x), model.reconstruct(params, x), gradient

        code, back, gradient = everything(x)
        assert code.shape == (5, 2)
        assert back.shape == x.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
            assert (leaf != 0).any(), jax.tree_util.keystr(path)


def test_the_mean_is_applied_to_the_output():
    x = jax.random.uniform(KEY, (3, 4))
    for model in (mlp_autoencoder((4,), (3,), 2, mean=jnp.tanh), TiedAutoencoder((4,), (2,), mean=jnp.tanh)):
        params = model.init(KEY, x)
        output = model.decode(params, model.encode(params, x))
        np.testing.assert_array_equal(model.reconstruct(params, x), jnp.tanh(output))


def test_networks_compute_in_bfloat16_and_return_float32():
    x = jax.random.uniform(KEY, (3, 4))
    types = {"dtype": jnp.bfloat16, "param_dtype": jnp.float32}
    for model in (mlp_autoencoder((4,), (3,), 2, **types), TiedAutoencoder((4,), (3, 2), **types)):
        wide = model.init(KEY, x)
        assert model.encode(wide, x).dtype == model.reconstruct(wide, x).dtype == jnp.float32
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(wide))


def test_tied_decoding_is_by_the_transposes():
    x = jax.random.uniform(KEY, (3, 4))
    model = TiedAutoencoder((4,), (3, 2), jnp.tanh)
    params = model.init(KEY, x)
    params["decoder"] = {"bias_0": jnp.arange(3.0), "bias_1": -jnp.arange(4.0)}
    first, second = (np.asarray(model.kernel(params, i)) for i in range(2))
    code = np.tanh(np.tanh(x @ first) @ second)
    np.testing.assert_allclose(model.encode(params, x), code, rtol=1e-5, atol=1e-6)
    hidden = np.tanh(code @ second.T + np.arange(3.0)[None])
    np.testing.assert_allclose(
        model.decode(params, code), hidden @ first.T - np.arange(4.0)[None], rtol=1e-5, atol=1e-6
    )


def gaussian(examples=200):
    """Data whose principal components have clear gaps: variances 16, 9, 4, 1 and 0.25 in a random frame."""
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    return (rng.normal(size=(examples, 5)) * [4, 3, 2, 1, 0.5] @ frame + rng.normal(size=5)).astype(np.float32)


def trained(x, code, steps):
    """A linear autoencoder fitted to all of x; the mean error before each step."""
    model, tx = mlp_autoencoder(x.shape[1:], (), code), optax.adam(optax.cosine_decay_schedule(0.05, steps))
    params = model.init(KEY, x)

    def step(carry, _):
        params, state = carry
        error, gradient = jax.value_and_grad(lambda p: squared_error(x, model.reconstruct(p, x)).mean())(params)
        updates, state = tx.update(gradient, state)
        return (optax.apply_updates(params, updates), state), error

    (params, _), errors = jax.jit(lambda carry: jax.lax.scan(step, carry, None, steps))((params, tx.init(params)))
    return model, params, np.asarray(errors)


@pytest.mark.parametrize("code", [1, 2, 4])
def test_a_linear_autoencoder_learns_the_principal_plane_and_is_never_better(code):
    """Baldi and Hornik 1989: no linear autoencoder beats PCA, and the best spans the same plane."""
    x = gaussian()
    pca = principal_components(x, code)
    best = pca.errors(x, code).mean()
    model, params, errors = trained(x, code, 3000)
    assert errors.min() > best * (1 - 1e-5)
    np.testing.assert_allclose(errors[-1], best, rtol=1e-4)

    origin, *units = np.asarray(model.decode(params, jnp.concatenate([jnp.zeros((1, code)), jnp.eye(code)])))
    directions = np.stack(units) - origin  # of the plane that the decoder reaches
    assert subspace_angles(directions.T, pca.basis.T).max() < 1e-2
    # The plane goes through the mean of the data.
    offset = origin - x.mean(0)
    np.testing.assert_allclose(offset - (offset @ pca.basis.T) @ pca.basis, 0, atol=1e-2)


def test_the_code_of_all_dimensions_forgets_nothing():
    x = gaussian()
    _, _, errors = trained(x, 5, 3000)
    assert errors[-1] < 1e-3 * x.var(0).sum()
