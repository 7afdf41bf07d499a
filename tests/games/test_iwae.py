import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.iwae import doubly, iwae_game, plain
from jaxgen.games.vae import warm_up
from jaxgen.losses.bounds import doubly_reparameterised, importance_weighted
from jaxgen.models.vae import BERNOULLI, VAE, Decoder, Encoder
from jaxgen.nn.mlp import MLP
from jaxgen.step import init, make_step

KEY = jax.random.key(0)


def made():
    vae = VAE(Encoder(MLP((3,), jnp.tanh), 2), Decoder(MLP((3,), jnp.tanh), (2, 2, 1)), BERNOULLI, 2)
    x = jnp.array([1.0, 0.0, 1.0, 1.0]).reshape(1, 2, 2, 1)
    params = jax.jit(
        lambda x: jax.tree.map(lambda a: a + 0.5 * jax.random.normal(jax.random.key(a.size), a.shape), vae.init(KEY, x))
    )(x)
    return vae, params, x


def fitted():
    """Return a VAE after some steps on two patterns: a posterior that means something, not yet the best."""
    vae, params, _ = made()
    x = jnp.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]]).reshape(2, 2, 2, 1)
    game = iwae_game(vae, optax.adam(3e-2), k=8)
    state = init(game, KEY, {"x": x}).replace(params=params)
    step = make_step(game)
    state, _ = jax.jit(lambda state: jax.lax.scan(lambda state, _: step(state, {"x": x}), state, length=60))(state)
    return vae, state.params, x


def test_both_bounds_have_the_same_value():
    vae, params, x = made()
    one, two = (jax.jit(lambda p, b=bound: b(vae, p, x, KEY, 7))(params) for bound in (plain, doubly))
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_the_doubly_reparameterised_gradient_is_the_plain_one_in_expectation_with_lower_variance():
    vae, params, x = fitted()
    flat = lambda tree: jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])  # noqa: E731

    def moments(bound, seed):
        gradient = lambda key: flat(jax.grad(lambda p: bound(vae, p, x, key, 8).mean())(params)["encoder"])  # noqa: E731
        rows = jax.lax.map(gradient, jax.random.split(jax.random.key(seed), 100_000), batch_size=1000)
        return rows.mean(0), rows.var(0) / len(rows)

    (first, first_error), (second, second_error) = jax.jit(lambda: (moments(plain, 1), moments(doubly, 2)))()
    distance = (first - second) / np.sqrt(first_error + second_error + 1e-20)
    assert abs(first).max() > 10 * np.sqrt(first_error.max())  # there is something to compare
    assert (abs(distance) < 3).mean() > 0.95 and abs(distance).max() < 4.5
    assert second_error.sum() < 0.8 * first_error.sum()


def test_the_doubly_reparameterised_gradient_is_of_no_weighted_bound():
    vae, _, x = made()
    game = iwae_game(vae, optax.sgd(0.1), k=4, bound=doubly, beta=warm_up(1.0, 10))
    state = init(game, KEY, {"x": x})
    with pytest.raises(ValueError, match=r"expected no beta but 1\.0"):
        make_step(game)(state, {"x": x})


def test_the_decoder_has_the_gradient_of_the_bound_itself():
    vae, params, x = made()
    gradients = (jax.jit(jax.grad(lambda p, b=bound: b(vae, p, x, KEY, 6).sum())) for bound in (plain, doubly))
    one, two = (gradient(params)["decoder"] for gradient in gradients)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_gradient_to_a_sample_is_its_own_weighted_by_its_squared_share():
    z = jax.random.normal(KEY, (5, 3, 2))
    log_weights = lambda theta, z: theta * jnp.sin(z).sum(-1)  # noqa: E731
    value, (to_theta, to_z) = jax.value_and_grad(lambda t, z: doubly_reparameterised(log_weights, t, z).sum(), (0, 1))(
        2.0, z
    )
    share = jax.nn.softmax(log_weights(2.0, z), axis=0)
    np.testing.assert_allclose(to_z, (share**2)[..., None] * 2.0 * jnp.cos(z), rtol=1e-5)
    np.testing.assert_allclose(to_theta, (share * jnp.sin(z).sum(-1)).sum(), rtol=1e-5)
    np.testing.assert_allclose(value, importance_weighted(log_weights(2.0, z)).sum(), rtol=1e-6)


@pytest.mark.parametrize("bound", [plain, doubly])
def test_a_bound_of_one_sample_is_the_elbo_and_more_samples_bound_closer(bound):
    vae, params, x = made()
    keys = jax.random.split(KEY, 4000)
    means = [jax.jit(jax.vmap(lambda key, k=k: bound(vae, params, x, key, k)))(keys).mean() for k in (1, 4, 16)]
    assert means[0] < means[1] < means[2]
    np.testing.assert_allclose(
        jax.jit(jax.vmap(lambda key: plain(vae, params, x, key, 1)))(keys[:3]),
        jax.jit(jax.vmap(lambda key: vae.log_weights(params, x)(key, 1)[0]))(keys[:3]),
        rtol=1e-6,
    )


def test_the_step_moves_both_networks_up_the_bound():
    vae, _, x = made()
    game = iwae_game(vae, optax.adam(1e-2), k=4, bound=doubly)
    state = init(game, KEY, {"x": x})
    step = jax.jit(make_step(game))
    bounds = []
    for _ in range(150):
        state, metrics = step(state, {"x": x})
        bounds.append(float(metrics["iwae/bound"]))
    assert np.mean(bounds[-20:]) > np.mean(bounds[:20]) + 0.5
