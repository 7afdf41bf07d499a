"""A normalizing flow: a density by change of variables (Rezende and Mohamed 2015; Dinh et al. 2015, equation 2)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector, per_example


class Base(NamedTuple):
    """A density of noise, number by number. log_prob: z [...] -> [...] in nats; sample: (key, shape) -> z."""

    log_prob: Callable[[Array], Array]
    sample: Callable[[Array, tuple[int, ...]], Array]


NORMAL = Base(lambda z: -0.5 * (z**2 + math.log(2 * math.pi)), jax.random.normal)
LOGISTIC = Base(lambda z: jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z), jax.random.logistic)


class Flow(NamedTuple):
    """Data x [B, ...] -> noise z [B, *shape] by a bijector; the parameters are {"flow": ...}.

    shape: of one example's noise. condition [B, ...]: what the density is conditional on, where the bijector's
    networks take it. A Flow is a description: its methods are pure functions of the parameters.
    """

    bijector: Bijector
    shape: tuple[int, ...]
    base: Base = NORMAL

    def init(self, key: Array, x: Array, condition: Array | None = None) -> dict[str, Any]:
        """Return fresh parameters; layers that start from data start from x [B, ...], which must be real data."""
        return {"flow": self.bijector.init(key, x, condition)["params"]}

    def encode(
        self, params: Any, x: Array, condition: Array | None = None, *, key: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the noise z [B, *shape] of x [B, ...], and log|det dz/dx| [B] in nats.

        key: for bijectors that estimate their log-determinant, such as a continuous one's trace.
        """
        rngs = {} if key is None else {"trace": key}
        return self.bijector.apply({"params": params["flow"]}, x, condition, rngs=rngs)

    def decode(self, params: Any, z: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return the x [B, ...] of noise z [B, *shape], and log|det dx/dz| [B] in nats."""
        return self.bijector.apply({"params": params["flow"]}, z, condition, method="inverse")

    def log_prob(self, params: Any, x: Array, condition: Array | None = None, *, key: Array | None = None) -> Array:
        """Return log p(x) [B] in nats. key: as for `encode`."""
        z, log_det = self.encode(params, x, condition, key=key)
        return per_example(self.base.log_prob(z)) + log_det

    def sample(
        self, params: Any, key: Array, n: int, condition: Array | None = None, *, temperature: Array | float = 1.0
    ) -> Array:
        """Return n samples [n, ...]; temperature scales the noise (Kingma and Dhariwal 2018, section 6)."""
        return self.sample_and_log_prob(params, key, n, condition, temperature=temperature)[0]

    def sample_and_log_prob(
        self, params: Any, key: Array, n: int, condition: Array | None = None, *, temperature: Array | float = 1.0
    ) -> tuple[Array, Array]:
        """Return n samples [n, ...], and the log-densities [n] in nats that they were drawn from."""
        noise = self.base.sample(key, (n, *self.shape))
        x, log_det = self.decode(params, temperature * noise, condition)
        numbers = noise[0].size
        return x, per_example(self.base.log_prob(noise)) - numbers * jnp.log(temperature) - log_det
