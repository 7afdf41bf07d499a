"""What every bijector owes, from one table of constructors."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.chain import Chain, Inverse, Repeat
from jaxgen.bijectors.coupling import Coupling, MaskedCoupling, alternate, checkerboard, other
from jaxgen.bijectors.elementwise import additive, affine, sigmoid_scale
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.multiscale import MultiScale
from jaxgen.bijectors.scaling import Scaling
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.models.coupling_flows import glow, image_realnvp, nice, vector_flow
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner, ResidualConditioner

DENSE = partial(DenseConditioner, hidden=(8,), activation=nn.tanh, param_dtype=jnp.float64)
CONV = partial(ConvConditioner, width=6, activation=nn.tanh, param_dtype=jnp.float64)
RESIDUAL = partial(ResidualConditioner, width=4, blocks=1, activation=nn.tanh, param_dtype=jnp.float64)
VECTOR, ODD, IMAGE = (4,), (5,), (4, 4, 2)

TABLE = {
    "actnorm of vectors": (ActNorm(), VECTOR),
    "actnorm of images": (ActNorm(), IMAGE),
    "linear": (Linear(), ODD),
    "1x1 convolution": (Linear(), IMAGE),
    "scaling": (Scaling(), VECTOR),
    "additive coupling": (Coupling(DENSE, additive()), VECTOR),
    "affine coupling, tanh": (Coupling(DENSE, affine()), ODD),
    "affine coupling, flipped": (Coupling(DENSE, affine(), flip=True), ODD),
    "affine coupling, shifted last": (Coupling(DENSE, affine(shift_first=False)), ODD),
    "affine coupling, sigmoid": (Coupling(DENSE, affine(sigmoid_scale)), VECTOR),
    "coupling of channels": (Coupling(CONV, affine()), IMAGE),
    "alternate mask": (MaskedCoupling(DENSE, affine(), alternate), ODD),
    "checkerboard": (MaskedCoupling(RESIDUAL, affine(), checkerboard), IMAGE),
    "the other checkerboard": (MaskedCoupling(CONV, affine(), other(checkerboard)), IMAGE),
    "squeeze": (Squeeze(), IMAGE),
    "chain": (Chain([ActNorm(), Linear(), Coupling(DENSE, affine())]), VECTOR),
    "inverse": (Inverse(Scaling()), VECTOR),
    "repeat": (Repeat(Chain([ActNorm(), Coupling(DENSE, affine())]), 3), VECTOR),
    "multi-scale": (MultiScale([Chain([Squeeze(), ActNorm()]), Squeeze()], IMAGE), IMAGE),
    "NICE": (nice(DENSE), ODD),
    "RealNVP of vectors": (vector_flow(DENSE, affine(), layers=4, mix=True), ODD),
    "RealNVP of images": (image_realnvp(CONV, IMAGE, levels=2), IMAGE),
    "Glow": (glow(CONV, IMAGE, levels=2, depth=2), IMAGE),
}
LONG = ("RealNVP of images", "Glow", "RealNVP of vectors", "the other checkerboard", "coupling of channels")
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in TABLE]
CONDITIONED = {
    "dense": (Coupling(DENSE, affine()), VECTOR, (3,)),
    "vector for images": (Coupling(CONV, affine()), IMAGE, (3,)),
    "image for images": (Coupling(RESIDUAL, affine()), IMAGE, (8, 8, 1)),
    "Glow": (glow(CONV, IMAGE, levels=2, depth=2), IMAGE, (3,)),
    "repeat": (Repeat(Coupling(DENSE, affine()), 2), VECTOR, (3,)),
}


def made(bijector, shape, condition=None, batch=3):
    """Return float64 parameters away from their start, and data."""
    x = jax.random.normal(jax.random.key(1), (batch, *shape), jnp.float64)
    if condition is not None:
        condition = jax.random.normal(jax.random.key(2), (batch, *condition), jnp.float64)
    params = bijector.init(jax.random.key(3), x, condition).get("params", {})
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(4), max(len(leaves), 1))
    moved = [a + 0.4 * jax.random.normal(k, a.shape, a.dtype) for a, k in zip(leaves, keys, strict=False)]
    return {"params": jax.tree.unflatten(tree, moved)}, x, condition


def log_dets(function, x, *rest):
    """Return log|det| [B] of the Jacobians of x [B, ...] -> [B, ...], one example at a time."""

    def one(x, *rest):
        return function(x[None], *(r[None] for r in rest))[0].reshape(-1)

    jacobian = jax.vmap(jax.jacrev(one))(x, *rest)
    size = x[0].size
    return np.linalg.slogdet(np.asarray(jacobian).reshape(len(x), size, size))[1]


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_inverse_undoes_forward_and_its_log_det(name):
    bijector, shape = TABLE[name]
    variables, x, _ = made(bijector, shape)
    y, log_det = bijector.apply(variables, x)
    back, other_log_det = bijector.apply(variables, y, method="inverse")
    chex.assert_shape([log_det, other_log_det], (len(x),))
    chex.assert_trees_all_close(back, x, atol=1e-9)
    chex.assert_trees_all_close(other_log_det, -log_det, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_log_det_is_that_of_the_jacobian_both_ways(name):
    bijector, shape = TABLE[name]
    variables, x, _ = made(bijector, shape)
    y, log_det = bijector.apply(variables, x)
    chex.assert_trees_all_close(log_dets(lambda x: bijector.apply(variables, x)[0], x), log_det, atol=1e-8)
    inverse = partial(bijector.apply, variables, method="inverse")
    chex.assert_trees_all_close(log_dets(lambda y: inverse(y)[0], y), -log_det, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name):
    bijector, shape = TABLE[name]
    variables, x, _ = made(bijector, shape)

    def loss(variables):
        y, log_det = bijector.apply(variables, x)
        return (jnp.sin(y) ** 2).sum() + (log_det**2).sum()

    for path, gradient in jax.tree.leaves_with_path(jax.grad(loss)(variables)):
        learned = path[-1].key not in ("order", "sign")
        assert np.isfinite(gradient).all()
        assert bool(np.any(np.asarray(gradient) != 0)) == learned, jax.tree_util.keystr(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_compiled_is_eager_and_the_rest_of_the_batch_is_nobodys_business(name):
    bijector, shape = TABLE[name]
    variables, x, _ = made(bijector, shape)
    y, log_det = bijector.apply(variables, x)
    chex.assert_trees_all_close(jax.jit(bijector.apply)(variables, x), (y, log_det), atol=1e-9)
    chex.assert_trees_all_close(bijector.apply(variables, x[:1]), (y[:1], log_det[:1]), atol=1e-9)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "Glow" else n for n in CONDITIONED])
def test_conditions(name):
    bijector, shape, condition_shape = CONDITIONED[name]
    variables, x, condition = made(bijector, shape, condition_shape)
    y, log_det = bijector.apply(variables, x, condition)
    back, other_log_det = bijector.apply(variables, y, condition, method="inverse")
    chex.assert_trees_all_close((back, other_log_det), (x, -log_det), atol=1e-9)
    chex.assert_trees_all_close(log_dets(lambda x, c: bijector.apply(variables, x, c)[0], x, condition), log_det)
    moved = bijector.apply(variables, x, condition[::-1])[0]
    assert np.abs(moved - y).max() > 1e-3


def test_actnorm_whitens_its_first_batch_in_a_loop_too():
    x = 3 + 5 * jax.random.normal(jax.random.key(0), (64, 4, 4, 3))
    variables = ActNorm().init(jax.random.key(1), x)
    y = ActNorm().apply(variables, x)[0]
    chex.assert_trees_all_close((y.mean((0, 1, 2)), y.std((0, 1, 2))), (np.zeros(3), np.ones(3)), atol=1e-5)
    step = Chain([Linear(), ActNorm()])
    loop = Repeat(step, 3)
    layers = loop.init(jax.random.key(1), x)["params"]["layers"]
    for number in range(3):  # each starts from what the started ones before it make of the data
        x = step.apply({"params": jax.tree.map(lambda a, n=number: a[n], layers)}, x)[0]
        chex.assert_trees_all_close((x.mean((0, 1, 2)), x.std((0, 1, 2))), (np.zeros(3), np.ones(3)), atol=1e-4)


def test_actnorm_starts_the_same_on_a_batch_spread_over_devices():
    x = jax.random.normal(jax.random.key(0), (16, 4), jnp.float32) * 3 + 1
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("d",))
    spread = jax.device_put(x, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("d")))
    start = jax.jit(ActNorm().init)
    chex.assert_trees_all_close(start(jax.random.key(1), spread), start(jax.random.key(1), x), rtol=1e-5)


def test_linear_is_its_factors_and_starts_as_a_rotation():
    x = jnp.eye(5)
    variables = Linear().init(jax.random.key(0), x)
    weight = np.asarray(Linear().apply(variables, x)[0]).T  # column j is W e_j
    np.testing.assert_allclose(weight @ weight.T, np.eye(5), atol=1e-9)
    p = variables["params"]
    p = {**p, "log_diagonal": p["log_diagonal"] + 0.3, "below": p["below"] + 0.1, "above": p["above"] - 0.2}
    lower = np.tril(p["below"], -1) + np.eye(5)
    upper = np.triu(p["above"], 1) + np.diag(np.sign(p["sign"]) * np.exp(p["log_diagonal"]))
    permutation = np.eye(5)[np.argsort(p["order"])]
    weight = np.asarray(Linear().apply({"params": p}, x)[0]).T
    np.testing.assert_allclose(weight, permutation @ lower @ upper, atol=1e-9)
    assert sorted(map(tuple, permutation)) == sorted(map(tuple, np.eye(5)))


def test_couplings_leave_the_kept_half_as_it_is():
    for flip in (False, True):
        bijector = Coupling(DENSE, affine(), flip=flip)
        variables, x, _ = made(bijector, VECTOR)
        y = bijector.apply(variables, x)[0]
        kept = np.s_[:, 2:] if flip else np.s_[:, :2]
        np.testing.assert_array_equal(y[kept], x[kept])
        assert (np.asarray(y != x).sum(1) == 2).all()
    bijector = MaskedCoupling(CONV, affine(), checkerboard)
    variables, x, _ = made(bijector, IMAGE)
    mask = checkerboard(IMAGE)
    y = np.asarray(bijector.apply(variables, x)[0])
    np.testing.assert_array_equal(y[:, mask], x[:, mask])
    assert (y[:, ~mask] != np.asarray(x)[:, ~mask]).all()


def test_a_coupling_starts_as_the_identity():
    x = jax.random.normal(jax.random.key(1), (3, 4))
    for bijector in (Coupling(DENSE, affine()), Coupling(DENSE, additive())):
        y, log_det = bijector.apply(bijector.init(jax.random.key(0), x), x)
        chex.assert_trees_all_close((y, log_det), (x, jnp.zeros(3)), atol=1e-12)


def test_squeeze_puts_squares_into_channels():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    y = Squeeze().apply({}, x)[0]
    np.testing.assert_array_equal(y[0, 0, 1], [2, 3, 6, 7])


@pytest.mark.parametrize(
    ("bijector", "shape", "words"),
    [
        (Squeeze(), (3, 4, 1), r"even height and width, got \(2, 3, 4, 1\)"),
        (Squeeze(), (4,), "images"),
        (Coupling(DENSE, affine()), (1,), "two numbers"),
        (MaskedCoupling(DENSE, affine(), lambda shape: np.ones(shape)), (4,), "all kept"),
        (MaskedCoupling(DENSE, affine(), lambda shape: np.zeros(shape)), (4,), "all changed"),
        (MaskedCoupling(DENSE, affine(), lambda shape: np.ones(3)), (4,), "another shape"),
        (Inverse(ActNorm()), (4,), "through forward"),
        (Inverse(Repeat(ActNorm(), 2)), (4,), "through forward"),
        (MultiScale([ActNorm(), Squeeze()], (4, 4, 2)), (4, 4, 2), "squeeze"),
        (MultiScale([Squeeze()], (8, 8, 2)), (4, 4, 2), "of shape"),
        (Coupling(CONV, affine()), (4, 2), "images"),
    ],
)
def test_what_cannot_be(bijector, shape, words):
    with pytest.raises(ValueError, match=words):
        bijector.init(jax.random.key(0), jnp.ones((2, *shape)))


def test_flows_that_cannot_be():
    with pytest.raises(ValueError, match="pairs, got 3"):
        vector_flow(DENSE, affine(), layers=3)
    with pytest.raises(ValueError, match="8 divides"):
        glow(CONV, (12, 12, 3), levels=3)
    with pytest.raises(ValueError, match="at least one level"):
        image_realnvp(CONV, (4, 4, 3), levels=0)
    with pytest.raises(ValueError, match="at least one bijector"):
        Chain([])
