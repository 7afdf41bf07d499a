"""How bijectors start, what each is in particular, and what cannot be; the laws of all of them: test_laws.py."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.chain import Chain, Inverse, Repeat
from jaxgen.bijectors.coupling import Coupling, MaskedCoupling, checkerboard
from jaxgen.bijectors.elementwise import additive, affine
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.multiscale import MultiScale
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.games.flow import flow_game
from jaxgen.models.coupling_flows import glow, image_realnvp, vector_flow
from jaxgen.models.flow import LOGISTIC, Flow
from jaxgen.nn.conditioner import ConvConditioner, DenseConditioner
from jaxgen.parallel import compile_steps
from jaxgen.step import init
from tests.bijectors.laws import made

DENSE = partial(DenseConditioner, hidden=(8,), activation=nn.tanh, param_dtype=jnp.float64)
CONV = partial(ConvConditioner, width=6, activation=nn.tanh, param_dtype=jnp.float64)
VECTOR, IMAGE = (4,), (4, 4, 2)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


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


def test_actnorm_trains_alike_on_one_device_and_on_many():
    """From what the whole first batch makes of it: where each device has a part, not from its part."""
    x = jnp.arange(1.0, 33.0, dtype=jnp.float32).reshape(16, 2) ** 2  # the parts have means of their own
    game = flow_game(Flow(Chain([ActNorm(), ActNorm()]), (2,), LOGISTIC), optax.sgd(0.1))
    index = np.arange(16)[None].repeat(3, 0)
    found = []
    for how in ({}, {"devices": 8}, {"devices": 8, "how": "pmap"}):
        compiled = compile_steps(game, **how)
        state, metrics = compiled.run(
            *compiled.place((init(game, jax.random.key(1), {"x": x}), {"x": x})), index, index, 3
        )
        found.append(jax.device_get((state.params, metrics)))
    start = init(game, jax.random.key(1), {"x": x}).params["flow"]["parts_0"]
    chex.assert_trees_all_close(start["location"], x.mean(0), rtol=1e-5)
    assert np.abs(found[0][0]["flow"]["parts_0"]["log_scale"] - start["log_scale"]).min() > 1e-3
    for several in found[1:]:
        chex.assert_trees_all_close(several, found[0], rtol=1e-4, atol=1e-5)


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
