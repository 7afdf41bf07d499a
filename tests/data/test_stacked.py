import numpy as np
import pytest

from jaxgen.data import load
from jaxgen.data.stacked import SIZES


def test_every_channel_is_an_image_of_the_same_part_and_the_label_tells_which():
    base, data = load("digits"), load("stacked:digits")
    assert data.name == "stacked:digits"
    assert data.levels == base.levels
    for part, count in SIZES.items():
        image, label = getattr(data, part)["image"], getattr(data, part)["label"]
        own = getattr(base, part)
        assert image.shape == (count, 8, 8, 3)
        known = {one.tobytes(): int(k) for one, k in zip(own["image"][..., 0], own["label"], strict=True)}
        for row in range(0, count, count // 20):
            digits = [known[np.ascontiguousarray(image[row, :, :, c]).tobytes()] for c in range(3)]
            assert label[row] == int("".join(map(str, digits)))
    assert len(np.unique(data.train["label"])) == 1000


def test_it_is_the_same_every_time_and_the_channels_differ():
    first, again = load("stacked:digits").test, load("stacked:digits").test
    assert all((first[key] == again[key]).all() for key in first)
    assert (first["image"][..., 0] != first["image"][..., 1]).any()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stacked:ring", "stacked images need a set of grey images with labels"),
        ("stacked:photos", "stacked images need a set of grey images with labels"),
        ("stacked:", "expected stacked:DATA, got nothing after the colon"),
        ("stacked:digit", "digits"),
    ],
)
def test_what_cannot_be_stacked_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        load(name)
