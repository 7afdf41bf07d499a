from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.nn import convolution
from jaxgen.nn.conv import Conv, ConvTranspose
from jaxgen.nn.convolution import conv, conv_kernel, conv_transpose

KEY = jax.random.key(0)
CASES = [(kernel, stride, size) for kernel in (1, 2, 3, 4, 5) for stride in (1, 2, 3) for size in ((6, 6), (7, 5))]
CASES += [(7, 1, (6, 6)), (8, 4, (9, 8)), (9, 3, (7, 6)), (12, 4, (9, 8))]
SOME = [  # a kernel, stride and size of each kind; all of them take minutes
    case if number % 4 == 1 else pytest.param(*case, marks=pytest.mark.slow) for number, case in enumerate(CASES)
]


def triple(kernel, stride, size, channels=2, features=3, batch=2):
    keys = jax.random.split(KEY, 3)
    out = [-(-n // stride) for n in size]
    return (
        jax.random.normal(keys[0], (batch, *size, channels)),
        jax.random.normal(keys[1], (kernel, kernel, channels, features)),
        jax.random.normal(keys[2], (batch, *out, features)),
    )


@pytest.mark.parametrize(("kernel", "stride", "size"), CASES)
def test_the_three_are_adjoint_to_each_other(kernel, stride, size):
    @jax.jit
    def products(x, w, u):
        forward = (conv(x, w, stride) * u).sum()
        backward = (x * conv_transpose(u, w, stride, size)).sum()
        return forward, backward, (w * conv_kernel(x, u, stride, (kernel, kernel))).sum()

    forward, *others = products(*triple(kernel, stride, size))
    np.testing.assert_allclose(others, [forward, forward], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stock", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "size"), SOME)
def test_layers_equal_flax_forward_and_gradients(kernel, stride, size, stock):
    ours, theirs = (
        (ConvTranspose(3, kernel, stride), nn.ConvTranspose(3, (kernel,) * 2, (stride,) * 2))
        if stock
        else (Conv(3, kernel, stride), nn.Conv(3, (kernel,) * 2, (stride,) * 2))
    )
    x = jax.random.normal(KEY, (2, *size, 2))

    @jax.jit
    def found(x):
        def objective(params, x, layer):
            y = layer.apply(params, x)
            return jnp.sin(y).sum(), y

        starts = [layer.init(KEY, x) for layer in (ours, theirs)]
        slope = jax.grad(objective, argnums=(0, 1), has_aux=True)
        return starts, [slope(starts[0], x, layer) for layer in (ours, theirs)]

    (params, expected), ((gradient, y), (wanted, other)) = found(x)
    assert jax.tree.structure(params) == jax.tree.structure(expected)
    np.testing.assert_array_equal(params["params"]["kernel"], expected["params"]["kernel"])
    np.testing.assert_allclose(y, other, rtol=1e-4, atol=1e-5)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_second_derivatives_equal_flax():
    """A gradient penalty differentiates twice."""
    x = jax.random.normal(KEY, (2, 6, 6, 2))
    for ours, theirs in [
        (Conv(3, 4, 2), nn.Conv(3, (4, 4), (2, 2))),
        (ConvTranspose(3, 4, 2), nn.ConvTranspose(3, (4, 4), (2, 2))),
    ]:
        params = jax.jit(ours.init)(KEY, x)

        def penalty(params, layer):
            return (jax.grad(lambda x: jnp.sin(layer.apply(params, x)).sum())(x) ** 2).sum()

        second = jax.jit(jax.grad(penalty), static_argnums=1)
        for a, b in zip(*(jax.tree.leaves(second(params, layer)) for layer in (ours, theirs)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


def own(x, w, stride):
    """Lax's own convolution, which derives by itself."""
    return jax.lax.conv_general_dilated(x, w, (stride,) * 2, "SAME", dimension_numbers=convolution.FORWARD)


@pytest.fixture
def pieces(monkeypatch):
    """The CPU's forms for large arrays and many channels, whatever the size."""
    monkeypatch.setattr(convolution, "PHASED", 1)
    monkeypatch.setattr(convolution, "PIECE", 20)
    monkeypatch.setattr(convolution, "NARROW", 0)


@pytest.mark.parametrize(("kernel", "stride", "size"), SOME)
def test_all_three_equal_laxs_own_derivatives_to_second_order(kernel, stride, size, pieces):
    x, w, u = triple(kernel, stride, size, batch=3)

    def transposed(forward):
        return lambda u, w: jax.vjp(lambda x: forward(x, w, stride), x)[1](u)[0]

    def kernels(forward):
        return lambda x, u: jax.vjp(lambda w: forward(x, w, stride), w)[1](u)[0]

    def first(f):
        return lambda *a: (f(*a), jax.grad(lambda *a: jnp.sin(f(*a)).sum(), (0, 1))(*a))

    def second(f):
        def squares(*a):
            return sum((g**2).sum() for g in jax.grad(lambda *a: jnp.sin(f(*a)).sum(), (0, 1))(*a))

        return lambda *a: (first(f)(*a), jax.grad(squares, (0, 1))(*a))

    for make, arguments in [(lambda f: partial(f, stride=stride), (x, w)), (transposed, (u, w)), (kernels, (x, u))]:
        ours, theirs = (jax.jit(second(make(f)))(*arguments) for f in (conv, own))
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * (1 + np.abs(b).max()))


def test_a_batch_that_does_not_divide_is_cut_unevenly(monkeypatch):
    monkeypatch.setattr(convolution, "PIECE", 64)
    x, w, u = triple(4, 2, (6, 6), batch=7)
    ours = jax.jit(lambda x, u: conv_kernel(x, u, 2, (4, 4)))(x, u)
    np.testing.assert_allclose(ours, jax.vjp(lambda w: own(x, w, 2), w)[1](u)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("large", [True, False])
def test_convolutions_inside_a_loop_keep_the_order_that_the_cpu_runs_fast(large, request):
    if large:
        request.getfixturevalue("pieces")
    x, w, u = triple(4, 2, (8, 8))

    def many(x, w):
        def body(_, w):
            def loss(w, x):
                return (conv(x, w, 2) ** 2).sum() + (conv_transpose(u, w, 2, (8, 8)) ** 2).sum()

            return w - 1e-3 * jax.grad(loss, argnums=0)(w, x)

        return jax.lax.fori_loop(0, 3, body, w)

    text = jax.jit(many).lower(x, w).compile().as_text()
    labels = [line.split("dim_labels=")[1].split("}")[0] for line in text.splitlines() if " convolution(" in line]
    assert len(labels) >= 2
    assert all(label.startswith("b01f_01io->b01f") for label in labels)


def test_vmap_over_weights_equals_a_loop():
    x, w, _ = triple(3, 2, (6, 6))
    many = jnp.stack([w, 2 * w])
    gradient = jax.grad(lambda w: (conv(x, w, 2) ** 2).sum())
    np.testing.assert_allclose(
        jax.vmap(gradient)(many), jnp.stack([gradient(w), gradient(2 * w)]), rtol=1e-4, atol=1e-4
    )


def test_taps_of_few_channels_are_summed_in_full_in_half_precision():
    x, w, _ = triple(5, 1, (9, 9), channels=8)
    x, w = abs(x).astype(jnp.bfloat16), abs(w).astype(jnp.bfloat16)  # sums that grow lose digits on the way
    exact = own(x.astype(jnp.float32), w.astype(jnp.float32), 1)
    found = conv(x, w, 1)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), exact, rtol=2.0**-8)
