"""Densities of every kind of flow over the plane: they integrate to one and are those of their samples."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.continuous import Continuous, Drift
from jaxgen.bijectors.elementwise import affine
from jaxgen.bijectors.spline import rational_quadratic
from jaxgen.metrics.plane import integral
from jaxgen.models.autoregressive_flows import autoregressive_flow
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.models.flow import Flow
from jaxgen.nn.conditioner import DenseConditioner
from jaxgen.nn.masked import MADE
from tests.bijectors.laws import moved

KEY = jax.random.key(0)
NET = partial(DenseConditioner, hidden=(8,), activation=nn.tanh)
MASKED = partial(MADE, (8,), activation=nn.tanh)
CASES = {  # the bijector, and what it is conditional on
    "spline coupling": (vector_flow(NET, rational_quadratic(4), layers=2, mix=True), None),
    "MAF of splines": (autoregressive_flow(MASKED, rational_quadratic(4), layers=2), None),
    "continuous": (Continuous(Drift((8,), nn.tanh)), None),
    "told 1": (vector_flow(NET, affine(), layers=2), 1.0),
    "told -2": (vector_flow(NET, affine(), layers=2), -2.0),
}


@pytest.fixture(scope="module", params=CASES)
def plane(request):
    """The density of a flow of the plane with random parameters, and its samples."""
    bijector, told = CASES[request.param]
    flow = Flow(bijector, (2,))

    def condition(n):
        return None if told is None else jnp.full((n, 1), told)

    start = jax.eval_shape(flow.init, KEY, jnp.zeros((2, 2)), condition(2))
    params = moved(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), start), 0.5)
    x = jax.jit(lambda params: flow.sample(params, KEY, 40_000, condition(40_000)))(params)
    log_prob = jax.jit(lambda x: flow.log_prob(params, x, condition(len(x))))
    return log_prob, np.asarray(x)


def test_it_integrates_to_one(plane):
    log_prob, x = plane
    low, high = x.min(0), x.max(0)
    margin = 0.3 * (high - low)
    box = (low[0] - margin[0], high[0] + margin[0], low[1] - margin[1], high[1] + margin[1])
    assert abs(integral(log_prob, box, points=400, batch_size=40_000).value - 1) < 2e-3


def test_it_is_that_of_its_samples(plane):
    log_prob, x = plane
    cells, fine = 6, 20
    low, high = np.quantile(x, [0.02, 0.98], axis=0)
    edges = [np.linspace(a, b, cells + 1) for a, b in zip(low, high, strict=True)]
    share = np.histogram2d(*x.T, bins=edges)[0] / len(x)
    places = [a + (b - a) * (np.arange(cells * fine) + 0.5) / (cells * fine) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*places, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    p = np.exp(np.asarray(log_prob(grid), np.float64)).reshape(cells, fine, cells, fine)
    expected = p.mean((1, 3)) * np.prod((high - low) / cells)
    assert expected.max() > 3 * expected.min()  # a density with something to get wrong
    assert (abs(share - expected) < 5 * np.sqrt(expected / len(x))).all()
