"""Continuous normalising flows (Grathwohl et al. 2019, "FFJORD"): a point drifts, and its density with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.base import Array, Bijector
from jaxgen.nn.condition import check_numbers
from jaxgen.nn.mlp import MLP

SOLVERS = {"tsit5": "Tsit5", "dopri5": "Dopri5"}
ADJOINTS = {"checkpointed": "RecursiveCheckpointAdjoint", "backsolve": "BacksolveAdjoint"}
NOISES = {"rademacher": jax.random.rademacher, "gaussian": jax.random.normal}
TRACES = ("exact", "hutchinson")


class Drift(nn.Module):
    """dx/dt [B, D] at (t, x [B, D], condition [B, ...] or None), all of it read by the first layer of an MLP.

    Starts at zero: the flow starts as y = x. The activation must be smooth, or the solver takes many small steps.
    """

    features: Sequence[int] = (64, 64, 64)
    activation: Callable[[Array], Array] = nn.softplus
    kernel_init: nn.initializers.Initializer = nn.initializers.zeros
    param_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, t: Array, x: Array, condition: Array | None = None) -> Array:
        """t: a scalar; x: [B, D]; condition: [B, ...] or None."""
        check_numbers(self, x, condition, x.shape[-1] + 1)
        time = jnp.full((len(x), 1), t, x.dtype)
        told = [] if condition is None else [condition.reshape(len(x), -1)]
        read = jnp.concatenate([x, time, *told], axis=-1)
        h = MLP(self.features, self.activation, param_dtype=self.param_dtype)(read)
        return nn.Dense(x.shape[-1], kernel_init=self.kernel_init, param_dtype=self.param_dtype)(h)


class Continuous(Bijector):
    """y = x(1) of dx/dt = drift(t, x), x(0) = x; the log-determinant is the integral of the drift's divergence.

    Equations 2 to 4 of the paper. x: [B, ...], flattened for the drift, a module (t, x [B, D], condition) -> [B, D]
    that treats each example on its own. One solve, with one sequence of steps, serves the whole batch.

    trace: "exact", at the cost of D derivatives a step, or "hutchinson" (equation 7): an unbiased estimate by one noise
    vector an example and solve, `noise` "rademacher" or "gaussian", from the random stream "trace"
    (`apply(..., rngs={"trace": key})`); under one key, a layer's forward and inverse have the same noise. tolerance:
    the solver's, relative and absolute. solver: "tsit5" or "dopri5". adjoint: gradients "checkpointed", through the
    solver's steps, or "backsolve", by a second solve backwards in constant memory (section 2.2), right up to the
    tolerance.

    A solve that needs more than max_steps raises ValueError outside of compiled code, and inside gives NaN in place of
    y and the log-determinant; `apply(..., mutable="intermediates")` returns "solves": steps accepted and rejected.
    Raises ValueError for an unknown option or a missing stream "trace"; ImportError without diffrax.
    """

    drift: nn.Module = Drift()
    trace: str = "exact"
    noise: str = "rademacher"
    tolerance: float = 1e-5
    solver: str = "tsit5"
    adjoint: str = "checkpointed"
    max_steps: int = 1000

    def __post_init__(self) -> None:
        """Raise ValueError for an unknown option."""
        options = {"trace": TRACES, "noise": NOISES, "solver": SOLVERS, "adjoint": ADJOINTS}
        for name, known in options.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance: expected a number above 0, got {self.tolerance}")
        if self.max_steps < 1:
            raise ValueError(f"max_steps: expected at least 1, got {self.max_steps}")
        super().__post_init__()

    def forward(self, x: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return y [B, ...] and the log-determinant [B]."""
        return self.solve(x, condition, 0.0, 1.0)

    def inverse(self, y: Array, condition: Array | None = None) -> tuple[Array, Array]:
        """Return x [B, ...] and the log-determinant [B]."""
        return self.solve(y, condition, 1.0, 0.0)

    def solve(self, x: Array, condition: Array | None, start: float, stop: float) -> tuple[Array, Array]:
        """Return x at time `stop` of x at time `start`, and the divergence's integral [B]."""
        diffrax = _diffrax()
        flat = x.reshape(len(x), -1)
        noise = self.draw(flat)
        if self.is_initializing():
            self.drift(jnp.asarray(start, x.dtype), flat, condition)
        drift, variables = self.drift.unbind()
        result = diffrax.diffeqsolve(
            diffrax.ODETerm(Augmented(drift)),
            getattr(diffrax, SOLVERS[self.solver])(),
            jnp.asarray(start, x.dtype),
            jnp.asarray(stop, x.dtype),
            None,
            (flat, jnp.zeros(len(x), x.dtype)),
            (variables, condition, noise),
            stepsize_controller=diffrax.PIDController(rtol=self.tolerance, atol=self.tolerance),
            adjoint=getattr(diffrax, ADJOINTS[self.adjoint])(),
            max_steps=self.max_steps,
            throw=False,
        )
        steps = {name: result.stats[f"num_{name}_steps"] for name in ("accepted", "rejected")}
        self.sow("intermediates", "solves", steps)
        solved = result.result == diffrax.RESULTS.successful
        if not isinstance(solved, jax.core.Tracer) and not solved:
            raise ValueError(
                f"the flow's solver did not arrive within max_steps={self.max_steps} at tolerance={self.tolerance}: "
                f"{steps['accepted']} steps accepted, {steps['rejected']} rejected"
            )
        y, log_det = (jnp.where(solved, value[-1], jnp.nan) for value in result.ys)
        return y.reshape(x.shape), log_det

    def draw(self, flat: Array) -> Array | None:
        """Return the trace estimator's noise [B, D], None where the trace is exact."""
        if self.trace == "exact":
            return None
        if not (self.has_rng("trace") or self.has_rng("params")):  # the latter, which stands in, while initialising
            raise ValueError('the trace estimator needs noise: apply(..., rngs={"trace": key}), got no such stream')
        return NOISES[self.noise](self.make_rng("trace"), flat.shape, flat.dtype)


@dataclass(frozen=True)
class Augmented:
    """The drift of (x [B, D], log-determinant [B]): dx/dt, and its divergence. Equal for equal drifts."""

    drift: nn.Module

    def __call__(self, t: Array, state: tuple[Array, Array], told: tuple[Any, Array | None, Array | None]):
        """told: the drift's variables, the condition, and the trace estimator's noise or None for the exact trace."""
        variables, condition, noise = told

        def drift(x):
            return self.drift.apply(variables, t, x, condition)

        return divergence(drift, state[0], noise)


def divergence(drift: Callable[[Array], Array], x: Array, noise: Array | None = None) -> tuple[Array, Array]:
    """Return drift(x) [B, D], and tr(d drift / dx) [B], exact or, with noise v [B, D], as v.(J v)."""
    if noise is not None:
        moved, change = jax.jvp(drift, (x,), (noise,))
        return moved, (noise * change).sum(-1)
    moved, push = jax.linearize(drift, x)
    basis = jnp.eye(x.shape[-1], dtype=x.dtype)[:, None]
    columns = jax.vmap(lambda e: push(jnp.broadcast_to(e, x.shape)))(basis)
    return moved, jnp.einsum("ibi->b", columns)


def _diffrax() -> Any:
    try:
        import diffrax
    except ImportError as error:
        raise ImportError("a continuous flow needs diffrax: pip install jaxgen[flows]") from error
    return diffrax
