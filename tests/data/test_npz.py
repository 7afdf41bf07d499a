"""npz files: what is saved is what is read, and every fault is named."""

import numpy as np
import pytest

from jaxgen.data import load

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (20, 4, 3), np.uint8)
LABEL = np.arange(20) % 3


def save(path, **arrays):
    np.savez(path / "d.npz", **arrays)
    return f"npz:{path / 'd.npz'}"


def fails(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["image", "images", "x"])
def test_whole_images_are_split_and_given_a_channel(tmp_path, key):
    data = load(save(tmp_path, **{key: IMAGE, "label": LABEL}))
    parts = (data.train, data.validation, data.test)
    assert [p["image"].shape for p in parts] == [(16, 4, 3, 1), (2, 4, 3, 1), (2, 4, 3, 1)]
    together = np.concatenate([p["image"] for p in parts])
    assert sorted(map(bytes, together)) == sorted(map(bytes, IMAGE))
    of = {bytes(image): label for image, label in zip(IMAGE, LABEL, strict=True)}
    assert [of[bytes(image)] for image in data.train["image"]] == data.train["label"].tolist()
    assert data.classes == ("0", "1", "2") and data.levels == 256


@pytest.mark.parametrize(
    "words",
    [
        ("train_image", "train_label", "test_image", "test_label"),
        ("image_train", "label_train", "image_test", "label_test"),
        ("x_train", "y_train", "x_test", "y_test"),
    ],
)
def test_parts_by_prefix_suffix_and_as_keras_names_them(tmp_path, words):
    arrays = dict(zip(words, (IMAGE[:15], LABEL[:15, None], IMAGE[15:], LABEL[15:, None]), strict=True))
    data = load(save(tmp_path, **arrays))
    np.testing.assert_array_equal(data.test["image"][..., 0], IMAGE[15:])
    np.testing.assert_array_equal(data.test["label"], LABEL[15:])
    assert len(data.train["label"]) == 13 and len(data.validation["label"]) == 2 and "tenth" in data.source


def test_three_parts_are_kept_as_they_are(tmp_path):
    data = load(save(tmp_path, train_image=IMAGE[:10], val_image=IMAGE[10:15], test_image=IMAGE[15:]))
    np.testing.assert_array_equal(data.validation["image"][..., 0], IMAGE[10:15])
    assert set(data.train) == {"image"} and data.classes is None


def test_numbers_become_rows(tmp_path):
    table = RNG.normal(size=(30, 5))
    data = load(save(tmp_path, x=table))
    assert data.train["x"].dtype == np.float32 and data.train["x"].shape == (24, 5) and data.levels is None


def test_a_part_may_have_fewer_rows_than_classes(tmp_path):
    data = load(save(tmp_path, train_x=np.eye(9), train_y=np.arange(9), test_x=np.eye(9)[:2], test_y=np.array([7, 8])))
    assert len(data.classes) == 9


def test_what_is_not_an_npz_is_refused(tmp_path):
    fails(f"npz:{tmp_path}/none.npz", "expected a file, got nothing")
    fails(f"npz:{tmp_path}", "expected a file, got a folder")
    np.save(tmp_path / "a.npy", IMAGE)
    fails(f"npz:{tmp_path}/a.npy", "a.npy': expected an npz file")
    name = save(tmp_path, image=IMAGE)
    whole = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(whole[:300])
    fails(name, "d.npz': expected an npz file .*torn")
    (tmp_path / "d.npz").write_bytes(whole[:200] + bytes(20) + whole[220:])
    fails(name, "d.npz': expected image to be a plain array, got ")


def test_objects_are_refused(tmp_path):
    fails(save(tmp_path, image=np.array([IMAGE, None], dtype=object)), "expected image to be a plain array, got Object")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"picture": IMAGE}, r"expected image or x, .*, got \['picture'\]"),
        ({"train_image": IMAGE}, r"expected image or x, .*, got \['train_image'\]"),
        ({"image": IMAGE, "test_image": IMAGE}, "expected image or x"),
        ({"x": IMAGE, "image": IMAGE}, "expected images once"),
        ({"label": LABEL, "y": LABEL}, "expected one array of label"),
        ({"image": IMAGE, "label": LABEL[:-1]}, "one length, got {'image': 20, 'label': 19}"),
        ({"image": IMAGE, "label": LABEL - 1}, r"expected labels 0, 1, 2 and so on, got -1\.\.1"),
        ({"image": IMAGE, "label": LABEL + 1999}, "expected labels below their number, 20, got 2001"),
        ({"image": IMAGE, "label": LABEL / 2}, r"expected label to be integers \[N\], got float64 \[20\]"),
        ({"image": IMAGE / 255}, r"expected images to be uint8 .*, got float64 \[20, 4, 3\]"),
        ({"image": IMAGE[:, 0]}, r"expected images to be uint8 .*, got uint8 \[20, 3\]"),
        ({"x": LABEL}, r"expected x to be numbers \[N, D\] or uint8 images, got int64 \[20\]"),
        ({"x": np.full((5, 2), np.nan)}, "expected finite x"),
        ({"x": np.array([["a"], ["b"], ["c"]])}, "expected x to be numbers"),
        ({"x": np.eye(2)}, "at least 3 examples, one for each part, got 2"),
    ],
)
def test_unfit_arrays_are_refused_with_what_came(tmp_path, arrays, message):
    fails(save(tmp_path, **arrays), message)
