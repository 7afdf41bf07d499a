"""The DCGAN of Radford et al. 2016 at the size of their paper: 64 x 64 pixels in three colours, batch 128."""

import jax.numpy as jnp

from benchmarks.subject import Subject
from benchmarks.subjects import dcgan

SIDE, BATCH_SIZE = 64, 128


def subject(*, dtype: jnp.dtype | None = None) -> Subject:
    """Return the DCGAN of four layers a network, from 64 to 512 channels."""
    large = dcgan.subject(dtype=dtype, size=SIDE, batch_size=BATCH_SIZE)
    return large._replace(peers={"torch": "benchmarks.peers.dcgan64"})
