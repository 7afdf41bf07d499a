"""Files inside installed packages, found without importing the packages."""

from importlib.util import find_spec
from pathlib import Path


def inside(package: str, rest: str = "") -> Path:
    """Return a file or folder of a top-level package.

    The package alone is looked up: to find a subpackage, the import system would run its parents, which takes seconds.
    """
    return Path(find_spec(package).submodule_search_locations[0]) / rest
