"""Data: embedded, toy, procedural, TFDS, folder, npz and table sets behind one door, `load`."""

from jaxgen.data.catalogue import load, names
from jaxgen.data.dataset import PARTS, Dataset

__all__ = ["PARTS", "Dataset", "load", "names"]
