"""A function that is to be compiled apart: the same values, and a call of its own in a CPU's program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn.apart import apart

X = jnp.linspace(0.1, 2.0, 7)


def squared(x):
    return jnp.sin(x) ** 2


def test_values_and_gradients_are_those_of_the_function():
    for make in (lambda f: f, jax.grad, lambda f: jax.grad(jax.grad(f))):
        own, plain = make(lambda x: apart(squared, x)), make(squared)
        np.testing.assert_allclose(jax.jit(jax.vmap(own))(X), jax.vmap(plain)(X), rtol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other backends fuse it with what comes after")
def test_a_cpu_calls_it():
    def calls(function):
        return jax.jit(lambda x: 2 * function(3 * x) + 1).lower(X).compile().as_text().count(" call(")

    assert calls(squared) == 0 and calls(lambda x: apart(squared, x)) == 1
