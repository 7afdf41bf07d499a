"""Digits, photographs and faces: sizes, splits, and no reaching for the network."""

import socket

import numpy as np
import pytest
from skimage.data import lfw_subset
from sklearn.datasets import load_digits

from jaxgen.data import PARTS, embedded, load


def rows(images):
    return {image.tobytes() for image in images}


def test_digits_parts_hold_every_image_once_and_every_class_alike():
    data = load("digits")
    parts = {part: getattr(data, part) for part in PARTS}
    assert sum(len(part["label"]) for part in parts.values()) == 1797
    together = np.concatenate([part["image"] for part in parts.values()])
    original = load_digits().images.astype(np.uint8)[..., None]
    assert sorted(map(bytes, together)) == sorted(map(bytes, original))
    assert not rows(parts["train"]["image"]) & rows(parts["test"]["image"])
    for part in parts.values():
        share = np.bincount(part["label"], minlength=10) / len(part["label"])
        np.testing.assert_allclose(share, 0.1, atol=0.01)
    np.testing.assert_allclose([len(p["label"]) / 1797 for p in parts.values()], [0.8, 0.1, 0.1], atol=0.005)


def test_digits_keep_their_labels_and_seventeen_levels():
    data = load("digits")
    bunch = load_digits()
    label_of = {bytes(image.astype(np.uint8)): label for image, label in zip(bunch.images, bunch.target, strict=True)}
    assert [label_of[bytes(image)] for image in data.train["image"]] == data.train["label"].tolist()
    assert data.levels == 17 and data.train["image"].max() == 16


def test_photos_parts_come_from_different_photographs():
    files = [file for part in embedded.PHOTOGRAPHS.values() for file in part]
    assert len(files) == len(set(files)) and set(embedded.PHOTOGRAPHS) == set(PARTS)
    data = load("photos")
    for part in PARTS:
        image = getattr(data, part)["image"]
        assert image.shape == (embedded.PATCHES[part], 32, 32, 3)
        photographs = [embedded._photograph(file) for file in embedded.PHOTOGRAPHS[part]]
        per_file = len(image) // len(photographs)
        for i, photograph in enumerate(photographs):
            patch = image[i * per_file]
            found = (photograph[:-31, :-31] == patch[0, 0]).all(-1)
            places = np.argwhere(found)
            assert any((photograph[r : r + 32, c : c + 32] == patch).all() for r, c in places), part


def test_photos_are_not_one_patch_again_and_again():
    train = load("photos").train["image"]
    assert len(rows(train)) > 0.99 * len(train)


def test_faces_are_the_hundred_faces():
    data = load("faces")
    images = [getattr(data, part)["image"] for part in PARTS]
    assert [len(image) for image in images] == [80, 10, 10] and images[0].shape[1:] == (25, 25, 1)
    original = np.round(255 * lfw_subset()[:100]).astype(np.uint8)[..., None]
    assert rows(np.concatenate(images)) == rows(original) and len(rows(original)) == 100


@pytest.mark.parametrize("name", ["digits", "photos", "faces"])
def test_embedded_sets_never_open_a_socket(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load(name)
