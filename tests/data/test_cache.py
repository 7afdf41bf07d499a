"""The cache gives back what was kept, or nothing."""

import numpy as np
import pytest

from jaxgen.data import cache

ARRAYS = {"train_image": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "train_label": np.arange(2, dtype=np.int32)}


def test_what_is_kept_comes_back(tmp_path):
    cache.write(tmp_path / "e", ARRAYS, {"classes": ["a"]})
    arrays, notes = cache.read(tmp_path / "e")
    assert notes == {"classes": ["a"]} and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert sorted(p.name for p in (tmp_path / "e").iterdir()) == ["manifest.json", "train_image.npy", "train_label.npy"]


def test_nothing_kept_reads_as_nothing(tmp_path):
    assert cache.read(tmp_path / "e") is None


@pytest.mark.parametrize("name", ["manifest.json", "train_image.npy", "train_label.npy"])
@pytest.mark.parametrize("harm", ["missing", "empty", "truncated", "flipped"])
def test_a_torn_entry_reads_as_nothing(tmp_path, name, harm):
    cache.write(tmp_path, ARRAYS, {})
    file = tmp_path / name
    whole = file.read_bytes()
    if harm == "missing":
        file.unlink()
    else:
        flipped = bytes([*whole[:-3], whole[-3] ^ 1, *whole[-2:]])
        file.write_bytes({"empty": b"", "truncated": whole[:-5], "flipped": flipped}[harm])
    assert cache.read(tmp_path) is None


def test_an_unwritable_cache_is_only_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache.write(tmp_path / "file" / "e", ARRAYS, {})
    assert "cannot keep decoded data" in caplog.text


def test_the_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "own"))
    assert cache.cache_root() == tmp_path / "own"
    monkeypatch.delenv("JAXGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / "jaxgen"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / ".cache" / "jaxgen"
