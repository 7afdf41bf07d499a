import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.data.order import Batches
from jaxgen.games.vq_vae import codes_of, vq_vae_game
from jaxgen.models.vae import BERNOULLI
from jaxgen.models.vq_vae import VQVAE, GridDecoder, GridEncoder
from jaxgen.nn.quantise import nearest
from jaxgen.parallel import compile_steps
from jaxgen.step import init, make_step
from tests.test_step import assert_same

KEY = jax.random.key(0)
MODEL = VQVAE(GridEncoder((4, 6), 3, blocks=1), GridDecoder((6, 4), (8, 8, 1), blocks=1), BERNOULLI)


def batch(size=16):
    return {"x": jax.random.bernoulli(KEY, 0.3, (size, 8, 8, 1)).astype(jnp.float32)}


def started(tx=None, **options):
    game = vq_vae_game(MODEL, tx or optax.sgd(0.0), codes=5, **options)
    return game, start(game, batch())


def start(game, data):
    return jax.jit(lambda: init(game, KEY, data))()


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (28, 28, 1)])
def test_networks_meet(shape):
    net = VQVAE(GridEncoder((4, 6), 3), GridDecoder((6, 4), shape), BERNOULLI)
    params, z = jax.eval_shape(net.init, KEY, jnp.zeros((2, *shape)))
    assert z.shape == (2, -(-shape[0] // 4), -(-shape[1] // 4), 3)
    assert jax.eval_shape(net.expect, params, z).shape == (2, *shape)


def test_the_loss_is_equation_three():
    game, state = started(weight=0.4, decay=None)
    x, codes = batch()["x"], codes_of(state)
    z = jax.jit(MODEL.encode)(state.params, x)
    code = codes[nearest(z, codes)]
    distance = ((z - code) ** 2).sum((1, 2, 3))
    expected = (1.4 * distance - jax.jit(MODEL.log_likelihood)(state.params, x, code)).mean()
    _, metrics = jax.jit(make_step(game))(state, batch())
    np.testing.assert_allclose(metrics["vq_vae/loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["vq_vae/commitment"], distance.mean(), rtol=1e-5)


def test_every_network_gets_a_gradient_and_the_commitment_alone_reaches_only_the_encoder():
    game, state = started(decay=None)
    gradient = jax.jit(jax.grad(lambda p: game.phases[0].loss(p, state, batch(), KEY)[0]["vq_vae"]))(state.params)
    assert set(gradient) == {"encoder", "decoder", "codebook"}
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert (leaf != 0).any(), jax.tree_util.keystr(path)


def test_learned_codes_step_towards_their_vectors():
    """Down |sg(z) - e|^2 by gradient descent: e - 2 rate sum (e - z) / batch."""
    game, state = started(optax.sgd(0.1), decay=None)
    codes = codes_of(state)
    z = jax.jit(MODEL.encode)(state.params, batch()["x"])
    index = nearest(z, codes)
    after, _ = jax.jit(make_step(game))(state, batch())
    for k in range(5):
        step = (codes[k].reshape(1, -1) - z[index == k]).sum(0) * 2 / 16
        np.testing.assert_allclose(codes_of(after)[k], codes[k] - 0.1 * step, rtol=1e-4, atol=1e-5)


def test_without_memory_the_codes_of_a_step_are_the_means_of_their_vectors():
    game, state = started(decay=0.0)
    z = jax.jit(MODEL.encode)(state.params, batch()["x"])
    index = nearest(z, codes_of(state))
    after, _ = jax.jit(make_step(game))(state, batch())
    for k in range(5):
        np.testing.assert_allclose(codes_of(after)[k], z[index == k].mean(0), rtol=1e-4, atol=1e-5)


def play(game, **how):
    data, index = batch(64), Batches(KEY, 64, 32).indices(0, 6)
    compiled = compile_steps(game, **how)
    state = compiled.place(start(game, data))
    return jax.device_get(compiled.run(state, compiled.place(data), index, index, len(index)))


@pytest.mark.parametrize("how", ["jit", "pmap"])
@pytest.mark.parametrize("decay", [None, pytest.param(0.9, marks=pytest.mark.slow)])
def test_eight_devices_equal_one(how, decay):
    game = vq_vae_game(MODEL, optax.sgd(1e-3), codes=5, decay=decay)
    assert_same(play(game, devices=8, how=how), play(game), rtol=1e-3, atol=1e-4)


def test_restarts_bring_dead_codes_to_life():
    game, state = started(optax.sgd(1e-3), restart=0.3, decay=0.5)
    book = state.extra["codebook"]
    far = book._replace(codes=book.codes.at[1:].add(1e3), count=jnp.full(5, 1.0), total=book.total.at[1:].add(1e3))
    state = state.replace(extra={"codebook": far})
    step = jax.jit(make_step(game))
    _, first = step(state, batch())
    for _ in range(12):
        state, metrics = step(state, batch())
    assert first["vq_vae/perplexity"] == 1.0
    assert metrics["vq_vae/perplexity"] > 1.8
    assert jnp.isfinite(codes_of(state)).all()
