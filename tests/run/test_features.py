import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import Dataset, load, preprocess
from jaxgen.run import features
from jaxgen.run.features import feature_network, shift


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "LEAST_STEPS", 60)
    monkeypatch.setattr(features, "EPOCHS", 1)
    monkeypatch.setattr(features, "RATE", 1e-2)
    monkeypatch.setattr(features, "CHANNELS", (4, 8))
    monkeypatch.setattr(features, "WIDTH", 16)
    return tmp_path


def test_it_learns_is_kept_and_read_again(small, monkeypatch):
    data = load("digits")
    network = feature_network(data)
    assert network.accuracy > 0.5
    image = preprocess.scale(jnp.asarray(data.test["image"]), levels=17)
    shapes = [f.shape[1:] for f in network.apply(image)]
    assert shapes == [(8, 8, 4), (4, 4, 8), (16,)]
    right = (network.logits(image).argmax(-1) == data.test["label"]).mean()
    assert network.accuracy == pytest.approx(float(right), abs=1e-6)

    monkeypatch.setattr(features, "_train", None)  # no second training
    again = feature_network(data)
    assert again.accuracy == network.accuracy
    for a, b in zip(again.apply(image), network.apply(image), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_is_the_same_each_time(small):
    data = load("digits")
    model = features.Classifier(features.ConvFeatures((2,), 4), features.Head(10))
    one, two = (features._flat(features._train(model, data.train, 17)) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_other_data_or_another_recipe_have_another_place(small, monkeypatch):
    data = load("digits")
    train = dict(data.train)
    places = [features._entry(data, train, 10)]
    places.append(features._entry(data, train | {"label": train["label"][::-1]}, 10))
    places.append(features._entry(data, train | {"image": 16 - train["image"]}, 10))
    monkeypatch.setattr(features, "RECIPE", 99)
    places.append(features._entry(data, train, 10))
    assert len(set(places)) == 4


@pytest.mark.parametrize(("name", "lack"), [("faces", "label"), ("ring", "image")])
def test_data_without_labels_or_images_are_refused(name, lack):
    with pytest.raises(ValueError, match=f"needs {lack}s to learn from, data set '{name}' has none"):
        feature_network(load(name))


def test_one_class_is_refused():
    part = {"image": np.zeros((3, 2, 2, 1), np.uint8), "label": np.zeros(3, np.int32)}
    with pytest.raises(ValueError, match="at least 2 classes"):
        feature_network(Dataset("d", part, part, part, source="made up", levels=2))


def test_a_shift_moves_every_image_as_a_whole():
    image = jnp.zeros((300, 5, 5, 1)).at[:, 2, 2].set(1.0)
    moved = shift(jax.random.key(0), image, 1)
    np.testing.assert_array_equal(moved.sum((1, 2, 3)), jnp.ones(300))
    places = {tuple(int(i) for i in np.argwhere(one[..., 0])[0]) for one in np.asarray(moved)}
    assert places == {(r, c) for r in (1, 2, 3) for c in (1, 2, 3)}
    np.testing.assert_array_equal(shift(jax.random.key(0), image, 0), image)
