"""Couplings by rational-quadratic splines (Durkan et al. 2019) of rows of 43 numbers, as miniboone has: 10 layers."""

import jax.numpy as jnp
import optax

from benchmarks.density import ours
from benchmarks.density.job import COUPLING, Size
from benchmarks.peers.peer import VECTORS
from benchmarks.pixels import rows
from benchmarks.subject import Subject
from jaxgen.games.flow import flow_game
from jaxgen.models.flow import Flow

KIND, SIZE = COUPLING, Size(layers=10)
COLUMNS, BATCH_SIZE, EXAMPLES, LEARNING_RATE = 43, 128, 10_000, 5e-4


def subject(*, dtype: jnp.dtype | None = None) -> Subject:
    """Return the flow that `benchmarks.tabular` compares, of 10 couplings, batch 128, Adam."""
    flow = Flow(ours.bijector(KIND, SIZE, dtype), (COLUMNS,))
    return Subject(
        game=flow_game(flow, optax.adam(LEARNING_RATE)),
        data={"x": rows(EXAMPLES, COLUMNS)},
        batch_size=BATCH_SIZE,
        peers={name: f"benchmarks.peers.spline_{name}" for name in ("nflows", "zuko")},
        kinds=VECTORS,
        draw=lambda state, key: flow.sample(state.params, key, BATCH_SIZE),
    )
