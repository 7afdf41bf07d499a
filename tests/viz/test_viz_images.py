"""Canvases: bytes, tiles, pairs and their files."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.viz import images
from jaxgen.viz.images import NOT_FINITE, save, tile, to_rgb, to_uint8
from jaxgen.viz.pairs import GAP, beside


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def enlarged(image, scale):
    return np.kron(np.broadcast_to(image, (*image.shape[:2], 3)), np.ones((scale, scale, 1), np.uint8))


def test_to_uint8_inverts_division_by_255_for_every_byte():
    levels = np.arange(256, dtype=np.uint8)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(to_uint8(levels.astype(dtype) / 255), levels)
    assert to_uint8(levels) is levels


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pixel_that_is_not_finite_is_red_and_no_other_is(channels):
    image = np.full((2, 3, channels), 0.4, np.float32)
    image[0, 0, 0], image[1, 2, -1], image[1, 1, 0] = np.nan, -np.inf, np.inf
    drawn = to_rgb(image)
    red = (drawn == NOT_FINITE).all(-1)
    np.testing.assert_array_equal(red, ~np.isfinite(image).all(-1))
    assert (drawn[~red] == 102).all() and drawn.dtype == np.uint8


def test_to_uint8_rounds_to_nearest_clips_and_makes_zero_of_nan():
    values = np.array([-1, 0, 0.49 / 255, 0.51 / 255, 1, 2, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 1, 255, 255, 0, 255, 0])


def test_to_uint8_refuses_integers_that_are_no_bytes():
    with pytest.raises(ValueError, match="uint8, got int64"):
        to_uint8(np.zeros(3, np.int64))


@pytest.mark.parametrize("shape", [(7, 8, 8, 1), (5, 4, 6, 3), (1, 3, 2, 1), (2, 3, 5, 4, 3)])
@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("scale", [1, 4])
def test_every_tile_cut_back_out_of_the_canvas_is_its_image_enlarged(shape, pad, scale):
    batch = random_images(*shape)
    columns = None if len(shape) == 5 else 3
    canvas = tile(batch, columns=columns, pad=pad, scale=scale)
    width_in_tiles = shape[1] if len(shape) == 5 else 3
    flat = batch.reshape(-1, *shape[-3:])
    height, width = shape[-3] * scale, shape[-2] * scale
    rows = -(-len(flat) // width_in_tiles)
    assert canvas.shape == (pad + rows * (pad + height), pad + width_in_tiles * (pad + width), 3)
    covered = np.zeros(canvas.shape[:2], bool)
    for index, image in enumerate(flat):
        top = pad + index // width_in_tiles * (pad + height)
        left = pad + index % width_in_tiles * (pad + width)
        np.testing.assert_array_equal(canvas[top : top + height, left : left + width], enlarged(image, scale))
        covered[top : top + height, left : left + width] = True
    assert (canvas[~covered] == images.BACKGROUND).all()


@pytest.mark.parametrize("shape", [(64, 8, 8, 1), (100, 28, 28, 1), (16, 32, 32, 3), (1, 8, 8, 1)])
def test_a_canvas_is_readable_by_default(shape):
    height, width, _ = tile(random_images(*shape)).shape
    assert height == width
    assert 600 <= width <= 900


def test_large_images_are_not_enlarged():
    assert tile(random_images(4, 600, 600, 1), pad=0).shape == (1200, 1200, 3)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((8, 8, 1), {}, r"\[N, H, W, C\].*got shape \(8, 8, 3\)"),
        ((2, 8, 8, 2), {}, r"C of 1 or 3, got shape \(2, 8, 8, 2\)"),
        ((0, 8, 8, 1), {}, "none empty"),
        ((2, 8, 8, 1), {"columns": 0}, "columns=0"),
        ((2, 8, 8, 1), {"scale": 0}, "scale=0"),
        ((2, 8, 8, 1), {"pad": -1}, "pad=-1"),
        ((2, 2, 8, 8, 1), {"columns": 2}, "columns is set by the shape"),
    ],
)
def test_tile_says_what_is_wrong(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        tile(np.zeros(shape, np.uint8), **arguments)


def test_a_saved_canvas_reads_back_and_its_bytes_depend_on_pixels_alone(tmp_path):
    canvas = random_images(20, 30, 3)
    first, second = save(tmp_path / "deep" / "a.png", canvas), save(tmp_path / "b.png", canvas.copy())
    np.testing.assert_array_equal(np.asarray(Image.open(first)), canvas)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "deep"]


def test_a_save_that_fails_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", random_images(4, 4, 3))
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no room"):
        save(path, np.zeros((9, 9, 3), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_refuses_other_names_and_batches(tmp_path):
    with pytest.raises(ValueError, match=r"\.png, got 'a\.jpg'"):
        save(tmp_path / "a.jpg", random_images(4, 4, 3))
    with pytest.raises(ValueError, match=r"one picture.*\(2, 4, 4, 3\)"):
        save(tmp_path / "a.png", random_images(2, 4, 4, 3))


def test_beside_puts_every_original_above_its_reconstruction():
    originals, reconstructions = random_images(5, 4, 4, 1), random_images(5, 4, 4, 3)[::-1]
    canvas = beside(originals, reconstructions, columns=2, pad=1, scale=3)
    side, block = 12, 2 * 13 + 1 + GAP
    assert canvas.shape == (3 * block - GAP, 2 * 13 + 1, 3)
    for index in range(5):
        top, left = index // 2 * block + 1, 1 + index % 2 * 13
        np.testing.assert_array_equal(canvas[top : top + side, left : left + side], enlarged(originals[index], 3))
        top += 13
        below = canvas[top : top + side, left : left + side]
        np.testing.assert_array_equal(below, enlarged(reconstructions[index], 3))
    assert (canvas[2 * block :, 14:] == images.BACKGROUND).all()  # the place without a sixth image


def test_labels_stand_in_a_margin_and_leave_the_pictures_as_they_are():
    batches = random_images(6, 8, 8, 1), random_images(6, 8, 8, 1)
    bare, labelled = beside(*batches), beside(*batches, labels=("original", "reconstruction"))
    margin = labelled.shape[1] - bare.shape[1]
    assert margin > 20
    np.testing.assert_array_equal(labelled[:, margin:], bare)
    assert (labelled[:, :margin] < 100).any()  # ink
    np.testing.assert_array_equal(labelled, beside(*batches, labels=("original", "reconstruction")))


def test_beside_says_what_is_wrong():
    batch = random_images(2, 4, 4, 1)
    with pytest.raises(ValueError, match=r"one N, H and W.*\(3, 4, 4, 1\)"):
        beside(batch, random_images(3, 4, 4, 1))
    with pytest.raises(ValueError, match="expected batches"):
        beside()
    with pytest.raises(ValueError, match="2 labels, one a batch, got 1"):
        beside(batch, batch, labels=["original"])
    with pytest.raises(ValueError, match="columns >= 1, got 0"):
        beside(batch, columns=0)
