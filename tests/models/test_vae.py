import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.common.latent import model
from experiments.common.view import View
from experiments.vae import Config, build
from jaxgen.data import Dataset, load
from jaxgen.games.vae import vae_game, warm_up
from jaxgen.nn.conv import ConvTower, DeconvTower
from jaxgen.step import init, make_step

KEY = jax.random.key(0)


def view_of(shape, likelihood):
    """Return the view of a data set of nothing but a shape."""
    rows = {"image": np.zeros((2, *shape), np.uint8)} if len(shape) == 3 else {"x": np.zeros((2, *shape), np.float32)}
    data = Dataset("toy", rows, rows, rows, source="zeros", levels=256 if len(shape) == 3 else None)
    return View(data, likelihood, "dynamic")


@pytest.mark.parametrize(
    ("network", "likelihood", "shape"),
    [
        ("mlp", "gaussian", (7, 10, 3)),
        ("mlp", "bernoulli", (8, 8, 1)),
        ("conv", "gaussian", (8, 8, 1)),
        *(("conv", "bernoulli", shape) for shape in [(8, 8, 1), (25, 25, 1), (7, 10, 3)]),  # halved evenly and not
    ],
)
def test_networks_fit_any_image_and_every_parameter_gets_a_gradient(network, likelihood, shape):
    config = Config(network=network, hidden=(12,), channels=(3, 4), latent=5)
    vae = model(config, view_of(shape, likelihood))
    x = jax.random.uniform(KEY, (3, *shape))

    @jax.jit
    def everything(x):
        params = vae.init(KEY, x)
        code = vae.encode(params, x)
        gradient = jax.grad(lambda p: vae.log_weights(p, x)(KEY, 2).sum())(params)
        return code, vae.expect(params, code[0]), gradient

    (mean, log_scale), back, gradient = everything(x)
    assert mean.shape == log_scale.shape == (3, 5)
    assert back.shape == x.shape
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert (leaf != 0).any(), jax.tree_util.keystr(path)


def test_a_fixed_scale_is_no_parameter():
    fixed, learned = (
        jax.eval_shape(model(config, view_of((4,), "gaussian")).init, KEY, jnp.zeros((1, 4)))
        for config in (Config(scale=0.3), Config())
    )
    assert "log_scale" not in fixed["decoder"]["params"]
    assert learned["decoder"]["params"]["log_scale"].shape == ()


@pytest.mark.parametrize("size", [(5, 5), (8, 8), (25, 25), (28, 28)])
def test_towers_meet(size):
    there, back = ConvTower((4, 6)), DeconvTower((6, 4), size)
    flat, _ = jax.eval_shape(there.init_with_output, KEY, jnp.zeros((2, *size, 1)))
    assert flat.shape == (2, -(-size[0] // 4) * -(-size[1] // 4) * 6)
    image, _ = jax.eval_shape(back.init_with_output, KEY, jnp.zeros((2, 3)))
    assert image.shape == (2, *size, 4)


def game_and_state(beta=lambda step: 1.0, free_nats=0.0):
    vae = model(Config(hidden=(8,), latent=3), view_of((4, 4, 1), "bernoulli"))
    game = vae_game(vae, optax.sgd(0.0), beta=beta, free_nats=free_nats)
    batch = {"x": jax.random.bernoulli(KEY, 0.5, (6, 4, 4, 1)).astype(jnp.float32)}
    return game, init(game, KEY, batch), batch


def test_the_loss_is_minus_the_elbo_at_beta_one():
    game, state, batch = game_and_state()
    _, metrics = jax.jit(make_step(game))(state, batch)
    np.testing.assert_allclose(metrics["vae/loss"], -metrics["vae/elbo"], rtol=1e-6)
    np.testing.assert_allclose(metrics["vae/elbo"], metrics["vae/log_likelihood"] - metrics["vae/kl"], rtol=1e-5)


def test_beta_weighs_the_kl_and_warms_up():
    game, state, batch = game_and_state(beta=warm_up(4.0, 10))
    play = jax.jit(make_step(game))
    for step, beta in [(0, 0.4), (4, 2.0), (9, 4.0), (100, 4.0)]:
        _, metrics = play(state.replace(step=jnp.int32(step)), batch)
        expected = beta * metrics["vae/kl"] - metrics["vae/log_likelihood"]
        np.testing.assert_allclose(metrics["vae/loss"], expected, rtol=1e-5)
    assert warm_up(2.0, 0)(jnp.int32(0)) == 2.0


@pytest.mark.slow
def test_the_vae_step_equals_eager_and_scan_equals_steps():
    from jaxgen.parallel import many_steps, take
    from tests.test_step import assert_same

    vae = model(Config(hidden=(8,), latent=3), view_of((8, 8, 1), "bernoulli"))
    game = vae_game(vae, optax.adam(1e-2))
    data = load("digits")

    def prepare(key, batch):
        return {"x": View(data, "bernoulli", "dynamic").see("train", key, batch)}

    arrays = jax.device_put({"image": data.train["image"][:40]})
    indices = jnp.arange(40, dtype=jnp.int32).reshape(4, 10)
    state = init(game, KEY, prepare(KEY, take(arrays, indices[0], indices[0])))
    step = make_step(game, prepare=prepare)
    many, _ = jax.jit(many_steps(step))(state, arrays, indices, indices, 4)
    compiled, eager = state, state
    for i in range(4):
        compiled, _ = jax.jit(step)(compiled, take(arrays, indices[i], indices[i]))
        with jax.disable_jit():
            eager, _ = step(eager, take(arrays, indices[i], indices[i]))
    assert_same(many, compiled, rtol=1e-4, atol=1e-6)
    assert_same(compiled, eager, rtol=1e-3, atol=1e-5)


def test_dynamic_binarisation_is_redrawn_each_time_and_the_test_set_is_frozen():
    data = load("digits")
    batch = {"image": data.train["image"][:50], "index": jnp.arange(50)}

    def seen(binarise, part, key):
        return np.asarray(View(data, "bernoulli", binarise).see(part, jax.random.key(key), batch))

    assert (seen("dynamic", "train", 0) != seen("dynamic", "train", 1)).mean() > 0.05
    assert set(np.unique(seen("dynamic", "train", 0))) == {0.0, 1.0}
    for binarise, part in [("static", "train"), ("dynamic", "test"), ("dynamic", "validation"), ("threshold", "train")]:
        np.testing.assert_array_equal(seen(binarise, part, 0), seen(binarise, part, 1))
    drawn = np.mean([seen("dynamic", "train", key) for key in range(200)], axis=0)
    assert abs(drawn - batch["image"] / 16).mean() < 0.03


def test_a_step_of_training_draws_new_bits_each_epoch():
    experiment = build(Config(data="digits", hidden=(4,), steps=2))
    batch = {"image": jnp.asarray(experiment.data.train["image"][:20]), "index": jnp.arange(20)}
    drawn = [np.asarray(experiment.prepare(jax.random.key(epoch), batch)["x"]) for epoch in range(2)]
    assert (drawn[0] != drawn[1]).any()


def test_activation_is_used():
    tower = ConvTower((2,), nn.tanh)
    out, _ = tower.init_with_output(KEY, 100 * jax.random.normal(KEY, (1, 4, 4, 1)))
    assert abs(out).max() <= 1.0
