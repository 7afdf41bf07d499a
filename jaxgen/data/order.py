"""The order of the examples: a fresh permutation each epoch, a function of seed and epoch alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

ORDER = 2  # folded into a run's root key; jaxgen.step uses 0 and 1


def epoch_order(key: jax.Array, epoch: jax.Array | int, size: int) -> jax.Array:
    """Return the order [size] of one epoch's examples. key: the run's root key."""
    key = jax.random.fold_in(jax.random.fold_in(key, ORDER), epoch)
    # One sort of 32 random bits: ties are rare, keep their order, and bias nothing that could be seen.
    return jnp.argsort(jax.random.bits(key, (size,), jnp.uint32), stable=True).astype(jnp.int32)


@partial(jax.jit, static_argnames="size")
def _epochs(key: jax.Array, epochs: jax.Array, size: int) -> jax.Array:
    return jax.vmap(lambda epoch: epoch_order(key, epoch, size))(epochs)


def check_batch_size(size: int, batch_size: int) -> None:
    """Raise ValueError for a batch size that a set of `size` examples cannot fill."""
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, got {batch_size}")
    if batch_size > size:
        raise ValueError(f"the batch size must be at most the {size} training examples, got {batch_size}")


class Batches:
    """The indices of a run's batches: each epoch in its own order, a last partial batch left out.

    Steps count from the start of the run, so the position in the data is the step and nothing else.
    """

    def __init__(self, key: jax.Array, size: int, batch_size: int):
        """key: the run's root key. size: examples in the set. Raises ValueError for an impossible batch size."""
        check_batch_size(size, batch_size)
        self.key, self.size, self.batch_size = key, size, batch_size
        self.per_epoch = size // batch_size
        self._known: dict[int, np.ndarray] = {}

    def position(self, step: int) -> dict[str, int]:
        """Return where in the data a step reads: epoch, and batch within it."""
        return {"epoch": step // self.per_epoch, "batch": step % self.per_epoch}

    def indices(self, step: int, count: int) -> np.ndarray:
        """Return the indices [count, batch_size] of the batches from `step` on, int32."""
        rows = []
        while count > 0:
            epoch, first = divmod(step, self.per_epoch)
            last = min(first + count, self.per_epoch)
            order = self._order(epoch)[: self.per_epoch * self.batch_size].reshape(self.per_epoch, self.batch_size)
            rows.append(order[first:last])
            step, count = step + last - first, count - (last - first)
        return np.concatenate(rows)

    def _order(self, epoch: int) -> np.ndarray:
        known = self._known
        if epoch not in known:
            ahead = max(1, 2**14 // self.size)  # small sets: many epochs in one call
            orders = np.asarray(_epochs(self.key, jnp.arange(epoch, epoch + ahead), self.size))
            known = self._known = dict(zip(range(epoch, epoch + ahead), orders, strict=True))
        return known[epoch]
