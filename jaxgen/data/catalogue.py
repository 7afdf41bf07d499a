"""The one door to data: a name in, a `Dataset` out."""

import difflib

from jaxgen.data.dataset import Dataset
from jaxgen.data.toys import TOYS

EMBEDDED_NAMES = ("digits", "photos", "faces")
DOCUMENT_NAMES = ("docstrings", "newsgroups")  # word counts: neither pictures nor points, and not for every model
PREFIXES = {"tfds": "NAME", "folder": "PATH", "npz": "PATH", "table": "PATH", "stacked": "DATA"}


def names() -> tuple[str, ...]:
    """The sets that need neither files nor a network."""
    return (*EMBEDDED_NAMES, *TOYS, "shapes")


def load(name: str, *, lazy: bool = False) -> Dataset:
    """Loads a data set; the same name gives the same arrays, whatever the run's seed.

    Args:
      name: one of `names()`, of `DOCUMENT_NAMES`, or ``tfds:NAME``, ``folder:PATH``, ``npz:PATH``,
        ``table:PATH``; or ``stacked:DATA``, three grey images of any of these as one.
      lazy: leave TFDS sets and folders on disk, their parts `jaxgen.data.lazy.Lazy` with the same rows; the
        others are in memory anyway.

    Returns:
      the `Dataset`.

    Raises:
      ValueError: for an unknown name, with the nearest known ones, or for data that cannot be read.
    """
    prefix, colon, rest = name.partition(":")
    if colon and prefix in PREFIXES:
        if not rest:
            raise ValueError(f"data set {name!r}: expected {prefix}:{PREFIXES[prefix]}, got nothing after the colon")
        return _load_prefixed(prefix, rest, lazy)
    if name not in (*names(), *DOCUMENT_NAMES):
        raise ValueError(_unknown(name))
    return _load_named(name)


def _load_named(name: str) -> Dataset:
    # Imported here so that one set does not pay for the packages of the others.
    if name in EMBEDDED_NAMES:
        from jaxgen.data import embedded

        return getattr(embedded, name)()
    if name in TOYS:
        from jaxgen.data import toy_dataset

        return toy_dataset.load(name)
    if name in DOCUMENT_NAMES:
        from jaxgen.data import docstrings, newsgroups

        return (docstrings if name == "docstrings" else newsgroups).load()
    from jaxgen.data import shapes

    return shapes.load()


def _load_prefixed(prefix: str, rest: str, lazy: bool) -> Dataset:
    if prefix == "tfds":
        from jaxgen.data import tfds

        return tfds.load(rest, lazy=lazy)
    if prefix == "folder":
        from jaxgen.data import folder

        return folder.load(rest, lazy=lazy)
    if prefix == "stacked":
        from jaxgen.data import stacked

        return stacked.stacked(load(rest))
    from jaxgen.data import npz, table

    return (npz if prefix == "npz" else table).load(rest)


def _unknown(name: str) -> str:
    known = [*names(), *DOCUMENT_NAMES, *(f"{prefix}:{what}" for prefix, what in PREFIXES.items())]
    near = difflib.get_close_matches(name.partition(":")[0], [*names(), *DOCUMENT_NAMES, *PREFIXES], n=3)
    near = [f"{n}:{PREFIXES[n]}" if n in PREFIXES else n for n in near]
    hint = f", did you mean {' or '.join(near)}" if near else ""
    return f"unknown data set {name!r}{hint}; expected one of {', '.join(known)}"
