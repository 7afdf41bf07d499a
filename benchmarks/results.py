"""Where results are kept."""

from pathlib import Path


def writable(name: str | None, flag: str = "--json") -> Path | None:
    """Find out before the minutes of measuring whether the results can be kept: ValueError where not."""
    if name is None:
        return None
    path = Path(name)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{flag} needs a file in a folder that exists, got {name}")
    return path
