import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.games.classifier import classifier_game
from jaxgen.models.classifier import Classifier, ConvFeatures, Head, MLPFeatures
from jaxgen.step import init, make_step

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 10, 3)])
@pytest.mark.parametrize("body", [ConvFeatures((3, 4, 5), 6), MLPFeatures((7, 6))])
def test_features_come_layer_by_layer_and_every_parameter_gets_a_gradient(body, shape):
    model = Classifier(body, Head(3))
    x = jax.random.uniform(KEY, (4, *shape))

    @jax.jit
    def everything(x):
        params = model.init(KEY, x)
        gradient = jax.grad(lambda p: (model.logits(p, x) * jnp.arange(12.0).reshape(4, 3)).sum())(params)
        features = model.features(params, x)
        return features, model.logits(params, x), model.head.apply(params["head"], features[-1]), gradient

    features, logits, expected, gradient = everything(x)
    assert features[-1].shape == (4, 6) and logits.shape == (4, 3)
    if isinstance(body, ConvFeatures):
        sizes = [(-(-shape[0] // 2**i), -(-shape[1] // 2**i)) for i in range(3)]
        assert [f.shape for f in features[:-1]] == [(4, *s, c) for s, c in zip(sizes, (3, 4, 5), strict=True)]
    np.testing.assert_array_equal(logits, expected)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert (leaf != 0).any(), jax.tree_util.keystr(path)


def test_a_body_of_one_output_is_a_tuple_of_one():
    model = Classifier(Head(5), Head(3))
    params = model.init(KEY, jnp.ones((2, 4)))
    assert [f.shape for f in model.features(params, jnp.ones((2, 4)))] == [(2, 5)]


def batch():
    return {"x": jax.random.normal(KEY, (12, 4)), "label": jnp.arange(12) % 3}


def test_the_game_learns_its_batch_and_reports_the_error():
    model = Classifier(MLPFeatures((16,)), Head(3))
    game = classifier_game(model, optax.adam(3e-2))
    state, step = init(game, KEY, batch()), jax.jit(make_step(game))
    for _ in range(200):
        state, metrics = step(state, batch())
    assert metrics["classifier/error"] == 0.0 and metrics["classifier/loss"] < 0.1


def test_a_start_replaces_the_networks_it_names():
    model = Classifier(MLPFeatures((5,)), Head(3))
    own = model.init(jax.random.key(7), batch()["x"])
    state = init(classifier_game(model, optax.sgd(0.1), start={"body": own["body"]}), KEY, batch())
    np.testing.assert_array_equal(*(jax.tree.leaves(p["body"])[-1] for p in (state.params, own)))
    assert (jax.tree.leaves(state.params["head"])[-1] != jax.tree.leaves(own["head"])[-1]).any()
