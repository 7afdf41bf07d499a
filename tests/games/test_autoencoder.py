"""Autoencoders side by side: each learns as it would alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.data import corrupt
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of, penalised, reconstruct
from jaxgen.losses.reconstruction import squared_error
from jaxgen.models.autoencoder import Autoencoder, CodeEncoder, mlp_autoencoder
from jaxgen.models.vae import Decoder
from jaxgen.nn.mlp import MLP
from jaxgen.nn.noise import NoisyMLP
from jaxgen.step import init, make_step
from tests.test_step import assert_same

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (6, 5))
LINEAR, DEEP = mlp_autoencoder((5,), (), 2), mlp_autoencoder((5,), (4,), 3, activation=jnp.tanh)


def trainees():
    return {
        "linear": Trainee(LINEAR, reconstruct(LINEAR, squared_error), optax.sgd(0.1)),
        "deep": Trainee(DEEP, reconstruct(DEEP, squared_error), optax.adam(0.1)),
    }


def test_the_loss_of_each_is_the_mean_error_of_its_own_reconstruction():
    game = autoencoder_game(trainees())
    state = init(game, KEY, {"x": X})
    _, metrics = make_step(game)(state, {"x": X})
    for name, model in {"linear": LINEAR, "deep": DEEP}.items():
        own = params_of(name, state.params)
        expected = ((X - model.reconstruct(own, X)) ** 2).sum(1).mean()
        np.testing.assert_allclose(metrics[f"{name}/loss"], expected, rtol=1e-5)


def test_a_step_moves_each_by_its_own_gradient_alone():
    game = autoencoder_game(trainees())
    state = init(game, KEY, {"x": X})
    after, _ = jax.jit(make_step(game))(state, {"x": X})
    own = params_of("linear", state.params)
    gradient = jax.grad(lambda p: squared_error(X, LINEAR.reconstruct(p, X)).mean())(own)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, own, gradient)
    assert_same(params_of("linear", after.params), expected, rtol=1e-5, atol=1e-7)


def test_company_changes_nothing():
    """The first of two autoencoders learns what it learns alone: from its own key, on the same batches."""
    alone, both = autoencoder_game({"linear": trainees()["linear"]}), autoencoder_game(trainees())
    states = [init(game, KEY, {"x": X}) for game in (alone, both)]
    for _ in range(3):
        states = [make_step(game)(s, {"x": X})[0] for game, s in zip((alone, both), states, strict=True)]
    assert_same(*(params_of("linear", state.params) for state in states), rtol=1e-6, atol=1e-7)


def test_equal_models_start_apart():
    game = autoencoder_game({"a": trainees()["deep"], "b": trainees()["deep"]})
    params = init(game, KEY, {"x": X}).params
    kernels = [params[f"{name}/encoder"]["params"]["trunk"]["Dense_0"]["kernel"] for name in "ab"]
    assert (kernels[0] != kernels[1]).any()


def test_the_error_is_against_the_clean_x():
    params = LINEAR.init(KEY, X)
    objective = reconstruct(LINEAR, squared_error, lambda key, x: jnp.zeros_like(x))
    expected = squared_error(X, LINEAR.reconstruct(params, jnp.zeros_like(X)))
    np.testing.assert_allclose(objective(params, X, KEY), expected, rtol=1e-6)


def test_every_step_is_corrupted_anew():
    objective = reconstruct(LINEAR, squared_error, partial(corrupt.masking, level=0.5))
    game = autoencoder_game({"linear": Trainee(LINEAR, objective, optax.sgd(0.0))})
    state = init(game, KEY, {"x": X})
    losses = []
    for _ in range(3):
        state, metrics = make_step(game)(state, {"x": X})
        losses.append(float(metrics["linear/loss"]))
    assert len(set(losses)) == 3


def noisy(level):
    return Autoencoder(CodeEncoder(NoisyMLP((4,), partial(corrupt.gaussian, level=level)), 3), Decoder(MLP((4,)), (5,)))


def test_noise_within_layers_is_of_training_only():
    model, plain = noisy(0.5), Autoencoder(CodeEncoder(MLP((4,)), 3), Decoder(MLP((4,)), (5,)))
    params = model.init(KEY, X)
    assert_same(params, plain.init(KEY, X))  # the same network, noise or none
    np.testing.assert_array_equal(model.encode(params, X), plain.encode(params, X))
    objective = reconstruct(model, squared_error)
    errors = [objective(params, X, jax.random.key(i)) for i in range(2)]
    assert (errors[0] != errors[1]).any()
    assert (errors[0] != squared_error(X, model.reconstruct(params, X))).any()


def test_noise_of_no_strength_is_no_noise():
    model = noisy(0.0)
    params = model.init(KEY, X)
    expected = squared_error(X, model.reconstruct(params, X))
    np.testing.assert_allclose(reconstruct(model, squared_error)(params, X, KEY), expected, rtol=1e-6)


def test_a_penalty_is_added_by_its_weight():
    plain = reconstruct(LINEAR, squared_error)
    params = LINEAR.init(KEY, X)
    total = penalised(plain, lambda params, x, key: x.sum(1), 3.0)(params, X, KEY)
    np.testing.assert_allclose(total, plain(params, X, KEY) + 3 * X.sum(1), rtol=1e-6)
