"""Networks of couplings: where they start, and the conditions that they take."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.continuous import Drift
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner, LinearConditioner, ResidualConditioner
from jaxgen.nn.masked import MADE

KEY = jax.random.key(0)
IMAGES = [ConvConditioner(6, width=8), ResidualConditioner(6, width=8, blocks=1), LinearConditioner(6)]


@pytest.mark.parametrize("net", IMAGES, ids=lambda net: type(net).__name__)
def test_networks_of_images(net):
    x = jax.random.normal(KEY, (2, 4, 4, 3))
    variables = net.init(KEY, x)
    np.testing.assert_array_equal(net.apply(variables, x), np.zeros((2, 4, 4, 6)))
    condition = jax.random.normal(KEY, (2, 8, 8, 5))
    assert net.apply(net.init(KEY, x, condition), x, condition).shape == (2, 4, 4, 6)
    with pytest.raises(ValueError, match=r"images \[B, H, W, C\], got \(2, 3\)"):
        net.init(KEY, x[:, 0, 0])
    with pytest.raises(ValueError, match=r"got \(2, 3, 3\)"):
        net.init(KEY, x, jnp.ones((2, 3, 3)))


def test_vectors():
    net = DenseConditioner(6, hidden=(8,), activation=nn.tanh)
    x, condition = jnp.ones((2, 3)), jnp.ones((2, 2, 2))
    np.testing.assert_array_equal(net.apply(net.init(KEY, x), x), np.zeros((2, 6)))
    assert net.init(KEY, x, condition)["params"]["MLP_0"]["Dense_0"]["kernel"].shape == (7, 8)


def test_vectors_at_places_are_refused():
    for condition in (None, jnp.ones((2, 5))):
        with pytest.raises(ValueError, match=r"DenseConditioner: expected x \[B, D\], got shape \(2, 3, 2\)"):
            DenseConditioner(6).init(KEY, jnp.ones((2, 3, 2)), condition)


def test_half_precision_returns_float32():
    net = ConvConditioner(6, width=8, dtype=jnp.bfloat16)
    x = jax.random.normal(KEY, (2, 4, 4, 3))
    assert net.apply(net.init(KEY, x), x).dtype == jnp.float32


X, IMAGE = (4, 5), (4, 2, 2, 3)
CONV, RESIDUAL, LINEAR = IMAGES
CASES = {
    "dense": (DenseConditioner(6, (8,)), X, (3,), "one of 3 numbers", (4,), "one of 4 numbers"),
    "dense without hidden layers": (DenseConditioner(6, ()), X, (3,), "one of 3 numbers", (4,), "one of 4 numbers"),
    "dense, flattened": (DenseConditioner(6, (8,)), X, (2, 2), "one of 4 numbers", (2, 3), "one of 6 numbers"),
    "MADE": (MADE((8,)), X, (3,), "one of 3 numbers", (4,), "one of 4 numbers"),
    "drift": (Drift((8,)), X, (3,), "one of 3 numbers", (4,), "one of 4 numbers"),
    "convolutions": (CONV, IMAGE, (8,), "one of 8 numbers", (5,), "one of 5 numbers"),
    "convolutions, of images": (CONV, IMAGE, (4, 4, 2), "images of 2 channels", (4, 4, 1), "images of 1 channels"),
    "residual": (RESIDUAL, IMAGE, (8,), "one of 8 numbers", (5,), "one of 5 numbers"),
    "residual, of images": (RESIDUAL, IMAGE, (4, 4, 2), "images of 2 channels", (8,), "one of 8 numbers"),
    "linear": (LINEAR, IMAGE, (4, 4, 2), "images of 2 channels", (4, 4, 1), "images of 1 channels"),
}


def called(net, x):
    """Return init and apply of (variables, condition), of shapes alone; a drift also takes a time."""
    before = (0.5,) if isinstance(net, Drift) else ()
    start = partial(jax.eval_shape, lambda c: net.init(KEY, *before, x, c))
    return start, partial(jax.eval_shape, lambda variables, c: net.apply(variables, *before, x, c))


@pytest.mark.parametrize("name", CASES)
def test_another_condition_than_the_parameters_were_made_with_is_refused(name):
    net, shape, told, made, other, came = CASES[name]
    x = jnp.ones(shape)
    start, run = called(net, x)
    with_one, without = start(jnp.ones((4, *told))), start(None)
    run(with_one, jnp.ones((4, *told))), run(without, None)
    for variables, condition, expected, got in (
        (with_one, None, made, "none"),
        (with_one, jnp.ones((4, *other)), made, came),
        (without, jnp.ones((4, *told)), "none", made),
    ):
        with pytest.raises(ValueError, match=f"{type(net).__name__}: .* made with, {expected}, got {got} beside x of"):
            run(variables, condition)


@pytest.mark.parametrize("name", CASES)
def test_a_condition_of_another_batch_is_refused(name):
    net, shape, told, *_ = CASES[name]
    start, run = called(net, jnp.ones(shape))
    variables = start(jnp.ones((4, *told)))
    for other in ((2, 2 * told[0], *told[1:]), (1, *told)):  # the first has as many numbers in all
        message = rf"{type(net).__name__}: .* for each of 4 examples, got shape \({other[0]},"
        for attempt in (start, partial(run, variables)):
            with pytest.raises(ValueError, match=message):
                attempt(jnp.ones(other))


def test_a_prior_of_maps_leaves_a_vector_out():
    x = jnp.ones(IMAGE)
    variables = LINEAR.init(KEY, x, jnp.ones((4, 3)))
    np.testing.assert_array_equal(LINEAR.apply(variables, x, jnp.ones((4, 3))), LINEAR.apply(variables, x))
