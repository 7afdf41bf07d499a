"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write(path, content: bytes) -> Path:
    """Put `content` at `path` in one move, so that no reader ever sees half a file; missing folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # the same folder: a rename across disks is no move
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
