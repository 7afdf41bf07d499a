"""Glow of Kingma and Dhariwal 2018 on images 32x32x3, small: 3 levels of 8 steps, networks of width 64."""

from functools import partial

import jax.numpy as jnp
import optax

from benchmarks.peers.peer import IMAGES
from benchmarks.pixels import colour_images
from benchmarks.subject import Subject
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.elementwise import affine, sigmoid_scale
from jaxgen.bijectors.linear import Linear
from jaxgen.bijectors.multiscale import MultiScale
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.games.flow import flow_game
from jaxgen.models.flow import Flow
from jaxgen.nn.conditioner import ConvConditioner

SHAPE, LEVELS, DEPTH, WIDTH, BATCH_SIZE, EXAMPLES, LEARNING_RATE = (32, 32, 3), 3, 8, 64, 32, 1000, 1e-3


def subject(*, dtype: jnp.dtype | None = None, depth: int = DEPTH) -> Subject:
    """Return the flow: as `jaxgen.models.coupling_flows.glow`, but with a fixed prior, which normflows has."""

    def level() -> Bijector:
        net = partial(ConvConditioner, width=WIDTH, dtype=dtype)
        step = [ActNorm(), Linear(), Coupling(net, affine(sigmoid_scale))]
        return Chain([Squeeze(), Repeat(Chain(step), depth)])

    bijector = MultiScale([level() for _ in range(LEVELS)], SHAPE)
    flow = Flow(bijector, (3072,))
    return Subject(
        game=flow_game(flow, optax.adam(LEARNING_RATE)),
        data={"x": colour_images(EXAMPLES, SHAPE)},
        batch_size=BATCH_SIZE,
        peers={"normflows": "benchmarks.peers.glow"},
        kinds=IMAGES,
        draw=lambda state, key: flow.sample(state.params, key, BATCH_SIZE),
    )
