"""The data of a run: in memory, or read when asked for where it is large."""

import numpy as np

from jaxgen.data import Dataset, load
from jaxgen.data.lazy import Lazy, nbytes, size, take_rows
from jaxgen.run.experiment import Common

RESIDENT_BYTES = 2**31  # a larger training set is streamed


def on_host(config: Common, train) -> bool:
    """Say whether the training set stays on the host: as --data-on says, else by its size."""
    return config.data_on == "host" or (config.data_on is None and nbytes(train) > RESIDENT_BYTES)


def open_data(config: Common) -> Dataset:
    """Return the data set of a run; one that is to be streamed is not read, and none is read twice.

    Raises ValueError as `load` does.
    """
    if config.data_on == "device":
        return load(config.data)
    data = load(config.data, lazy=True)
    return load(config.data) if isinstance(data.train, Lazy) and not on_host(config, data.train) else data


def first(part, count: int) -> dict[str, np.ndarray]:
    """Return the first examples of a part, at most `count`, with their "index"."""
    index = np.arange(min(count, size(part)), dtype=np.int32)
    return {**take_rows(part, index), "index": index}
