"""Real text without a download: the docstrings of the scientific packages that jaxgen stands on.

A document is the docstring of a public function or class, its topic the subpackage that defines it. The sources
are parsed and never imported, so no optional dependency is missed and no warning fires.
"""

import ast
import platform
import zlib
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

import numpy as np

from jaxgen.data import cache
from jaxgen.data.dataset import PARTS, Dataset
from jaxgen.data.documents import first_of_each, word_counts
from jaxgen.data.installed import inside

TOPICS = (
    *("numpy.ma", "numpy.polynomial"),
    *("scipy.integrate", "scipy.interpolate", "scipy.linalg", "scipy.ndimage", "scipy.optimize"),
    *("scipy.signal", "scipy.sparse", "scipy.spatial", "scipy.special", "scipy.stats"),
    *("skimage.color", "skimage.filters", "skimage.morphology", "skimage.transform"),
    *("sklearn.datasets", "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection"),
)
RECIPE = 1  # of reading: counts up when anything here or in `documents` changes what is read
PACKAGES = {"numpy": "numpy", "scipy": "scipy", "skimage": "scikit-image", "sklearn": "scikit-learn"}  # in the index


class Document(NamedTuple):
    """A docstring: the name of what it documents, its topic's place in `TOPICS`, its prose."""

    name: str
    topic: int
    text: str


def load() -> Dataset:
    """About 2,000 docstrings as counts of the 2,000 commonest words; their topics are 20 subpackages.

    Packages and topics are never named in the counts. Copies are left out, and whatever bears one name in several
    modules is in one part. What is read is kept on disk for these versions of the packages and of Python.
    """
    versions = [f"{index} {metadata.version(index)}" for index in PACKAGES.values()]
    told = "-".join([str(RECIPE), platform.python_version(), *versions]).replace(" ", "-")
    entry = cache.cache_root() / "docstrings" / told
    if (found := cache.read(entry)) is None:
        found = _read_all(), {}
        cache.write(entry, *found)
    x, label, parts = (found[0][name] for name in ("x", "label", "part"))
    x = x.astype(np.float32)
    return Dataset(
        name="docstrings",
        **{name: {"x": x[parts == part], "label": label[parts == part]} for part, name in enumerate(PARTS)},
        source=f"word counts of docstrings in {', '.join(versions)}, split 80/10/10 by a hash of the documented name",
        classes=TOPICS,
    )


def _read_all() -> dict[str, np.ndarray]:
    """The counts of every document that is kept, its topic and its part's place in `PARTS`."""
    found = [document for topic in range(len(TOPICS)) for document in read(topic)]
    parts = np.array([PARTS.index(_part(document.name)) for document in found])
    named = {word for topic in TOPICS for word in topic.split(".")}
    x = word_counts([document.text for document in found], parts == PARTS.index("train"), dropped=named)
    label = np.array([document.topic for document in found], np.int32)
    kept = first_of_each(x)
    return {"x": x[kept].astype(np.uint16), "label": label[kept], "part": parts[kept]}


def read(topic: int) -> Iterator[Document]:
    """Reads the documents of one of `TOPICS`, in the order of its files: public functions and classes of modules."""
    package, _, part = TOPICS[topic].partition(".")
    root = inside(package, part)
    for path in sorted(root.rglob("*.py")):
        if any("test" in name or "extern" in name for name in path.relative_to(root).parts):
            continue
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                text = ast.get_docstring(node)
                if text and ".. deprecated::" not in text:
                    yield Document(node.name, topic, prose(text))


def prose(text: str) -> str:
    """A docstring without its lines of code, which import what would give its topic away."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith((">>>", "...")))


def _part(name: str) -> str:
    """A tenth of all names for validation and test each: a hash, so that a new version moves no old document."""
    return {0: "validation", 1: "test"}.get(zlib.crc32(name.encode()) % 10, "train")
