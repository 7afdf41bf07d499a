"""``tfds:NAME``: image sets of TensorFlow Datasets, read without TensorFlow and cached as arrays."""

from pathlib import Path

import numpy as np

from jaxgen.data import cache, tfds_prepared
from jaxgen.data.dataset import Dataset
from jaxgen.data.split import split_indices, take
from jaxgen.data.tfds_source import Source

CHUNK = 4096  # rows decoded at a time: bounds the encoded bytes held beside the arrays
USED_SPLITS = ("train", "validation", "test")


def load(name: str) -> Dataset:
    """A TFDS image set in memory.

    Args:
      name: ``NAME[/CONFIG][:VERSION]``, prepared in ``$TFDS_DATA_DIR`` or fetched there.

    Returns:
      the `Dataset`. Where the set has no validation split, it is the last twelfth of train (5,000 of MNIST's
      60,000); ``source`` says what was done.

    Raises:
      ValueError: when the set is neither prepared nor can be, or is not one of 8-bit images of one size.
    """
    folder = tfds_prepared.find(name) or tfds_prepared.prepare(name)
    where = folder.relative_to(tfds_prepared.data_dir()) if folder.is_relative_to(tfds_prepared.data_dir()) else folder
    entry = cache.cache_root() / "tfds" / "-".join([*where.parts[-3:], tfds_prepared.fingerprint(folder)])
    found = cache.read(entry)
    if found is None:
        found = _decode(folder)
        cache.write(entry, *found)
    arrays, notes = found
    splits: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        split, _, feature = key.partition("_")
        splits.setdefault(split, {})[feature] = array
    parts, how = _parts(name, splits)
    return Dataset(
        name=f"tfds:{name}",
        **parts,
        source=f"TensorFlow Datasets {'/'.join(where.parts)}, {how}",
        levels=256,
        classes=tuple(notes["classes"]) if notes["classes"] else None,
    )


def _decode(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """All rows of the splits in use, by ``SPLIT_FEATURE``, and the label names."""
    source = Source(folder, "train")
    arrays: dict[str, np.ndarray] = {}
    for split in USED_SPLITS:
        if split in source.splits:
            for feature, array in _read(Source(folder, split)).items():
                arrays[f"{split}_{feature}"] = array
    return arrays, {"classes": source.classes}


def _read(source: Source) -> dict[str, np.ndarray]:
    n = len(source)
    arrays: dict[str, np.ndarray] = {}
    for start in range(0, n, CHUNK):
        rows = source.__getitems__(range(start, min(n, start + CHUNK)))
        for feature, chunk in rows.items():
            if feature not in arrays:
                arrays[feature] = np.empty((n, *chunk.shape[1:]), chunk.dtype)
            if chunk.shape[1:] != arrays[feature].shape[1:]:
                raise ValueError(
                    f"{source.name}: expected images of one size, got {arrays[feature].shape[1:3]} and "
                    f"{chunk.shape[1:3]}; resize them into a folder and use folder:PATH"
                )
            arrays[feature][start : start + len(chunk)] = chunk
    return arrays


def _parts(name: str, splits: dict[str, dict]) -> tuple[dict[str, dict], str]:
    """The three parts from the splits a set has, and a line on how."""
    if set(splits) == set(USED_SPLITS):
        return splits, "its own train, validation and test"
    train = splits["train"]
    if set(splits) == {"train"}:
        return take(train, split_indices(len(train["image"]))), "its train split 80/10/10, seed 0"
    other = "test" if "test" in splits else "validation"
    n = len(train["image"])
    cut = n - n // 12
    if cut == n:
        raise ValueError(f"data set 'tfds:{name}': expected 12 training rows or more to hold out from, got {n}")
    parts = {
        "train": {key: array[:cut] for key, array in train.items()},
        "validation": {key: array[cut:] for key, array in train.items()},
        "test": splits[other],
    }
    how = f"validation the last {n - cut} of its {n} training rows"
    return parts, how if other == "test" else f"{how}, test its validation split"
