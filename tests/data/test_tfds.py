"""TFDS sets: MNIST as it is known, the cache, and quick clear errors for what is not there."""

import os
import shutil
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgen.data import load, tfds, tfds_prepared
from jaxgen.data.feed import Streamed
from jaxgen.data.order import Batches
from jaxgen.data.tfds_source import Source

SIBLING = Path(__file__).resolve().parents[3] / "shared" / "data" / "tfds"


def mnist_folder():
    """Where MNIST is prepared, or a skip."""
    root = Path(os.environ.get("TFDS_DATA_DIR", SIBLING))
    if not (root / "mnist").is_dir():
        pytest.skip(f"MNIST is not prepared in {root}; set TFDS_DATA_DIR")
    pytest.importorskip("tensorflow_datasets")
    return root


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """MNIST decoded once, with its data folder and its cache."""
    root, cache = mnist_folder(), tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(root))
        patch.setenv("JAXGEN_CACHE", str(cache))
        start = time.perf_counter()
        data = load("tfds:mnist")
        yield data, cache, time.perf_counter() - start


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr(tfds_prepared, "network_reachable", lambda: False)


def parts(data):
    return data.train, data.validation, data.test


def test_mnist_is_mnist(cached):
    data, _, seconds = cached
    assert [p["image"].shape for p in parts(data)] == [(n, 28, 28, 1) for n in (55_000, 5_000, 10_000)]
    assert data.levels == 256 and data.classes == tuple("0123456789")
    assert np.bincount(data.test["label"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    both = np.bincount(np.concatenate([data.train["label"], data.validation["label"]]))
    assert both.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_allclose(
        (data.train["image"].mean() * 11 + data.validation["image"].mean()) / 12, 33.318, atol=1e-3
    )
    assert "validation the last 5000 of its 60000 training rows" in data.source
    assert seconds < 30  # 3.5 on two quiet cores


def test_a_cache_hit_is_the_first_read_and_decodes_nothing(cached, monkeypatch):
    def refuse(*args):
        raise AssertionError("decoded again")

    monkeypatch.setattr(tfds, "_decode", refuse)
    for first, again in zip(parts(cached[0]), parts(load("tfds:mnist:3.0.1")), strict=True):
        for key in first:
            np.testing.assert_array_equal(first[key], again[key])


def test_a_torn_cache_file_is_made_anew(cached):
    data, cache, _ = cached
    (file,) = cache.glob("tfds/*/test_image.npy")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000])
    np.testing.assert_array_equal(load("tfds:mnist").test["image"], data.test["image"])
    assert file.read_bytes() == whole


def test_a_source_reads_single_rows_and_batches(cached):
    source = Source(tfds_prepared.find("mnist"), "test")
    assert len(source) == 10_000 and source.splits == ("train", "test")
    rows = source.__getitems__([5, 0, 9_999])
    np.testing.assert_array_equal(rows["image"], cached[0].test["image"][[5, 0, 9_999]])
    np.testing.assert_array_equal(rows["label"], cached[0].test["label"][[5, 0, 9_999]])
    np.testing.assert_array_equal(source[5]["image"], rows["image"][0])
    assert rows["label"].dtype == np.int32 and source[5]["label"] == rows["label"][0]
    with pytest.raises(ValueError, match=r"expected a split of \['test', 'train'\], got 'dev'"):
        Source(tfds_prepared.find("mnist"), "dev")


def test_a_lazy_set_has_bitwise_the_rows_of_the_one_in_memory(cached):
    data, lazy = cached[0], load("tfds:mnist", lazy=True)
    assert lazy.source == data.source and lazy.classes == data.classes and lazy.name == data.name
    for whole, part in zip(parts(data), parts(lazy), strict=True):
        assert {key: (a.shape, a.dtype) for key, a in whole.items()} == {k: (c.shape, c.dtype) for k, c in part.items()}
        for index in np.array_split(np.random.default_rng(0).permutation(len(whole["image"])), 10):
            for key, rows in part.rows(index).items():
                np.testing.assert_array_equal(rows, whole[key][index])


def test_several_workers_stream_the_rows_of_the_order(cached):
    order = Batches(jax.random.key(0), 55_000, 200)
    feed = Streamed(load("tfds:mnist", lazy=True).train, order, dict, workers=3)
    for chunk in feed.chunks([(270, 8), (278, 3)], 8):  # over the end of an epoch
        count = 8 if chunk.index[-1].any() else 3
        for key, array in chunk.data.items():
            np.testing.assert_array_equal(
                array[: 200 * count], cached[0].train[key][chunk.index[:count].reshape(-1)], strict=True
            )
    assert count == 3


def test_records_are_parsed_and_decoded_as_tfds_does(cached):
    module = pytest.importorskip("tensorflow_datasets")
    builder = module.builder_from_directory(tfds_prepared.find("mnist"))
    for i, row in zip(range(50), builder.as_data_source("test"), strict=False):
        np.testing.assert_array_equal(row["image"], cached[0].test["image"][i])
        assert row["label"] == cached[0].test["label"][i]


def test_a_broken_record_is_named_by_its_row(cached):
    source = Source(tfds_prepared.find("mnist"), "test")
    records = source._records.__getitems__([0, 1])
    for harm, message in {
        records[1][:-9]: r"mnist 3\.0\.1, row 1: expected a tf.train.Example",
        records[1].replace(b"IDAT", b"IDAX"): "row 1: expected a picture Pillow can read",
        records[1].replace(b"label", b"lobel"): r"row 1: expected the feature label, got \['image', 'lobel'\]",
    }.items():
        source._records = type("Records", (), {"__getitems__": lambda self, i, harm=harm: [records[0], harm]})()
        with pytest.raises(ValueError, match=message):
            source.__getitems__([0, 1])


def test_an_unwritable_cache_does_not_stop_loading(tmp_path, monkeypatch, caplog):
    (tmp_path / "mnist" / "1.0.0").mkdir(parents=True)
    (tmp_path / "mnist" / "1.0.0" / "dataset_info.json").write_text("{}")
    (tmp_path / "cache").write_text("a file in the way")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "cache"))
    image = np.arange(24 * 4, dtype=np.uint8).reshape(24, 2, 2, 1)
    monkeypatch.setattr(
        tfds, "_decode", lambda folder: ({"train_image": image, "test_image": image}, {"classes": None})
    )
    assert len(load("tfds:mnist").train["image"]) == 22
    assert "cannot keep decoded data" in caplog.text


@pytest.mark.parametrize(
    ("sizes", "counts", "how"),
    [
        ({"train": 24, "test": 5}, [22, 2, 5], "last 2 of its 24 training rows"),
        ({"train": 24, "validation": 6}, [22, 2, 6], "test its validation split"),
        ({"train": 24, "validation": 6, "test": 5}, [24, 6, 5], "its own"),
        ({"train": 20}, [16, 2, 2], "80/10/10"),
    ],
)
def test_parts_follow_the_splits_a_set_has(sizes, counts, how):
    made, said = tfds._parts("d", sizes)
    assert [len(made[part][1]) for part in ("train", "validation", "test")] == counts
    assert how in said


def prepared(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "dataset_info.json").write_text("{}")


def test_the_newest_version_is_found_and_another_can_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    prepared(tmp_path, "d/9.0.0", "d/10.0.0", "one/config/1.0.0", "two/a/1.0.0", "two/b/1.0.0")
    (tmp_path / "d" / "11.0.0").mkdir()  # begun, not finished
    assert tfds_prepared.find("d").name == "10.0.0"
    assert tfds_prepared.find("d:9.0.0").name == "9.0.0"
    assert tfds_prepared.find("d:8.0.0") is None and tfds_prepared.find("e") is None
    assert tfds_prepared.find("one") == tmp_path / "one" / "config" / "1.0.0"
    assert tfds_prepared.find("two/b") == tmp_path / "two" / "b" / "1.0.0"
    with pytest.raises(ValueError, match="CONFIG in a, b, got none"):
        tfds_prepared.find("two")


def test_the_fingerprint_changes_with_the_set(tmp_path):
    prepared(tmp_path, "d/1.0.0")
    folder = tmp_path / "d" / "1.0.0"
    before = tfds_prepared.fingerprint(folder)
    assert tfds_prepared.fingerprint(folder) == before
    info = folder / "dataset_info.json"
    info.write_text("[]")
    assert tfds_prepared.fingerprint(folder) != before
    times = (info.stat().st_atime_ns, info.stat().st_mtime_ns)
    before = tfds_prepared.fingerprint(folder)
    info.write_text("()")  # of the same size and time
    os.utime(info, ns=times)
    assert tfds_prepared.fingerprint(folder) != before


def test_a_missing_set_without_network_says_where_and_how_within_seconds(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    start = time.perf_counter()
    with pytest.raises(ValueError, match="no network to fetch it") as caught:
        load("tfds:mnist")
    assert time.perf_counter() - start < 10
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in (str(tmp_path), "TFDS_DATA_DIR", "tfds build mnist", "pip install"))


class FakeBuilder:
    """Stands for a TFDS builder whose preparation fails."""

    def __init__(self, error):
        self.error = error

    def download_and_prepare(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module", name="tensorflow"), "preparing it needs tensorflow: pip install"),
        (ModuleNotFoundError("No module", name="importlib_resources"), "preparing it needs importlib_resources: pip"),
        (ConnectionError("refused\nby peer"), r"the download failed \(refused by peer\); prepare it by 'tfds build d"),
    ],
)
def test_a_failed_preparation_says_what_to_do(tmp_path, monkeypatch, error, message):
    module = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds_prepared, "network_reachable", lambda: True)
    monkeypatch.setattr(module, "builder", lambda *args, **kwargs: FakeBuilder(error))
    with pytest.raises(ValueError, match=message) as caught:
        load("tfds:d")
    assert "\n" not in str(caught.value)


def test_a_set_tfds_does_not_know_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds_prepared, "network_reachable", lambda: True)
    monkeypatch.setattr(tfds_prepared.socket, "create_connection", None)  # nothing here may reach out
    with pytest.raises(ValueError, match="knows no set of this name") as caught:
        load("tfds:no_such_set_anywhere")
    assert "\n" not in str(caught.value)


def test_without_tfds_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r"needs tensorflow_datasets: pip install 'jaxgen\[tfds\]'"):
        Source(tmp_path / "mnist" / "3.0.1", "train")


def test_the_network_check_ends_in_time(monkeypatch):
    def hang(*args, **kwargs):
        time.sleep(2)
        raise OSError

    monkeypatch.setattr(tfds_prepared.socket, "create_connection", hang)
    start = time.perf_counter()
    assert not tfds_prepared.network_reachable(timeout=0.2)
    assert time.perf_counter() - start < 1.5


@pytest.mark.parametrize("harm", ["features", "format"])
def test_a_set_that_is_not_of_images_or_needs_tensorflow_is_refused(tmp_path, harm):
    folder = tmp_path / "mnist" / "3.0.1"
    shutil.copytree(mnist_folder() / "mnist" / "3.0.1", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    if harm == "format":
        info = folder / "dataset_info.json"
        info.write_text(info.read_text().replace("array_record", "tfrecord"))
        message = "in array_record form, got tfrecord"
    else:
        features = folder / "features.json"
        features.write_text(features.read_text().replace('"uint8"', '"uint16"'))
        message = "expected uint8 images, got uint16"
    with pytest.raises(ValueError, match=message) as caught:
        Source(folder, "train")
    assert "\n" not in str(caught.value)
