"""``folder:PATH``: a folder of pictures, with or without class folders and parts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from jaxgen.data.dataset import Dataset
from jaxgen.data.lazy import Lazy, Select, pick
from jaxgen.data.split import hold_out, split_indices

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")


def load(path: str, *, lazy: bool = False) -> Dataset:
    """Reads a folder of pictures of one size.

    Pictures lie in the folder itself (no labels) or in class folders (labels in sorted order of the names).
    Where ``PATH/train`` and ``PATH/test`` exist they are the parts, with ``PATH/validation`` or ``PATH/val``
    or else a seeded tenth of train; otherwise the whole is split 80/10/10 by seed 0. One channel where every
    picture is grey, else RGB; transparency is dropped.

    Args:
      path: of the folder; ``~`` is the home folder.
      lazy: leave the pictures on disk, each part a `Lazy`; now only their headers are read.

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
    labels = [label for _, found in listed.values() for label in found]
    label = np.array([classes.index(label) for label in labels], np.int32) if classes else None
    parts, how = _parts(f"data set 'folder:{path}'", {part: len(found) for part, (found, _) in listed.items()})
    if lazy:
        pictures = Pictures(f"data set 'folder:{path}'", files, label)
        parts = {part: Lazy(pictures, rows) for part, rows in parts.items()}
    else:
        arrays = {"image": _read(files)} | ({"label": label} if classes else {})
        parts = {part: pick(arrays, rows) for part, rows in parts.items()}
    return Dataset(
        name=f"folder:{path}",
        **parts,
        source=f"{len(files)} pictures of folder {path}, {how}",
        levels=256,
        classes=classes,
    )


class Pictures:
    """Picture files as a source of rows: ``image``, and ``label`` if there are any.

    Args:
      name: for errors.
      files: of pictures of one size.
      label: int32, one a file, or None.

    Raises:
      ValueError: when a header cannot be read, or sizes differ.
    """

    def __init__(self, name: str, files: Sequence[Path], label: np.ndarray | None):
        self.name, self._files, self._label = name, files, label
        headers = [_read_header(file) for file in files]
        self._shape = _shape(files, headers)

    def __len__(self) -> int:
        return len(self._files)

    def __getitems__(self, indices: Sequence[int]) -> dict[str, np.ndarray]:
        """Rows: ``image`` uint8 [N, H, W, C] and ``label`` int32 [N].

        Raises:
          ValueError: when a picture cannot be read or is no longer what it was.
        """
        arrays = {"image": np.empty((len(indices), *self._shape), np.uint8)}
        for row, i in zip(arrays["image"], indices, strict=True):
            picture = _read_one(self._files[i])
            if picture.shape[:2] != self._shape[:2] or picture.shape[2] not in (1, self._shape[2]):
                raise ValueError(f"{self._files[i]}: expected {list(self._shape)} as before, got {list(picture.shape)}")
            row[:] = picture
        if self._label is not None:
            arrays["label"] = self._label[np.asarray(indices)]
        return arrays


def _parts(what: str, sizes: dict[str, int]) -> tuple[dict[str, Select], str]:
    """The rows of all files that each part is, from the numbers of files listed; a line on how."""
    if "all" in sizes:
        return split_indices(sizes["all"], what=what), "split 80/10/10, seed 0"
    stops = np.cumsum(list(sizes.values())).tolist()
    parts = {part: range(stop - n, stop) for (part, n), stop in zip(sizes.items(), stops, strict=True)}
    if "validation" in sizes:
        return parts, "its own train, validation and test folders"
    return {**parts, **hold_out(sizes["train"], what=what)}, "validation a tenth of train, seed 0"  # train is first


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
    image = np.empty((len(files), *_shape(files, [picture.shape for picture in pictures])), np.uint8)
    for i, picture in enumerate(pictures):
        image[i] = picture  # one grey channel fills all three
    return image


def _shape(files: Sequence[Path], shapes: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """The one shape [H, W, C] that holds pictures of these."""
    for file, shape in zip(files, shapes, strict=True):
        if shape[:2] != shapes[0][:2]:
            first, other = f"{files[0]} of {_size(shapes[0])}", f"{file} of {_size(shape)}"
            raise ValueError(f"expected pictures of one size, got {first} and {other}")
    return (*shapes[0][:2], max(shape[2] for shape in shapes))


def _read_header(file: Path) -> tuple[int, int, int]:
    """The shape [H, W, 1 or 3] that `_read_one` returns."""
    with _opened(file) as picture:
        return picture.height, picture.width, 1 if picture.mode in GREY_MODES else 3


def _read_one(file: Path) -> np.ndarray:
    with _opened(file) as picture:
        if picture.mode in GREY_MODES:
            return np.asarray(picture.convert("L"))[..., None]
        # By way of RGBA where colours are looked up: Pillow warns of palettes with transparency.
        return np.asarray((picture.convert("RGBA") if picture.mode == "P" else picture).convert("RGB"))


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as picture:
            if picture.mode in GREY_MODES + COLOUR_MODES:
                yield picture
                return
            mode = picture.mode
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for a torn or foreign file
        raise ValueError(f"{file}: expected a picture Pillow can read, got {error}") from error
    raise ValueError(f"{file}: expected a picture of 8 bits a channel, got Pillow mode {mode}")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
