"""Arrays kept on disk between runs, so that a set is decoded once.

A folder of .npy files and a manifest with their checksums. The manifest is written last and every file is
put in place by a rename: a killed writer leaves an entry that reads as absent, never a wrong one.
"""

import json
import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


def cache_root() -> Path:
    """``$JAXGEN_CACHE``, else ``$XDG_CACHE_HOME/jaxgen``, else ``~/.cache/jaxgen``."""
    if root := os.environ.get("JAXGEN_CACHE"):
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxgen"


def read(folder: Path) -> tuple[dict[str, np.ndarray], dict] | None:
    """Reads what `write` left.

    Returns:
      the arrays by name and the notes, or None where the entry is absent, torn or altered.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in manifest["checksums"]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        # Whatever a torn file makes of itself; the caller decodes afresh, so nothing is lost but time.
        log.warning("cache entry %s cannot be read (%s), making it anew", folder, error)
        return None
    if any(_checksum(array) != manifest["checksums"][name] for name, array in arrays.items()):
        log.warning("cache entry %s does not match its checksums, making it anew", folder)
        return None
    return arrays, manifest["notes"]


def write(folder: Path, arrays: Mapping[str, np.ndarray], notes: Mapping) -> None:
    """Keeps the arrays, or logs why it cannot: a read-only disk slows the next run, it does not stop this one.

    Args:
      folder: the entry, made where absent.
      arrays: by name; names become file names.
      notes: anything JSON can hold, returned by `read`.
    """
    manifest = {"checksums": {name: _checksum(array) for name, array in arrays.items()}, "notes": dict(notes)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            _replace(folder / f"{name}.npy", lambda file, array=array: np.save(file, array, allow_pickle=False))
        _replace(folder / MANIFEST, lambda file: file.write(json.dumps(manifest).encode()))
    except OSError as error:
        log.warning("cannot keep decoded data in %s (%s); it will be decoded again next time", folder, error)


def _replace(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _checksum(array: np.ndarray) -> str:
    head = f"{array.dtype} {array.shape} ".encode()
    return f"{zlib.crc32(np.ascontiguousarray(array), zlib.crc32(head)):08x}"
