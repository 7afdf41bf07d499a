"""Couplings and the networks that they are given."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.coupling import Coupling, MaskedCoupling, alternate
from jaxgen.bijectors.elementwise import affine
from jaxgen.nn.conditioner import DenseConditioner

KEY = jax.random.key(0)


class Flat(nn.Module):
    """Returns what it is asked for, once an example and not at each place."""

    outputs: int

    @nn.compact
    def __call__(self, x, condition=None):
        return jnp.zeros((len(x), self.outputs))


class AtPlaces(nn.Module):
    """A dense layer at each place."""

    outputs: int

    @nn.compact
    def __call__(self, x, condition=None):
        return nn.Dense(self.outputs)(x)


@pytest.mark.parametrize(
    "coupling, kept, made, numbers",
    [
        (Coupling(Flat, affine()), "2, 3, 2", "2, 3, 4", "2, 3, 2"),
        (
            MaskedCoupling(Flat, affine(), alternate),
            "2, 3, 4",
            "2, 3, 8",
            "2, 3, 4",
        ),
    ],
)
def test_a_network_that_returns_another_shape_is_refused(coupling, kept, made, numbers):
    message = rf"must make \({made}\) of \({kept}\), 2 for each of the \({numbers}\) numbers .* makes \(2, {made[-1]}\)"
    with pytest.raises(ValueError, match=message):
        coupling.init(KEY, jnp.ones((2, 3, 4)))


def test_a_dense_network_takes_vectors_alone():
    with pytest.raises(ValueError, match=r"expected x \[B, D\], got shape \(2, 3, 2\)"):
        Coupling(DenseConditioner, affine()).init(KEY, jnp.ones((2, 3, 4)))


def test_a_network_of_places_makes_a_coupling_of_places():
    x = jax.random.normal(KEY, (2, 3, 4))
    coupling = Coupling(AtPlaces, affine())
    variables = coupling.init(KEY, x)
    y, log_det = coupling.apply(variables, x)
    back, other = coupling.apply(variables, y, method="inverse")
    np.testing.assert_allclose(back, x, atol=1e-5)
    np.testing.assert_allclose(other, -log_det, atol=1e-5)
    assert np.abs(y - x).max() > 1e-2
