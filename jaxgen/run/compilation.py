"""Compiled programs kept on disk, so that a command starts faster the next time."""

import contextlib
import logging
import tempfile
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.data.cache import cache_root

MOST_BYTES = 2**30
LEAST_SECONDS = 0.3  # what compiles faster is not worth a file
log = logging.getLogger(__name__)


def keep_compiled() -> None:
    """Keep what this process compiles below `cache_root`; of more than a gibibyte there the oldest goes now.

    JAX's own limit of size would look at every file there at each write, under a lock. A folder that
    `JAX_COMPILATION_CACHE_DIR` names, or the program has set, stays as it is. Where the folder cannot be written, says
    so in the log; nothing is kept then.
    """
    if jax.config.jax_compilation_cache_dir:
        return
    folder = cache_root() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        trim(folder, MOST_BYTES)
    except OSError as error:
        log.warning("compiled programs cannot be kept in %s (%s)", folder, error)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    compilation_cache.reset_cache()  # JAX decides once, and imports may have compiled something before


def trim(folder: Path, most: int) -> None:
    """Delete a folder's oldest programs until the others hold at most so many bytes, and those that are empty.

    Other processes may write and delete there meanwhile.
    """
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat(), path))
    held = 0
    for told, path in sorted(found, key=lambda one: one[0].st_mtime, reverse=True):
        held += told.st_size
        if held > most or not told.st_size:
            path.unlink(missing_ok=True)
