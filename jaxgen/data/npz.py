"""``npz:PATH``: arrays saved by ``numpy.savez``."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxgen.data.dataset import PARTS, Dataset
from jaxgen.data.split import hold_out, split_indices, take

PART_WORDS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
KEY_WORDS = {"image": "image", "images": "image", "x": "x", "label": "label", "labels": "label", "y": "label"}
ACCEPTED = (
    "image or x, and optionally label (or y), alone or with train, validation and test as in train_image or x_train"
)


def load(path: str) -> Dataset:
    """Reads arrays, whole (``image``, ``label``) or in parts (``train_image``, or Keras's ``x_train``).

    ``x`` holds images where it is uint8 ``[N, H, W]`` or ``[N, H, W, C]``, and rows of numbers where it is
    ``[N, D]``. A whole set is split 80/10/10 by seed 0; parts without validation give a tenth of train to it.

    Args:
      path: of the file; ``~`` is the home folder.

    Returns:
      the `Dataset`.

    Raises:
      ValueError: no such file, not an npz or a broken one, unknown keys, or arrays of the wrong type or length.
    """
    name = f"data set 'npz:{path}'"
    found = _group(name, _open(name, Path(path).expanduser()))
    arrays = {}
    for part, group in found.items():
        arrays[part] = dict(_convert(name, key, array) for key, array in group.items())
        if len(arrays[part]) != len(group):
            raise ValueError(f"{name}: expected images once, got them as image and as x")
    for part, group in arrays.items():
        lengths = {key: len(array) for key, array in group.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"{name}: expected arrays of one length{'' if part == 'all' else ' in ' + part}, got {lengths}"
            )
    parts, how = _parts(name, arrays)
    return Dataset(
        name=f"npz:{path}",
        **parts,
        source=f"arrays of {path}, {how}",
        levels=256 if "image" in parts["train"] else None,
        classes=_classes(name, parts),
    )


def _open(name: str, path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ValueError(f"{name}: expected a file, got {'a folder' if path.is_dir() else 'nothing'}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{name}: expected an npz file as numpy.savez writes it, got something else or a torn one")
    arrays = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            try:
                arrays[key] = file[key]
            except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(f"{name}: expected {key} to be a plain array, got {error}") from error
            if not isinstance(arrays[key], np.ndarray):
                raise ValueError(f"{name}: expected {key} to be a plain array, got a file of another kind")
    return arrays


def _group(name: str, arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays by part and key; the one part "all" where the names have no parts."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for word, array in arrays.items():
        part, key = _parse(word)
        if key is None:
            raise ValueError(f"{name}: expected {ACCEPTED}, got {sorted(arrays)}")
        if key in groups.setdefault(part, {}):
            raise ValueError(f"{name}: expected one array of {key} for {part}, got several among {sorted(arrays)}")
        groups[part][key] = array
    whole, needed = "all" in groups, {"train", "test"}
    if not groups or (whole and len(groups) > 1) or (not whole and not needed <= set(groups)):
        raise ValueError(f"{name}: expected {ACCEPTED}, got {sorted(arrays)}")
    return groups


def _parse(word: str) -> tuple[str, str | None]:
    """``train_image`` or ``image_train`` to ("train", "image"); the key is None where it is unknown."""
    if word in KEY_WORDS:
        return "all", KEY_WORDS[word]
    before, _, after = word.partition("_")
    for part, key in ((before, after), (after, before)):
        if part in PART_WORDS and key in KEY_WORDS:
            return PART_WORDS[part], KEY_WORDS[key]
    return "all", None


def _convert(name: str, key: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """An array as `Dataset` wants it, under the key that fits what it holds."""
    got = f"got {array.dtype} {list(array.shape)}"
    if key == "label":
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]  # as Keras's cifar10
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(f"{name}: expected label to be integers [N], {got}")
        if len(array) and not 0 <= array.min() <= array.max() < 2**31:
            raise ValueError(f"{name}: expected labels 0, 1, 2 and so on, got {array.min()}..{array.max()}")
        return key, array.astype(np.int32)
    if key == "image" or array.ndim > 2:
        if array.dtype != np.uint8 or array.ndim not in (3, 4):
            raise ValueError(f"{name}: expected images to be uint8 [N, H, W] or [N, H, W, C], {got}")
        return "image", array[..., None] if array.ndim == 3 else array
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected x to be numbers [N, D] or uint8 images, {got}")
    return "x", array.astype(np.float32)


def _parts(name: str, arrays: dict[str, dict]) -> tuple[dict[str, dict], str]:
    n = {part: len(next(iter(group.values()))) for part, group in arrays.items()}
    if "all" in arrays:
        return take(arrays["all"], split_indices(n["all"], what=name)), "split 80/10/10, seed 0"
    if "validation" in arrays:
        return {part: arrays[part] for part in PARTS}, "its own parts"
    held = take(arrays["train"], hold_out(n["train"], what=name))
    return {**held, "test": arrays["test"]}, "validation a tenth of train, seed 0"


def _classes(name: str, parts: dict[str, dict]) -> tuple[str, ...] | None:
    if "label" not in parts["train"]:
        return None
    labels = np.concatenate([group["label"] for group in parts.values() if "label" in group])
    count = 1 + int(labels.max())
    if count > len(labels):  # numbers of another kind, years say: no network should get that many classes
        raise ValueError(f"{name}: expected labels below their number, {len(labels)}, got {count - 1}")
    return tuple(str(k) for k in range(count))
