"""Experience replay: a uniform sample of everything that the generator has made, for the discriminator to see again."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.nn.axis import dealt, gathered

Array = jax.Array
Pool = dict[str, Array]
MOST = 2**30  # examples counted; from there on a new one is kept as seldom as this one


class Replay(NamedTuple):
    """How much is kept and shown (Shrivastava et al. 2017, section 2.3, with a uniform memory).

    size: examples kept, out of all that were made, each with the same probability (Vitter 1985, algorithm R).
    share: of the examples that the discriminator is shown, how many are old ones.
    """

    size: int
    share: float = 0.5

    def start(self, x: Array) -> Pool:
        """Return an empty pool for examples like x [B, ...]. Raises ValueError for sizes and shares out of range."""
        if self.size < 1 or not 0 <= self.share <= 1:
            raise ValueError(f"replay needs a size of at least 1 and a share in [0, 1], got {self.size}, {self.share}")
        return {"examples": jnp.zeros((self.size, *x.shape[1:]), x.dtype), "seen": jnp.int32(0)}

    def mix(self, key: Array, pool: Pool, fake: Array) -> tuple[Array, Pool]:
        """Return (fake with its first rows replaced by old ones, the pool with the new ones). fake: [B, ...]."""
        draw, keep = jax.random.split(key)
        count = round(self.share * len(fake))
        row = jax.random.randint(draw, (count,), 0, jnp.clip(pool["seen"], 1, self.size))
        old = jnp.where(pool["seen"] > 0, pool["examples"][row], fake[:count])
        mixed = jnp.concatenate([old.astype(fake.dtype), fake[count:]])
        return mixed, remember(keep, pool, jax.lax.stop_gradient(fake))


def remember(key: Array, pool: Pool, new: Array) -> dict[str, Any]:
    """Return the pool after `new` [B, ...] of every device have come by, in order; it is the same on all devices."""
    new = gathered(new)
    place = pool["seen"] + jnp.arange(len(new), dtype=jnp.int32)
    size = len(pool["examples"])
    slot = jnp.where(place < size, place, dealt(jax.random.randint(key, place.shape, 0, place + 1)))
    # Where several want one slot the last has it. A slot beyond the pool is dropped.
    last = jnp.zeros(size, jnp.int32).at[slot].max(jnp.arange(1, len(new) + 1, dtype=jnp.int32), mode="drop")
    chosen = last.reshape(-1, *[1] * (new.ndim - 1)) > 0
    examples = jnp.where(chosen, new[jnp.maximum(last - 1, 0)].astype(pool["examples"].dtype), pool["examples"])
    return {"examples": examples, "seen": jnp.minimum(pool["seen"] + len(new), MOST)}
