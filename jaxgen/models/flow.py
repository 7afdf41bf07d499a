"""A normalizing flow: a density by change of variables (Rezende and Mohamed 2015; Dinh et al. 2015, equation 2)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.base import Array, Bijector, per_example
from jaxgen.bijectors.linear import check_linear
from jaxgen.models.mixture import Mixture


class Base(NamedTuple):
    """A density of noise, number by number. log_prob: z [...] -> [...] in nats; sample: (key, shape) -> z."""

    log_prob: Callable[[Array], Array]
    sample: Callable[[Array, tuple[int, ...]], Array]


NORMAL = Base(lambda z: -0.5 * (z**2 + math.log(2 * math.pi)), jax.random.normal)
LOGISTIC = Base(lambda z: jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z), jax.random.logistic)


class Flow(NamedTuple):
    """Data x [B, ...] -> noise z [B, *shape] by a bijector; the parameters are those of `networks`.

    shape: of one example's noise. base: its density; one that is learned is of vectors [B, D]. condition [B, ...]: what
    the density is conditional on, where the bijector's networks take it. A Flow is a description: its methods are pure
    functions of the parameters.
    """

    bijector: Bijector
    shape: tuple[int, ...]
    base: Base | Mixture = NORMAL

    @property
    def networks(self) -> tuple[str, ...]:
        """What has parameters, by name: the bijector, and a base that is learned."""
        return ("flow", "base") if isinstance(self.base, Mixture) else ("flow",)

    def init(self, key: Array, x: Array, condition: Array | None = None) -> dict[str, Any]:
        """Return fresh parameters; layers that start from data start from x [B, ...], which must be real data.

        Raises ValueError as `encode` does, for an x or a condition that is not finite.
        """
        _finite("x", x)
        _finite("condition", condition)
        params = {"flow": self.bijector.init(key, x, condition).get("params", {})}
        if isinstance(self.base, Mixture):
            params["base"] = self.base.init(jax.random.fold_in(key, 1), jnp.zeros((1, *self.shape)))["params"]
        return params

    def encode(
        self, params: Any, x: Array, condition: Array | None = None, *, key: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the noise z [B, *shape] of x [B, ...], and log|det dz/dx| [B] in nats.

        key: for bijectors that estimate their log-determinant, such as a continuous one's trace.
        Raises ValueError for an x of another size; for an x or a condition that is not finite, a linear map that is
        singular and a solver that does not arrive, where values are known: inside a compiled or differentiated function
        they are not.
        """
        return self._apply("forward", params, "x", x, condition, key)[0]

    def decode(
        self, params: Any, z: Array, condition: Array | None = None, *, key: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the x [B, ...] of noise z [B, *shape], and log|det dx/dz| [B] in nats.

        key, and what is refused: as for `encode`.
        """
        return self._apply("inverse", params, "noise", z, condition, key)[0]

    def noise_log_prob(self, params: Any, z: Array, temperature: Array | float = 1.0) -> Array:
        """Return the log-density [B] in nats of noise z [B, *shape] that `temperature` has scaled."""
        if isinstance(self.base, Mixture):
            return self.base.apply({"params": params["base"]}, z, temperature)
        return per_example(self.base.log_prob(z / temperature)) - z[0].size * jnp.log(temperature)

    def noise(self, params: Any, key: Array, n: int, temperature: Array | float = 1.0) -> Array:
        """Return noise [n, *shape] that `temperature` has scaled; of a mixture, each component about its mean.

        Raises ValueError for a temperature that is known and not above 0.
        """
        if not isinstance(temperature, jax.core.Tracer) and not temperature > 0:
            raise ValueError(f"a flow: expected a temperature above 0, got {temperature}")
        if isinstance(self.base, Mixture):
            return self.base.apply({"params": params["base"]}, key, n, temperature, method="sample")
        return temperature * self.base.sample(key, (n, *self.shape))

    def log_prob(self, params: Any, x: Array, condition: Array | None = None, *, key: Array | None = None) -> Array:
        """Return log p(x) [B] in nats. key, and what is refused: as for `encode`."""
        return self.log_prob_and_steps(params, x, condition, key=key)[0]

    def log_prob_and_steps(
        self, params: Any, x: Array, condition: Array | None = None, *, key: Array | None = None
    ) -> tuple[Array, dict[str, Array]]:
        """Return log p(x) [B] in nats, and how many steps the layers' solvers took: see `solver_steps`."""
        (z, log_det), sown = self._apply("forward", params, "x", x, condition, key)
        return self.noise_log_prob(params, z) + log_det, solver_steps(sown)

    def sample(
        self, params: Any, key: Array, n: int, condition: Array | None = None, *, temperature: Array | float = 1.0
    ) -> Array:
        """Return n samples [n, ...]; temperature scales the noise (Kingma and Dhariwal 2018, section 6)."""
        return self.sample_and_log_prob(params, key, n, condition, temperature=temperature)[0]

    def sample_and_log_prob(
        self, params: Any, key: Array, n: int, condition: Array | None = None, *, temperature: Array | float = 1.0
    ) -> tuple[Array, Array]:
        """Return n samples [n, ...], and the log-densities [n] in nats that they were drawn from.

        The latter are estimates where the bijector estimates its log-determinant.
        Raises ValueError for a condition that is not one for each sample.
        """
        if condition is not None and len(condition) != n:
            raise ValueError(f"sample: expected a condition for each of n={n} samples, got shape {condition.shape}")
        z = self.noise(params, key, n, temperature)
        x, log_det = self.decode(params, z, condition, key=jax.random.fold_in(key, 1))
        return x, self.noise_log_prob(params, z, temperature) - log_det

    def _apply(
        self, method: str, params: Any, name: str, x: Array, condition: Array | None, key: Array | None
    ) -> tuple[tuple[Array, Array], Any]:
        """Return what a method of the bijector does, and what the layers sow."""
        if 0 in x.shape or math.prod(x.shape[1:]) != math.prod(self.shape):
            wanted = f"[B, ...] of {math.prod(self.shape)} numbers an example"
            raise ValueError(f"a flow: expected {name} {wanted}, got shape {x.shape}")
        _finite(name, x)
        _finite("condition", condition)
        check_linear(params["flow"])  # repeated layers see no values
        rngs = {} if key is None else {"trace": key}
        done, sown = self.bijector.apply(
            {"params": params["flow"]}, x, condition, rngs=rngs, mutable="intermediates", method=method
        )
        _arrived(done, sown)
        return done, sown


def solver_steps(sown: Any) -> dict[str, Array]:
    """Return the means over the solves that layers sowed of the steps "accepted" and "rejected"; {} without any."""
    solves = [leaf for leaf in jax.tree.leaves_with_path(sown) if "['solves']" in jax.tree_util.keystr(leaf[0])]
    names = sorted({path[-1].key for path, _ in solves})
    counts = {name: [jnp.ravel(count) for path, count in solves if path[-1].key == name] for name in names}
    return {name: jnp.concatenate(each).mean() for name, each in counts.items()}


def _arrived(done: tuple[Array, Array], sown: Any) -> None:
    if any(isinstance(leaf, jax.core.Tracer) for leaf in done) or not (steps := solver_steps(sown)):
        return
    if bad := sum(int(jnp.isnan(leaf).sum()) for leaf in done):
        told = ", ".join(f"{float(count):g} steps {name}" for name, count in steps.items())
        raise ValueError(f"a flow: a layer's solver did not arrive within its max_steps, {bad} numbers are nan: {told}")


def _finite(name: str, x: Array | None) -> None:
    if x is None or isinstance(x, jax.core.Tracer):
        return
    x = np.asarray(x)
    finite = np.isfinite(x)
    if not finite.all():
        first = tuple(np.argwhere(~finite)[0].tolist())
        rows = (~finite).reshape(len(x), -1).any(-1).sum()
        raise ValueError(
            f"a flow: expected finite {name}, got {x[first]} at index {first} of shape {x.shape}, "
            f"the first of {rows} such examples"
        )
