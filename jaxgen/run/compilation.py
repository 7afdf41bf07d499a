"""Compiled programs kept on disk, so that a command starts faster the next time."""

import logging
import tempfile

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.data.cache import cache_root

MOST_BYTES = 2**30
LEAST_SECONDS = 0.3  # what compiles faster is not worth a file
log = logging.getLogger(__name__)


def keep_compiled() -> None:
    """Keep what this process compiles below `cache_root`; of more than a gibibyte the least recently used goes.

    A folder that `JAX_COMPILATION_CACHE_DIR` names, or the program has set, stays as it is. Where the folder cannot be
    written, says so in the log; nothing is kept then.
    """
    if jax.config.jax_compilation_cache_dir:
        return
    folder = cache_root() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for program in folder.glob("*-cache"):  # of a process killed between its two files: no later one could write
            if not program.with_name(program.name.removesuffix("-cache") + "-atime").exists():
                program.unlink()
    except OSError as error:
        log.warning("compiled programs cannot be kept in %s (%s)", folder, error)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    compilation_cache.reset_cache()  # JAX decides once, and imports may have compiled something before
