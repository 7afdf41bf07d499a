import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.left_out import LEFT_OUT, kept, left_out_game
from jaxgen.games.vae import vae_game
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.mlp import MLP
from jaxgen.parallel import compile_steps
from jaxgen.step import init, make_step

KEY = jax.random.key(0)
LABEL = jnp.array([0, 2, 1, 2, 0, 1, 1, 0], jnp.int32)


def made():
    vae = VAE(Encoder(MLP((4,), jnp.tanh), 2), Decoder(MLP((4,), jnp.tanh), (2, 2, 1)), BERNOULLI, 2)
    x = jax.random.bernoulli(KEY, 0.4, (8, 2, 2, 1)).astype(jnp.float32)
    return vae, {"x": x, "label": LABEL}


def start(game, batch):
    return jax.jit(lambda: init(game, KEY, batch))()


def steps(game, batch, count=3):
    state, step = start(game, batch), jax.jit(make_step(game))
    for _ in range(count):
        state, metrics = step(state, batch)
    return state, metrics


def test_leaving_out_a_class_that_is_not_there_is_the_vaes_own_game():
    vae, batch = made()
    tx = optax.adam(1e-2)
    own, measured = steps(left_out_game(vae, tx, left_out=7.0), batch)
    plain, elbo = steps(vae_game(vae, tx), batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), own.params, plain.params)
    np.testing.assert_allclose(measured["vae/elbo"], elbo["vae/elbo"], rtol=1e-5)
    np.testing.assert_allclose(measured["vae/kl"], elbo["vae/kl"], rtol=1e-5)


@pytest.mark.parametrize("left_out", [0.0, 2.0])
def test_examples_of_the_class_change_nothing_and_the_mean_is_of_the_others(left_out):
    vae, batch = made()
    game = left_out_game(vae, optax.sgd(0.1), left_out=left_out)
    other = {**batch, "x": jnp.where((left_out == LABEL).reshape(-1, 1, 1, 1), 1 - batch["x"], batch["x"])}
    (one, _), (two, _) = steps(game, batch), steps(game, other)
    jax.tree.map(np.testing.assert_array_equal, one.params, two.params)
    assert one.extra[LEFT_OUT] == left_out

    state = start(game, batch)
    assert any(jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).any(), one.params, state.params)))
    phase, key = game.phases[0], jax.random.key(4)

    @jax.jit
    def both(params):
        mean, log_scale = vae.encode(params, batch["x"])
        z = mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)
        kl = (0.5 * (mean**2 + jnp.exp(2 * log_scale) - 1) - log_scale).sum(-1)
        bound = BERNOULLI.log_likelihood(batch["x"], vae.decode(params, z)) - kl
        return phase.loss(params, state, batch, key)[0]["vae"], bound

    loss, bound = both(state.params)
    np.testing.assert_allclose(loss, -bound[left_out != LABEL].mean(), rtol=1e-5)


def test_a_batch_of_nothing_else_has_no_loss_and_moves_nothing():
    vae, batch = made()
    game = left_out_game(vae, optax.sgd(0.1), left_out=1.0)
    state, metrics = steps(game, {**batch, "label": jnp.ones(8, jnp.int32)})
    assert metrics["vae/loss"] == 0
    jax.tree.map(np.testing.assert_array_equal, state.params, start(game, batch).params)
    np.testing.assert_array_equal(kept(LABEL, 2.0), [1, 0, 1, 0, 1, 1, 1, 1])


def test_models_of_all_classes_at_once_are_those_of_each_class_alone():
    vae, batch = made()
    classes = jnp.arange(3.0)

    def variant(options):
        return left_out_game(vae, optax.adam(1e-2), left_out=options[LEFT_OUT])

    states = jax.vmap(lambda c: init(variant({LEFT_OUT: c}), KEY, batch))(classes)
    together = jax.jit(jax.vmap(lambda state, c: make_step(variant({LEFT_OUT: c}))(state, batch)[0], in_axes=(0, 0)))
    for _ in range(3):
        states = together(states, classes)
    np.testing.assert_array_equal(states.extra[LEFT_OUT], classes)
    for c in range(3):
        alone, _ = steps(variant({LEFT_OUT: float(c)}), batch)
        jax.tree.map(
            lambda a, b, c=c: np.testing.assert_allclose(a[c], b, rtol=1e-4, atol=1e-6), states.params, alone.params
        )


def test_the_mean_over_devices_is_that_of_all_kept_examples_however_they_are_dealt():
    vae, batch = made()
    # Deterministic: a posterior without noise, for pmap draws other noise on each device.
    quiet = VAE(vae.encoder, vae.decoder, BERNOULLI, 2)
    game = left_out_game(quiet, optax.sgd(0.1), left_out=2.0)
    data = {"x": batch["x"], "label": jnp.sort(LABEL)}  # one device gets both of class 2
    rows = np.arange(8, dtype=np.int32).reshape(1, 8)

    def narrow(state):
        encoder = state.params["encoder"]["params"]
        last = encoder["Dense_0"]
        cut = {"kernel": last["kernel"].at[:, 2:].set(0), "bias": jnp.array([0.0, 0.0, -25.0, -25.0])}
        return state.replace(params={**state.params, "encoder": {"params": {**encoder, "Dense_0": cut}}})

    ends = []
    for how, devices in (("jit", 1), ("pmap", 4), ("jit", 2)):
        compiled = compile_steps(game, devices=devices, how=how)
        state = compiled.place(narrow(start(game, data)))
        ends.append(compiled.run(state, compiled.place(data), rows, rows, 1))
    for state, metrics in ends[1:]:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), state.params, ends[0][0].params
        )
        np.testing.assert_allclose(metrics["vae/loss"], ends[0][1]["vae/loss"], rtol=1e-5)
