"""RealNVP of the plane: the example in normflows' README, 32 couplings of 64-64 with the halves in turn."""

from functools import partial

import jax.numpy as jnp
import optax

from benchmarks.peers.peer import VECTORS
from benchmarks.pixels import points
from benchmarks.subject import Subject
from jaxgen.bijectors.elementwise import affine
from jaxgen.games.flow import flow_game
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.models.flow import Flow
from jaxgen.nn.conditioner import DenseConditioner

HIDDEN, LAYERS, BATCH_SIZE, EXAMPLES, LEARNING_RATE = (64, 64), 32, 512, 10_000, 5e-4


def subject(*, dtype: jnp.dtype | None = None) -> Subject:
    """Return the flow: affine couplings whose log scales are not bounded, as theirs, batch 512, Adam."""
    net = partial(DenseConditioner, hidden=HIDDEN, dtype=dtype)
    bijector = vector_flow(net, affine(lambda h: h), layers=LAYERS, norm=False)
    flow = Flow(bijector, (2,))
    return Subject(
        game=flow_game(flow, optax.adam(LEARNING_RATE)),
        data={"x": points(EXAMPLES)},
        batch_size=BATCH_SIZE,
        peers={"normflows": "benchmarks.peers.realnvp"},
        kinds=VECTORS,
        draw=lambda state, key: flow.sample(state.params, key, BATCH_SIZE),
    )
