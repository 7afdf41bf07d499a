"""The quick way through a PNG decodes exactly what Pillow does, or leaves it to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxgen.data.picture import decode

SHAPES = {"L": (300, 400), "RGB": (300, 400, 3), "RGBA": (300, 400, 4), "LA": (30, 20, 2)}


def encoded(mode, form="PNG", **options):
    # A random walk along the rows makes the encoder use several of PNG's filters and many chunks.
    steps = np.random.default_rng(0).integers(-9, 10, SHAPES[mode])
    file = io.BytesIO()
    Image.fromarray(np.cumsum(steps, axis=1).astype(np.uint8), mode if mode == "LA" else None).save(
        file, form, **options
    )
    return file.getvalue()


def by_pillow(data, mode):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert(mode)).reshape(picture.height, picture.width, -1)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_plain_png_is_decoded_as_by_pillow_without_opening_it(mode, monkeypatch):
    data = encoded(mode)
    expected = by_pillow(data, mode)
    assert data.count(b"IDAT") > 1
    monkeypatch.setattr(Image, "open", None)
    np.testing.assert_array_equal(decode(data, mode), expected, strict=True)


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (encoded("RGB"), "L"),
        (encoded("L"), "RGB"),
        (encoded("LA"), "L"),
        (encoded("L", "JPEG"), "L"),
        (encoded("L", bits=4), "L"),
        (encoded("L", transparency=7), "L"),
    ],
)
def test_other_pictures_are_converted_as_by_pillow(data, mode):
    np.testing.assert_array_equal(decode(data, mode), by_pillow(data, mode), strict=True)


def test_harm_is_refused_or_read_as_by_pillow():
    data, rng, refused = encoded("L")[:], np.random.default_rng(1), 0
    for trial in range(200):
        harmed = bytearray(data[: rng.integers(len(data))] if trial % 2 else data)
        if harmed:
            harmed[rng.integers(min(len(harmed), 60 if trial % 4 else len(harmed)))] ^= 1 << rng.integers(8)
        try:
            expected = by_pillow(bytes(harmed), "L")
        except (OSError, SyntaxError, ValueError):
            refused += 1
            with pytest.raises(ValueError, match="expected a picture Pillow can read"):
                decode(bytes(harmed), "L")
        else:
            np.testing.assert_array_equal(decode(bytes(harmed), "L"), expected)
    assert 100 <= refused < 200
