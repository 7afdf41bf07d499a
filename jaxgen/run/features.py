"""A feature network of the data at hand, trained once by the project itself: for FID and perceptual losses."""

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.data import Dataset, cache, preprocess
from jaxgen.data.lazy import size
from jaxgen.games.classifier import classifier_game
from jaxgen.losses.classification import error
from jaxgen.metrics.batched import over
from jaxgen.models.classifier import Classifier, ConvFeatures, Head
from jaxgen.run.train import train_function

RECIPE = 1  # of training: counts up when anything below changes what a network learns
CHANNELS, WIDTH = (16, 32, 64), 128
NAMES = ("stage1", "stage2", "stage3", "dense")  # of the features, from shallow to deep
BATCH, EPOCHS, LEAST_STEPS, RATE = 128, 5, 1000, 2e-3
SHIFT = 1  # pixels up, down, left and right that an image is moved in training

Apply = Callable[[jax.Array], tuple[jax.Array, ...]]


class FeatureNetwork(NamedTuple):
    """What `feature_network` returns.

    apply: images [B, H, W, C], floats in [0, 1] -> features, four arrays from shallow to deep: maps
    [B, H, W, 16], [B, H / 2, W / 2, 32] and [B, H / 4, W / 4, 64], sides rounded up, and [B, 128].
    logits: the same images -> logits [B, K]. accuracy: fraction of the test images that it classifies rightly.
    """

    apply: Apply
    logits: Callable[[jax.Array], jax.Array]
    accuracy: float


def feature_network(data: Dataset) -> FeatureNetwork:
    """Return a convolutional classifier of a labelled image set, trained on its training part and kept on disk.

    The same data give the same network, whatever the run's seed; what is kept is read again only for equal arrays.
    Training takes some seconds for a small set, and two passes a minute or so for one of 60,000 images on two cores.
    Raises ValueError for data without images or labels, or with fewer than two classes.
    """
    classes = check_classes(data)
    model = Classifier(ConvFeatures(CHANNELS, WIDTH), Head(classes))
    train = {key: np.asarray(data.train[key]) for key in ("image", "label")}
    entry = _entry(data, train, classes)
    if (found := cache.read(entry)) is None:
        params = _train(model, train, data.levels)
        found = _flat(params), {"accuracy": _accuracy(model, params, data)}
        cache.write(entry, *found)
    arrays, notes = found
    params = unflatten_dict({tuple(name.split(".")): jnp.asarray(array) for name, array in arrays.items()})
    return FeatureNetwork(partial(model.features, params), partial(model.logits, params), notes["accuracy"])


def check_classes(data: Dataset, *, every: bool = False) -> int:
    """Return the number of classes. Raises ValueError as `feature_network` does, before any training.

    every: also for classes without training examples.
    """
    for key in ("image", "label"):
        if key not in data.train:
            raise ValueError(f"a feature network needs {key}s to learn from, data set {data.name!r} has none")
    classes = len(data.classes) if data.classes else 1 + int(np.max(np.asarray(data.train["label"])))
    if classes < 2:
        raise ValueError(f"a feature network needs at least 2 classes to learn from, data set {data.name!r} has 1")
    if every and (missing := sorted(set(range(classes)) - set(np.unique(np.asarray(data.train["label"])).tolist()))):
        raise ValueError(f"training examples of every class are needed, data set {data.name!r} has none of {missing}")
    return classes


def _entry(data: Dataset, train: Mapping[str, np.ndarray], classes: int) -> Path:
    """Return the folder of the cache: named by the data, what is in them, the architecture and the recipe."""
    told = repr((RECIPE, CHANNELS, WIDTH, BATCH, EPOCHS, LEAST_STEPS, RATE, SHIFT, classes, data.levels))
    code = zlib.crc32(told.encode())
    for key in ("image", "label"):
        code = zlib.crc32(np.ascontiguousarray(train[key]), code)
    name = "".join(c if c.isalnum() else "-" for c in data.name)[-60:]
    return cache.cache_root() / "features" / f"{name}-{code:08x}"


def _train(model: Classifier, train: Mapping[str, np.ndarray], levels: int) -> Any:
    batch = min(BATCH, size(train))
    steps = max(LEAST_STEPS, EPOCHS * size(train) // batch)
    game = classifier_game(model, optax.adam(optax.cosine_decay_schedule(RATE, steps)))

    def prepare(key, batch):
        moved = shift(key, preprocess.scale(batch["image"], levels=levels), SHIFT)
        return {"x": moved, "label": batch["label"]}

    run = jax.jit(lambda data, key: train_function(game, data, steps=steps, batch_size=batch, prepare=prepare)(key))
    # A named implementation: the network must not follow the process's default generator.
    return run(dict(train), jax.random.key(0, impl="threefry2x32"))[0].params


def shift(key: jax.Array, image: jax.Array, most: int) -> jax.Array:
    """Return images [B, H, W, C], each moved by up to `most` pixels both ways, zeros where nothing comes in."""
    padded = jnp.pad(image, ((0, 0), (most, most), (most, most), (0, 0)))
    corner = jax.random.randint(key, (len(image), 2), 0, 2 * most + 1)
    return jax.vmap(lambda one, c: jax.lax.dynamic_slice(one, (c[0], c[1], 0), image.shape[1:]))(padded, corner)


def _accuracy(model: Classifier, params: Any, data: Dataset) -> float:
    @jax.jit
    def wrong(params, key, batch):
        return error(batch["label"], model.logits(params, preprocess.scale(batch["image"], levels=data.levels)))

    return 1.0 - float(over(partial(wrong, params), jax.random.key(0), data.test, batch_size=500).mean())


def _flat(params: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(array) for name, array in flatten_dict(params, sep=".").items()}
