import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn import convolution, winograd
from tests.nn.test_convolution import own, triple

CASES = [
    *((2, 1, (2, 4)), (3, 1, (4, 6)), (4, 2, (4, 8)), (6, 2, (8, 4)), (6, 3, (6, 12))),
    *((4, 2, (14, 7)), (4, 2, (13, 14)), (3, 1, (7, 5)), (2, 1, (7, 8)), (6, 3, (21, 18))),  # tiles that stick out
]


@pytest.mark.parametrize("taps", [2, 3])
def test_the_factors_give_two_outputs_of_a_filter_exactly(taps):
    rng = np.random.default_rng(0)
    for _ in range(20):
        numbers, filter_ = rng.integers(-9, 9, taps + 1), rng.integers(-9, 9, taps)
        a, g, b = (np.array(table[taps]) for table in (winograd.A, winograd.G, winograd.B))
        assert len(a) == len(g) == len(b) == taps + 1  # products, where the two outputs by themselves take 2 * taps
        found = a.T @ ((g @ filter_) * (b @ numbers))
        np.testing.assert_array_equal(found, np.correlate(numbers, filter_, "valid"))


@pytest.mark.parametrize(("kernel", "stride", "size"), CASES)
def test_all_three_equal_laxs_own(kernel, stride, size):
    x, w, u = triple(kernel, stride, size)

    @jax.jit
    def both(x, w, u):
        y, back = jax.vjp(lambda x, w: own(x, w, stride), x, w)
        found = (
            winograd.conv(x, w, stride),
            winograd.conv_transpose(u, w, stride, size),
            winograd.conv_kernel(x, u, stride, (kernel, kernel)),
        )
        return found, (y, *back(u))

    for found, expected in zip(*both(x, w, u), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


def test_which_images_and_kernels_it_is_for():
    assert winograd.taps((8, 4), (4, 4), 2) == 2
    assert winograd.taps((8, 4), (3, 3), 1) == 3
    assert winograd.taps((14, 7), (4, 4), 2) == 2  # 7 outputs each way, and 4: a seventh of the tiles sticks out
    assert winograd.taps((10, 10), (4, 4), 2) is None  # 5 outputs each way: 0.44 sticks out
    assert winograd.taps((12, 10), (6, 6), 3) is None  # 10 of stride 3 has a zero more before it
    assert winograd.taps((8, 8), (3, 3), 2) is None  # phases of one tap and of two
    assert winograd.taps((8, 8), (5, 5), 1) is None
    assert winograd.taps((8, 8), (5, 5), 2) is None  # phases of two taps and of three
    assert winograd.taps((8, 10), (4, 4), 2) == 2  # 5 outputs one way alone: 0.2 sticks out
    assert winograd.taps((10, 8), (6, 6), 3) is None
    assert winograd.taps((8, 8), (3, 2), 1) is None


def products(dtype=jnp.float32, channels=128, features=128, batch=32):
    """The convolutions left in the compiled program of all three, forward and backward: 4 x 4 pixels are one tile."""
    x, w, _ = (array.astype(dtype) for array in triple(4, 2, (4, 4), channels, features, batch))

    def loss(x, w):
        y = convolution.conv(x, w, 2)
        return (convolution.conv_transpose(jnp.sin(y), w, 2, (4, 4)) ** 2).sum()

    return jax.jit(jax.grad(loss, argnums=(0, 1))).lower(x, w).compile().as_text().count(" convolution(")


def test_it_stands_in_for_wide_convolutions_of_full_precision(monkeypatch):
    assert products() == 0
    assert products(channels=32) == 0  # four phases each
    assert products(channels=16) > 0
    assert products(features=64) > 0
    assert products(batch=31) > 0
    assert products(jnp.bfloat16) > 0
    monkeypatch.setattr(convolution, "LARGE", 32 * 4 * 4 * 128 * 9 // 4 - 1)
    assert products() == 2  # both gradients of the weights


@pytest.mark.parametrize(("kernel", "stride", "size"), [(4, 2, (4, 8)), (3, 1, (4, 2))])
def test_a_convolution_by_it_has_laxs_derivatives_to_second_order(kernel, stride, size, monkeypatch):
    monkeypatch.setattr(convolution, "WIDE", 1)
    monkeypatch.setattr(convolution, "TILES", 1)
    monkeypatch.setattr(convolution, "NARROW", 0)
    x, w, _ = triple(kernel, stride, size)

    def penalty(f):
        def slope(x, w):
            return (jax.grad(lambda x: jnp.sin(f(x, w, stride)).sum())(x) ** 2).sum()

        return jax.jit(jax.grad(slope, argnums=(0, 1)))

    for found, expected in zip(penalty(convolution.conv)(x, w), penalty(own)(x, w), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("platform", "convolutions"), [("cuda", 5), ("tpu", 5), ("cpu", 0)])
def test_gpus_and_tpus_keep_their_own_convolutions(platform, convolutions):
    x, w = jax.ShapeDtypeStruct((64, 8, 8, 64), jnp.float32), jax.ShapeDtypeStruct((4, 4, 64, 128), jnp.float32)

    def loss(w, x):
        return (convolution.conv_transpose(jnp.sin(convolution.conv(x, w, 2)), w, 2, (8, 8)) ** 2).sum()

    text = jax.export.export(jax.jit(jax.grad(loss)), platforms=[platform])(w, x).mlir_module()
    assert text.count("stablehlo.convolution") == convolutions
    assert (text.count("stablehlo.dot_general") == 0) == (platform != "cpu")
