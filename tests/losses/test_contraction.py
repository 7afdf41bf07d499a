from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import contraction
from jaxgen.models.autoencoder import CodeEncoder
from jaxgen.models.tied import TiedAutoencoder
from jaxgen.nn.conv import ConvTower

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (5, 2, 3, 1))


def tied(*widths, activation=jax.nn.sigmoid):
    model = TiedAutoencoder((2, 3, 1), widths, activation)
    params = jax.jit(model.init)(KEY, X)
    return model, params, partial(model.encode, params)


def loop(encode, x):
    """The Jacobian of each example on its own, by JAX."""
    jacobian = jax.jit(jax.jacobian(lambda one: encode(one[None])[0]))
    jacobians = [jacobian(one) for one in x]
    return np.stack(jacobians).reshape(len(x), -1, x[0].size)


@pytest.mark.parametrize(
    ("code", "activation"),
    [*((code, jax.nn.sigmoid) for code in (1, 4, 6, 11)), (4, jnp.tanh), (11, jax.nn.softplus)],
)
def test_the_closed_form_of_one_layer_is_the_exact_penalty(code, activation):
    model, params, encode = tied(code, activation=activation)

    @jax.jit
    def both(x):
        return contraction.one_layer(model.slopes(params, x), model.kernel(params, 0)), contraction.exact(encode, x)

    closed, exact = both(X)
    assert closed.shape == (5,)
    np.testing.assert_allclose(closed, exact, rtol=1e-4)


def test_the_closed_form_of_a_sigmoid_is_the_papers():
    model, params, encode = tied(4)
    h, kernel = np.asarray(encode(X)), np.asarray(model.kernel(params, 0))
    paper = ((h * (1 - h)) ** 2 * (kernel**2).sum(0)).sum(1)
    np.testing.assert_allclose(contraction.one_layer(model.slopes(params, X), kernel), paper, rtol=1e-4)


@pytest.mark.parametrize("code", [3, 9])  # fewer than the 6 dimensions of x, and more: rows, and columns
def test_the_jacobian_is_that_of_each_example_on_its_own(code):
    _, _, encode = tied(7, code)
    jacobian = contraction.jacobian(encode, X)
    assert jacobian.shape == (5, code, 6)
    np.testing.assert_allclose(jacobian, loop(encode, X), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(contraction.exact(encode, X), (loop(encode, X) ** 2).sum((1, 2)), rtol=1e-4)


def test_the_jacobian_of_convolutions():
    network = CodeEncoder(ConvTower((3,), jnp.tanh), 4)
    encode = partial(network.apply, jax.jit(network.init)(KEY, X))
    np.testing.assert_allclose(jax.jit(partial(contraction.jacobian, encode))(X), loop(encode, X), rtol=1e-4, atol=1e-6)


def test_the_jacobian_by_finite_differences():
    _, _, encode = tied(7, 3)
    step, jacobian = 1e-2, np.asarray(contraction.jacobian(encode, X))
    for i in range(6):
        e = jnp.zeros(6).at[i].set(step).reshape(1, 2, 3, 1)
        slope = (encode(X + e) - encode(X - e)) / (2 * step)
        np.testing.assert_allclose(jacobian[:, :, i], slope, atol=1e-4)


def test_a_linear_encoder_has_the_norm_of_its_matrix_everywhere():
    matrix = jax.random.normal(KEY, (6, 4))
    penalty = contraction.exact(lambda x: x.reshape(len(x), -1) @ matrix, X)
    np.testing.assert_allclose(penalty, jnp.full(5, (matrix**2).sum()), rtol=1e-5)


def test_hutchinson_is_unbiased_and_exact_for_a_code_of_one():
    _, _, encode = tied(7, 4)
    estimate = contraction.hutchinson(encode, X, KEY, samples=20_000)
    np.testing.assert_allclose(estimate, contraction.exact(encode, X), rtol=0.03)
    _, _, encode = tied(7, 1)
    np.testing.assert_allclose(contraction.hutchinson(encode, X, KEY), contraction.exact(encode, X), rtol=1e-5)


def test_hutchinson_is_exact_over_all_signs():
    """The mean over every sign vector is the expectation itself."""
    _, _, encode = tied(2)
    jacobian = loop(encode, X)
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    mean = np.mean([(np.einsum("j,bji->bi", v, jacobian) ** 2).sum(1) for v in signs], axis=0)
    np.testing.assert_allclose(contraction.exact(encode, X), mean, rtol=1e-4)


def test_gradients_of_the_three_forms_agree():
    model, params, _ = tied(4)

    def gradient(penalty):
        return jax.jit(jax.grad(lambda p: penalty(p).sum()))(params)["encoder"]["params"]["Dense_0"]["kernel"]

    closed = gradient(lambda p: contraction.one_layer(model.slopes(p, X), model.kernel(p, 0)))
    exact = gradient(lambda p: contraction.exact(partial(model.encode, p), X))
    rough = gradient(lambda p: contraction.hutchinson(partial(model.encode, p), X, KEY, samples=20_000))
    assert abs(closed).max() > 0.1
    np.testing.assert_allclose(closed, exact, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rough, exact, atol=0.05 * float(abs(exact).max()))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least 1 sample, got 0"):
        contraction.hutchinson(lambda x: x, jnp.ones((2, 3)), KEY, samples=0)
    with pytest.raises(AssertionError):
        contraction.one_layer(jnp.ones((2, 3)), jnp.ones((3, 2)))
    model, params, _ = tied(4, 3)
    with pytest.raises(ValueError, match="expected one layer, got 2"):
        model.slopes(params, X)
