from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.game import AXIS
from jaxgen.nn.axis import averaged, bound, dealt, gathered, total
from jaxgen.nn.minibatch import MinibatchDiscrimination, deviation

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (8, 6))
LAYER = MinibatchDiscrimination(kernels=4, depth=3)
DEVICES = 4


def mapped(function):
    """Return the function of x [B, ...] under pmap, whole batches in and out."""
    spread = jax.pmap(function, axis_name=AXIS, devices=jax.devices()[:DEVICES])

    def whole(x):
        out = spread(x.reshape(DEVICES, -1, *x.shape[1:]))
        return jax.tree.map(lambda a: np.asarray(a).reshape(-1, *a.shape[2:]), out)

    return whole


def test_discrimination_equals_a_plain_double_loop():
    params = LAYER.init(KEY, X)
    tensor = np.asarray(params["params"]["Dense_0"]["kernel"], np.float64).reshape(6, 4, 3)
    m = np.einsum("bf,fkd->bkd", np.asarray(X, np.float64), tensor)
    near = np.zeros((8, 4))
    for b in range(8):
        for other in range(8):
            for k in range(4):
                if other != b:
                    near[b, k] += np.exp(-np.abs(m[b, k] - m[other, k]).sum())
    out = LAYER.apply(params, X)
    np.testing.assert_array_equal(out[:, :6], X)
    np.testing.assert_allclose(out[:, 6:], near, rtol=1e-4, atol=1e-6)


def test_discrimination_of_a_collapsed_batch_counts_all_others():
    params = LAYER.init(KEY, X)
    np.testing.assert_allclose(LAYER.apply(params, jnp.broadcast_to(X[:1], X.shape))[:, 6:], 7.0, rtol=1e-6)
    far = X * 1e4
    np.testing.assert_allclose(LAYER.apply(params, far)[:, 6:], 0.0, atol=1e-6)


def test_discrimination_has_a_finite_gradient_where_examples_are_equal():
    params = LAYER.init(KEY, X)
    slope = jax.grad(lambda x: (LAYER.apply(params, x) ** 2).sum())(jnp.zeros_like(X))
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("shape", [(8, 6), (8, 3, 2, 2)])
def test_deviation_is_numpys(shape):
    x = jax.random.normal(KEY, shape) * 3 + 1
    found = deviation(x)
    assert found.shape == (8, 1)
    np.testing.assert_allclose(found, np.std(np.asarray(x, np.float64), axis=0).mean(), rtol=1e-5)


def test_deviation_of_a_collapsed_batch_is_nothing_and_has_a_finite_gradient():
    same = jnp.ones((8, 6))
    np.testing.assert_allclose(deviation(same), 1e-4, rtol=1e-4)
    np.testing.assert_array_equal(jax.grad(lambda x: deviation(x).sum())(same), 0)


def test_over_devices_the_batch_is_that_of_all():
    params = LAYER.init(KEY, X)
    np.testing.assert_allclose(mapped(deviation)(X), deviation(X), rtol=1e-5)
    layer = mapped(partial(LAYER.apply, params))
    np.testing.assert_allclose(layer(X), LAYER.apply(params, X), rtol=1e-4, atol=1e-6)


def test_over_devices_the_mean_of_the_gradients_is_that_of_the_mean_loss():
    """Through the gathering too: an example is near to those of other devices, and they to it."""
    params = LAYER.init(KEY, X)

    def loss(params, x):
        out = LAYER.apply(params, x)
        return (out**2).mean() + (deviation(out) ** 3).mean()

    spread = mapped(lambda x: jax.tree.map(lambda a: a[None], averaged(jax.grad(loss)(params, x))))(X)
    expected = jax.jit(jax.grad(loss))(params, X)
    for found, one in zip(jax.tree.leaves(spread), jax.tree.leaves(expected), strict=True):
        for own in found:
            np.testing.assert_allclose(own, one, rtol=1e-4, atol=1e-6)


def test_without_a_map_there_is_nothing_to_gather():
    assert not bound()
    for function in (gathered, total, dealt, averaged):
        assert function(X) is X


def test_examples_of_all_devices_are_gathered_in_order_and_numbers_dealt_in_turn():
    def both(x):
        mine = jnp.full(6, jax.lax.axis_index(AXIS), jnp.int32)
        return gathered(x)[None], dealt(mine)[None], total(x.sum())[None], averaged({"x": x.mean()})["x"][None]

    all_of, dealt_out, summed, mean = mapped(both)(X)
    for device in range(DEVICES):
        np.testing.assert_array_equal(all_of[device], X)
        np.testing.assert_array_equal(dealt_out[device], [0, 1, 2, 3, 0, 1])
        np.testing.assert_allclose(summed[device], np.asarray(X).sum(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mean[device], np.asarray(X).mean(), rtol=1e-5, atol=1e-6)
