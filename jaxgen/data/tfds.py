"""``tfds:NAME``: image sets of TensorFlow Datasets, read without TensorFlow and cached as arrays."""

from pathlib import Path

import numpy as np

from jaxgen.data import cache, tfds_prepared
from jaxgen.data.dataset import Dataset
from jaxgen.data.lazy import Lazy, Select, pick
from jaxgen.data.split import split_indices
from jaxgen.data.tfds_source import Source

CHUNK = 4096  # rows decoded at a time: bounds the encoded bytes held beside the arrays
USED_SPLITS = ("train", "validation", "test")


def load(name: str, *, lazy: bool = False) -> Dataset:
    """A TFDS image set.

    Args:
      name: ``NAME[/CONFIG][:VERSION]``, prepared in ``$TFDS_DATA_DIR`` or fetched there.
      lazy: leave it on disk, each part a `Lazy`; else it is in memory, and cached as arrays.

    Returns:
      the `Dataset`. Where the set has no validation split, it is the last twelfth of train (5,000 of MNIST's
      60,000); ``source`` says what was done.

    Raises:
      ValueError: when the set is neither prepared nor can be, or is not one of 8-bit images of one size.
    """
    folder = tfds_prepared.find(name) or tfds_prepared.prepare(name)
    where = folder.relative_to(tfds_prepared.data_dir()) if folder.is_relative_to(tfds_prepared.data_dir()) else folder
    if lazy:
        sources = _open(folder)
        classes = sources["train"].classes
        selected, how = _parts(name, {split: len(source) for split, source in sources.items()})
        parts = {part: Lazy(sources[split], rows) for part, (split, rows) in selected.items()}
    else:
        splits, classes = _cached(folder, where)
        selected, how = _parts(name, {split: len(arrays["image"]) for split, arrays in splits.items()})
        parts = {part: pick(splits[split], rows) for part, (split, rows) in selected.items()}
    return Dataset(
        name=f"tfds:{name}",
        **parts,
        source=f"TensorFlow Datasets {'/'.join(where.parts)}, {how}",
        levels=256,
        classes=classes,
    )


def _cached(folder: Path, where: Path) -> tuple[dict[str, dict[str, np.ndarray]], tuple[str, ...] | None]:
    """The arrays of each split in use, and the label names, decoded once."""
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
    return splits, tuple(notes["classes"]) if notes["classes"] else None


def _open(folder: Path) -> dict[str, Source]:
    """The splits in use; train is always there."""
    train = Source(folder, "train")
    return {
        split: train if split == "train" else Source(folder, split) for split in USED_SPLITS if split in train.splits
    }


def _decode(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """All rows of the splits in use, by ``SPLIT_FEATURE``, and the label names."""
    sources = _open(folder)
    arrays = {
        f"{split}_{feature}": array for split, source in sources.items() for feature, array in _read(source).items()
    }
    return arrays, {"classes": sources["train"].classes}


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


def _parts(name: str, sizes: dict[str, int]) -> tuple[dict[str, tuple[str, Select]], str]:
    """The split and the rows of it that each part is, from the sizes of the splits a set has; a line on how."""
    if set(sizes) == set(USED_SPLITS):
        return {split: (split, range(n)) for split, n in sizes.items()}, "its own train, validation and test"
    n = sizes["train"]
    if set(sizes) == {"train"}:
        return {part: ("train", rows) for part, rows in split_indices(n).items()}, "its train split 80/10/10, seed 0"
    other = "test" if "test" in sizes else "validation"
    cut = n - n // 12
    if cut == n:
        raise ValueError(f"data set 'tfds:{name}': expected 12 training rows or more to hold out from, got {n}")
    parts = {
        "train": ("train", range(cut)),
        "validation": ("train", range(cut, n)),
        "test": (other, range(sizes[other])),
    }
    how = f"validation the last {n - cut} of its {n} training rows"
    return parts, how if other == "test" else f"{how}, test its validation split"
