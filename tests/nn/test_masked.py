"""What MADE says of each number hangs on all numbers before it, on no other, and on the condition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn.masked import MADE
from tests.bijectors.laws import shaped

KEY = jax.random.key(0)


def made(net, size, condition=None, batch=3):
    x = jax.random.normal(jax.random.key(1), (batch, size))
    condition = None if condition is None else jax.random.normal(jax.random.key(2), (batch, condition))
    return shaped(net, x, condition), x, condition


def influence(net, variables, x, condition=None):
    """Return which inputs change what is said of which number, [D said, D in]."""
    change = jax.jit(jax.jacrev(lambda x: net.apply(variables, x[None], condition)[0]))(x[0])
    return np.abs(change).max(1) > 0


@pytest.mark.parametrize("size", [1, 2, 5, 17])
@pytest.mark.parametrize("hidden", [(), (40,), (40, 60), (20, 20, 20)])
@pytest.mark.parametrize("condition", [None, 3])
def test_each_output_sees_all_inputs_before_it_and_no_other(size, hidden, condition):
    net = MADE(hidden, 2, activation=jnp.tanh)
    variables, x, condition = made(net, size, condition)
    seen = influence(net, variables, x, None if condition is None else condition[:1])
    np.testing.assert_array_equal(seen, np.tril(np.ones((size, size)), -1))


def test_reversed_each_output_sees_the_inputs_after_it():
    net = MADE((40, 40), 2, "reversed", activation=jnp.tanh)
    variables, x, _ = made(net, 6)
    np.testing.assert_array_equal(influence(net, variables, x), np.triu(np.ones((6, 6)), 1))


@pytest.mark.parametrize("hidden", [(3,), (3, 1), (1, 7)])
def test_too_few_hidden_units_break_no_rule(hidden):
    net = MADE(hidden, activation=jnp.tanh)
    variables, x, _ = made(net, 9)
    seen = influence(net, variables, x)
    assert seen.any() and not seen[np.triu_indices(9)].any()


@pytest.mark.parametrize("order", ["natural", "reversed"])
@pytest.mark.parametrize("hidden", [(), (12,), (12, 12)])
@pytest.mark.parametrize("size", [1, 4])
def test_the_condition_reaches_every_number_the_first_too(order, hidden, size):
    net = MADE(hidden, 2, order, activation=jnp.tanh)
    variables, x, condition = made(net, size, 3)
    change = jax.jit(jax.jacrev(lambda c: net.apply(variables, x[:1], c[None])[0]))(condition[0])
    assert (np.abs(change) > 0).all()


@pytest.mark.parametrize("condition", [None, 3])
def test_every_parameter_gets_a_gradient(condition):
    net = MADE((8, 8), 2, activation=jnp.tanh)
    variables, x, condition = made(net, 4, condition)
    gradients = jax.jit(jax.grad(lambda v: jnp.sin(net.apply(v, x, condition)).sum()))(variables)
    for path, gradient in jax.tree.leaves_with_path(gradients):
        assert jnp.abs(gradient).max() > 1e-6, path


def test_a_single_number_is_a_constant():
    net = MADE((8,), 3)
    variables, x, _ = made(net, 1)
    said = net.apply(variables, x)
    assert said.shape == (3, 1, 3)
    np.testing.assert_array_equal(said, jnp.broadcast_to(said[:1], said.shape))


def test_the_last_layer_starts_as_told():
    net = MADE((8,), 3, kernel_init=jax.nn.initializers.zeros)
    x = jax.random.normal(KEY, (2, 5))
    np.testing.assert_array_equal(net.apply(net.init(KEY, x), x), np.zeros((2, 5, 3)))


def test_hidden_biases_start_apart_where_asked_and_the_rest_as_before():
    x = jax.random.normal(KEY, (2, 4))
    plain, apart = (MADE((64, 16), 2, scattered=scattered).init(KEY, x)["params"] for scattered in (False, True))
    for n, (inputs, name) in enumerate([(4, "MaskedDense_0"), (64, "MaskedDense_1"), (16, "MaskedDense_2")]):
        np.testing.assert_array_equal(apart[name]["kernel"], plain[name]["kernel"])
        np.testing.assert_array_equal(plain[name]["bias"], 0)
        largest = float(jnp.abs(apart[name]["bias"]).max())
        assert largest == 0 if n == 2 else 0.7 / inputs**0.5 < largest <= 1 / inputs**0.5


def test_compiled_is_eager_and_batches_do_not_touch():
    net = MADE((16,), 2)
    variables, x, condition = made(net, 5, 3)
    said = net.apply(variables, x, condition)
    np.testing.assert_allclose(jax.jit(net.apply)(variables, x, condition), said, atol=1e-5)
    np.testing.assert_allclose(net.apply(variables, x[:1], condition[:1]), said[:1], atol=1e-5)


def test_a_condition_of_any_shape_is_flattened():
    net = MADE((16,), 2)
    variables, x, condition = made(net, 5, 6)
    said = net.apply(variables, x, condition.reshape(3, 2, 3))
    np.testing.assert_array_equal(said, net.apply(variables, x, condition))


@pytest.mark.parametrize(
    "size, given, message",
    [(3, None, "one of 3 numbers, got none"), (None, 3, "none, got one of 3"), (3, 4, "3 numbers, got one of 4")],
)
def test_another_condition_than_the_first_is_refused(size, given, message):
    net = MADE((16,), 2)
    variables, x, _ = made(net, 5, size)
    with pytest.raises(ValueError, match=message):
        net.apply(variables, x, None if given is None else jnp.zeros((3, given)))


def test_images_are_refused():
    with pytest.raises(ValueError, match=r"expected x \[B, D\], got shape \(2, 4, 4, 1\)"):
        MADE((16,)).init(KEY, jnp.zeros((2, 4, 4, 1)))


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match='"natural" or "reversed", got \'random\''):
        MADE((16,), order="random").init(KEY, jnp.zeros((2, 4)))
