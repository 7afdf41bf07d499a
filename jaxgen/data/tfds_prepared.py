"""Finding a prepared TFDS set on disk, and preparing one where there is a network.

A prepared set is a folder ``DATA_DIR/NAME/[CONFIG/]VERSION`` with a ``dataset_info.json``. Looking there
needs neither the network nor TensorFlow nor even TFDS.
"""

import difflib
import hashlib
import os
import re
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path

INSTALL = "pip install 'jaxgen[tfds]'"
FULL_INSTALL = "pip install 'jaxgen[tfds]' tensorflow"


def data_dir() -> Path:
    """``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    return Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")


def find(name: str) -> Path | None:
    """The folder of a prepared set.

    Args:
      name: as TFDS writes it, ``NAME[/CONFIG][:VERSION]``.

    Returns:
      the folder of the version asked for, else of the newest; None where there is none.

    Raises:
      ValueError: when several configs are prepared and the name chooses none.
    """
    path, _, version = name.partition(":")
    base = data_dir() / path
    folders = _versions(base)
    if not folders and base.is_dir():
        configs = sorted(child for child in base.iterdir() if child.is_dir() and _versions(child))
        if len(configs) > 1:
            raise ValueError(
                f"data set 'tfds:{name}': expected one of its configs, tfds:{path}/CONFIG with CONFIG in "
                f"{', '.join(c.name for c in configs)}, got none"
            )
        folders = _versions(configs[0]) if configs else []
    if version:
        folders = [folder for folder in folders if folder.name == version]
    return folders[-1] if folders else None


def fingerprint(folder: Path) -> str:
    """A short hash of the set's descriptions and of its files' names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            digest.update(path.read_bytes())
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def network_reachable(timeout: float = 3.0) -> bool:
    """Whether TFDS's storage, or the proxy that leads to it, answers within ``timeout`` seconds."""
    host, port = "storage.googleapis.com", 443
    if proxy := urllib.request.getproxies().get("https"):
        parsed = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host, port = parsed.hostname or host, parsed.port or port
    answered = threading.Event()

    def connect() -> None:
        try:
            with socket.create_connection((host, port), timeout=timeout):
                answered.set()
        except OSError:
            pass  # not reachable: the answer stays no

    # In a thread, for looking up the name has no timeout of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    return answered.is_set()


def prepare(name: str) -> Path:
    """Downloads and prepares a set in array_record form, the one that reads without TensorFlow.

    Args:
      name: as in `find`.

    Returns:
      the folder of the prepared set.

    Raises:
      ValueError: without a network, without what TFDS needs to prepare the set, or when the download fails.
    """
    missing = f"data set 'tfds:{name}' is not prepared in {data_dir()} (TFDS_DATA_DIR)"
    there = sorted(path.name for path in data_dir().iterdir() if path.is_dir()) if data_dir().is_dir() else []
    if near := difflib.get_close_matches(name.split("/")[0].split(":")[0], there, n=3):
        missing += f", where there is {', '.join(near)},"
    command = f"'tfds build {name} --file_format=array_record' (needs {FULL_INSTALL})"
    # TFDS would retry for minutes.
    if not network_reachable():
        raise ValueError(
            f"{missing} and there is no network to fetch it; set TFDS_DATA_DIR, or prepare it by {command}"
        )
    tfds = import_tfds(name)
    try:
        builder = tfds.builder(name, data_dir=data_dir(), file_format="array_record")
        builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(f"{missing} and TFDS {tfds.__version__} knows no set of this name") from error
    except ImportError as error:
        raise ValueError(f"{missing} and preparing it needs {error.name or error}: {FULL_INSTALL}") from error
    except OSError as error:
        raise ValueError(f"{missing} and the download failed ({_one_line(error)}); prepare it by {command}") from error
    return Path(builder.data_path)


def import_tfds(name: str):
    """Imports TFDS, or says which extra holds it."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ValueError(f"data set 'tfds:{name}' needs {error.name or error}: {INSTALL}") from error
    return tensorflow_datasets


def _versions(folder: Path) -> list[Path]:
    """Prepared versions in a folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+", p.name)]
    found = [p for p in found if (p / "dataset_info.json").is_file()]
    return sorted(found, key=lambda p: tuple(int(n) for n in p.name.split(".")))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
