"""Folders of pictures: what is written is what is read, and every fault is named."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load


def picture(path, value=0, size=(6, 4), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def values(part):
    return sorted(part["image"][:, 0, 0, 0].tolist())


def all_values(data):
    return sorted(values(data.train) + values(data.validation) + values(data.test))


def test_class_folders_become_sorted_labels(tmp_path):
    for i in range(10):
        picture(tmp_path / "b" / f"{i}.png", i)
        picture(tmp_path / "a" / f"{i}.PNG", 100 + i)
    data = load(f"folder:{tmp_path}")
    assert data.classes == ("a", "b") and data.levels == 256
    assert [len(p["label"]) for p in (data.train, data.validation, data.test)] == [16, 2, 2]
    assert all_values(data) == [*range(10), *range(100, 110)]
    assert data.train["image"].shape[1:] == (4, 6, 1)
    np.testing.assert_array_equal(data.train["label"] == 0, data.train["image"][:, 0, 0, 0] >= 100)


def test_a_flat_folder_has_no_labels_and_other_files_are_left_alone(tmp_path):
    for i in range(5):
        picture(tmp_path / f"{i}.png", i)
    (tmp_path / "notes.txt").write_text("hello")
    picture(tmp_path / ".hidden.png", 9)
    data = load(f"folder:{tmp_path}")
    assert set(data.train) == {"image"} and data.classes is None and all_values(data) == list(range(5))


@pytest.mark.parametrize("validation", ["validation", "val", None])
def test_parts_on_disk_are_the_parts(tmp_path, validation):
    for part, n in {"train": 20, "test": 3, **({validation: 2} if validation else {})}.items():
        for i in range(n):
            picture(tmp_path / part / "k" / f"{i}.png", {"train": 0, "test": 100}.get(part, 50) + i)
    data = load(f"folder:{tmp_path}")
    assert values(data.test) == [100, 101, 102]
    if validation:
        assert values(data.validation) == [50, 51] and values(data.train) == list(range(20))
    else:
        assert len(values(data.validation)) == 2 and sorted(values(data.train) + values(data.validation)) == list(
            range(20)
        )
        assert "a tenth of train" in data.source


def test_one_coloured_picture_makes_all_of_them_colour(tmp_path):
    picture(tmp_path / "a.png", 7)
    picture(tmp_path / "b.png", (1, 2, 3), mode="RGB")
    picture(tmp_path / "c.png", (4, 5, 6, 0), mode="RGBA")
    picture(tmp_path / "d.png", (9, 0), mode="LA")
    data = load(f"folder:{tmp_path}")
    images = np.concatenate([data.train["image"], data.validation["image"], data.test["image"]])
    assert sorted(map(tuple, images[:, 0, 0].tolist())) == [(1, 2, 3), (4, 5, 6), (7, 7, 7), (9, 9, 9)]


def test_palette_pictures_give_their_colours_not_their_indices(tmp_path):
    for i in range(3):
        Image.new("RGB", (4, 4), (200, i, 30)).quantize(4).save(tmp_path / f"{i}.png", transparency=bytes([255, 0]))
    assert load(f"folder:{tmp_path}").train["image"][0, 0, 0, 0] == 200


def fails(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(f"folder:{path}")
    assert "\n" not in str(caught.value)


def test_what_is_not_a_folder_is_refused(tmp_path):
    fails(tmp_path / "none", "expected a folder, got nothing")
    picture(tmp_path / "a.png")
    fails(tmp_path / "a.png", "expected a folder, got a file")


def test_an_empty_folder_or_class_is_refused(tmp_path):
    fails(tmp_path, r"expected pictures \(.png, .jpg.*\), got none")
    picture(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    fails(tmp_path, "in every class folder, got none in b/")


def test_too_few_pictures_are_refused(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    fails(tmp_path, f"folder:{tmp_path}': expected at least 3 examples, one for each part, got 2")


def test_two_sizes_are_refused_with_both_files(tmp_path):
    for name, size in {"a": (6, 4), "b": (6, 4), "c": (6, 5)}.items():
        picture(tmp_path / f"{name}.png", size=size)
    fails(tmp_path, "one size, got .*a.png of 6x4 and .*c.png of 6x5")


@pytest.mark.parametrize("broken", [b"", b"not a picture", "truncated"])
def test_a_corrupt_picture_is_named(tmp_path, broken):
    rng = np.random.default_rng(0)
    for name in "abc":
        Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(tmp_path / f"{name}.png")
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2] if broken == "truncated" else broken)
    fails(tmp_path, "b.png: expected a picture Pillow can read, got ")


def test_sixteen_bits_are_refused(tmp_path):
    for i in range(3):
        Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / f"{i}.png")
    fails(tmp_path, "0.png: expected a picture of 8 bits a channel, got Pillow mode I")


def test_mixed_layouts_are_refused(tmp_path):
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "2.png")
    fails(tmp_path, "got both: 2.png and a/")


def test_parts_must_be_complete_and_of_one_set_of_classes(tmp_path):
    for i in range(3):
        picture(tmp_path / "train" / "a" / f"{i}.png")
        picture(tmp_path / "val" / "a" / f"{i}.png")
    fails(tmp_path, r"expected the folders train and test, got \['train', 'val'\]")
    picture(tmp_path / "test" / "c" / "1.png")
    fails(tmp_path, r"class folders of train, \['a'\], in test too, got \['c'\]")
