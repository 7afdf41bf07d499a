"""Training images mirrored at random, by every experiment that has the option."""

import importlib

import jax
import numpy as np
import pytest

from experiments.common.mirror import check_flip, mirrored
from jaxgen.data import load
from jaxgen.run.cli import parse

IMAGES = {"x": np.zeros((16, 1)), "image": np.random.default_rng(0).integers(0, 17, (16, 8, 8, 1), np.uint8)}


def test_each_image_is_itself_or_its_mirror_image_about_as_often():
    found = np.asarray(mirrored(True, jax.random.key(0), IMAGES)["image"])
    turned = [np.array_equal(one, image[:, ::-1]) for one, image in zip(found, IMAGES["image"], strict=True)]
    same = [np.array_equal(one, image) for one, image in zip(found, IMAGES["image"], strict=True)]
    assert all(a != b for a, b in zip(turned, same, strict=True)) and 3 < sum(turned) < 13
    assert mirrored(False, jax.random.key(0), IMAGES) is IMAGES


@pytest.mark.parametrize("name", ["dcgan", "conditional_gan", "infogan", "glow"])
def test_what_is_trained_on_is_mirrored_where_it_is_asked_for(name):
    module = importlib.import_module(f"experiments.{name}")
    rows = {key: np.asarray(value[:32]) for key, value in load("digits").train.items()} | {"index": np.arange(32)}
    rows["image"] = np.tile(np.arange(8, dtype=np.uint8), (32, 8, 1))[..., None]  # brighter to the right
    brighter = []
    for flags in ([], ["--flip"]):
        experiment = module.build(parse(name, module.Config, ["--data", "digits", *flags]))
        x = np.asarray(experiment.prepare(jax.random.key(0), rows)["x"], np.float64).reshape(32, 8, 8)
        brighter.append((x[:, :, 4:].sum((1, 2)) > x[:, :, :4].sum((1, 2))).mean())
    assert brighter[0] == 1 and 0.2 < brighter[1] < 0.8


def test_points_cannot_be_mirrored():
    with pytest.raises(ValueError, match="--flip mirrors images, data set ring has none"):
        check_flip(True, load("ring"))
    check_flip(False, load("ring"))
