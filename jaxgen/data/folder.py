"""``folder:PATH``: a folder of pictures, with or without class folders and parts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.data.dataset import Dataset
from jaxgen.data.split import hold_out, split_indices, take

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")


def load(path: str) -> Dataset:
    """Reads a folder of pictures of one size.

    Pictures lie in the folder itself (no labels) or in class folders (labels in sorted order of the names).
    Where ``PATH/train`` and ``PATH/test`` exist they are the parts, with ``PATH/validation`` or ``PATH/val``
    or else a seeded tenth of train; otherwise the whole is split 80/10/10 by seed 0. One channel where every
    picture is grey, else RGB; transparency is dropped.

    Args:
      path: of the folder; ``~`` is the home folder.

    Returns:
      the `Dataset`.

    Raises:
      ValueError: no such folder, no pictures, fewer than three, several sizes, or a picture that cannot be read.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise ValueError(f"data set 'folder:{path}': expected a folder, got {'a file' if root.exists() else 'nothing'}")
    folders = _part_folders(root)
    listed = {part: _list(folder) for part, folder in (folders or {"all": root}).items()}
    classes = _classes(root, {part: labels for part, (_, labels) in listed.items()})
    files = [file for found, _ in listed.values() for file in found]
    image = _read(files)
    arrays, start = {}, 0
    for part, (found, labels) in listed.items():
        arrays[part] = {"image": image[start : start + len(found)]}
        if classes:
            arrays[part]["label"] = np.array([classes.index(label) for label in labels], np.int32)
        start += len(found)
    what = f"data set 'folder:{path}'"
    if "all" in arrays:
        parts, how = take(arrays["all"], split_indices(len(image), what=what)), "split 80/10/10, seed 0"
    elif "validation" in arrays:
        parts, how = arrays, "its own train, validation and test folders"
    else:
        held = hold_out(len(arrays["train"]["image"]), what=what)
        parts, how = {**take(arrays["train"], held), "test": arrays["test"]}, "validation a tenth of train, seed 0"
    return Dataset(
        name=f"folder:{path}",
        **parts,
        source=f"{len(files)} pictures of folder {path}, {how}",
        levels=256,
        classes=classes,
    )


def _part_folders(root: Path) -> dict[str, Path]:
    """The folders of the parts; none where the folder is not laid out in parts."""
    folders = {part: root / part for part in ("train", "validation", "test") if (root / part).is_dir()}
    if "validation" not in folders and (root / "val").is_dir():
        folders["validation"] = root / "val"
    if len(folders) < 2:
        return {}  # a lone folder of such a name is a class: pictures of trains, say
    for part in ("train", "test"):
        if part not in folders:
            raise ValueError(
                f"{root}: expected the folders train and test, got {sorted(p.name for p in folders.values())}"
            )
    return {part: folders[part] for part in ("train", "validation", "test") if part in folders}


def _list(folder: Path) -> tuple[list[Path], list[str]]:
    """The pictures of one part, and the class of each; no classes where they lie in the folder itself."""
    here = _pictures(folder)
    classes = {child.name: _pictures(child) for child in _children(folder) if child.is_dir()}
    filled = {name: files for name, files in classes.items() if files}
    if here and filled:
        raise ValueError(
            f"{folder}: expected pictures in the folder or in class folders, got both: "
            f"{here[0].name} and {next(iter(filled))}/"
        )
    if here:
        return here, []
    if not filled:
        raise ValueError(f"{folder}: expected pictures ({', '.join(SUFFIXES)}), got none")
    for name, files in classes.items():
        if not files:
            raise ValueError(f"{folder}: expected pictures in every class folder, got none in {name}/")
    return [f for files in filled.values() for f in files], [n for n, files in filled.items() for _ in files]


def _classes(root: Path, labels: dict[str, list[str]]) -> tuple[str, ...] | None:
    first = next(iter(labels))
    known = sorted(set(labels[first]))
    for part, found in labels.items():
        extra = sorted(set(found) - set(known))
        if extra or bool(found) != bool(known):
            came = sorted(set(found)) or "none"
            raise ValueError(
                f"{root}: expected the class folders of {first}, {known or 'none'}, in {part} too, got {came}"
            )
    return tuple(known) or None


def _pictures(folder: Path) -> list[Path]:
    return [f for f in _children(folder) if f.suffix.lower() in SUFFIXES and f.is_file()]


def _children(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if not f.name.startswith("."))


def _read(files: Sequence[Path]) -> np.ndarray:
    """All pictures, uint8 ``[N, H, W, 1 or 3]``."""
    pictures = [_read_one(file) for file in files]
    channels = max(picture.shape[-1] for picture in pictures)
    image = np.empty((len(files), *pictures[0].shape[:2], channels), np.uint8)
    for i, picture in enumerate(pictures):
        if picture.shape[:2] != image.shape[1:3]:
            first, other = f"{files[0]} of {_size(pictures[0])}", f"{files[i]} of {_size(picture)}"
            raise ValueError(f"expected pictures of one size, got {first} and {other}")
        image[i] = picture  # one grey channel fills all three
    return image


def _read_one(file: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file) as picture:
            mode = picture.mode
            if mode in GREY_MODES:
                return np.asarray(picture.convert("L"))[..., None]
            if mode in COLOUR_MODES:
                # By way of RGBA where colours are looked up: Pillow warns of palettes with transparency.
                return np.asarray((picture.convert("RGBA") if mode == "P" else picture).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for a torn or foreign file
        raise ValueError(f"{file}: expected a picture Pillow can read, got {error}") from error
    raise ValueError(f"{file}: expected a picture of 8 bits a channel, got Pillow mode {mode}")


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
