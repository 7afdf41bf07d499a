"""A toy distribution as a fixed data set."""

import jax
import numpy as np

from jaxgen.data.dataset import Dataset
from jaxgen.data.toys import TOYS

SIZES = {"train": 100_000, "validation": 10_000, "test": 10_000}


def load(name: str) -> Dataset:
    """Draws the data set of ``TOYS[name]``, with the exact log-density beside it."""
    toy = TOYS[name]
    # A named implementation: the set must not follow the process's default generator.
    draw = jax.jit(toy.sample, static_argnums=1)
    x = np.asarray(draw(jax.random.key(0, impl="threefry2x32"), sum(SIZES.values())))
    cuts = np.cumsum(list(SIZES.values()))[:-1]
    return Dataset(
        name=name,
        **{part: {"x": rows} for part, rows in zip(SIZES, np.split(x, cuts), strict=True)},
        source=f"{name}, planar toy distribution drawn with key 0, density exact",
        log_density=jax.jit(toy.log_density),
    )
