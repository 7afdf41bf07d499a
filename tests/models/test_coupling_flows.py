"""Glow: what compiles is as long whatever its depth."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxgen.models.coupling_flows import glow
from jaxgen.nn.conditioner import ConvConditioner


def program(depth):
    """Return the lines of the program of a gradient of Glow."""
    flow = glow(partial(ConvConditioner, width=2), (4, 4, 1), levels=2, depth=depth)
    x = jnp.zeros((2, 4, 4, 1))
    variables = jax.eval_shape(flow.init, jax.random.key(0), x)

    def loss(variables):
        z, log_det = flow.apply(variables, x)
        return (z**2).sum() - log_det.sum()

    return str(jax.make_jaxpr(jax.grad(loss))(variables)).splitlines()


def test_the_program_is_as_long_whatever_the_depth():
    shallow, deep = program(2), program(32)
    assert len(shallow) > 500
    assert abs(len(deep) - len(shallow)) < 0.01 * len(shallow)  # but for how it is broken into lines
