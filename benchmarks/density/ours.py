"""Our own side: the flows of `jaxgen.models`, trained as a run trains them."""

import time
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.density.job import BOUND, COUPLING, Job, Size, Trained
from benchmarks.training import timed_compile
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.spline import rational_quadratic
from jaxgen.games.flow import flow_game
from jaxgen.metrics.batched import over
from jaxgen.models.autoregressive_flows import autoregressive_flow, maf
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.models.flow import Flow
from jaxgen.nn.conditioner import ZEROS, DenseConditioner
from jaxgen.nn.masked import MADE
from jaxgen.parallel import compile_steps, take
from jaxgen.step import init


def bijector(kind: str, size: Size, dtype: jnp.dtype | None = None) -> Bijector:
    """Return the flow of one of the kinds of `benchmarks.density.job.FLOWS`. dtype: networks compute in."""
    spline = rational_quadratic(size.bins, BOUND)
    if kind == COUPLING:
        return vector_flow(partial(DenseConditioner, hidden=size.hidden, dtype=dtype), spline, layers=size.layers)
    net = partial(MADE, size.hidden, activation=nn.relu, kernel_init=ZEROS, scattered=True, dtype=dtype)
    return maf(net, layers=size.layers) if kind == "maf" else autoregressive_flow(net, spline, layers=size.layers)


def train(kind: str, job: Job) -> Trained:
    """Train on a job."""
    size = job.size
    flow = Flow(bijector(kind, size), job.train.shape[1:])
    cut = [optax.clip_by_global_norm(size.clip)] if size.clip else []
    adam = optax.adam(optax.cosine_decay_schedule(size.learning_rate, size.steps))
    game = flow_game(flow, optax.chain(*cut, adam))
    data, order = jax.device_put(({"x": job.train}, job.order))
    state = init(game, jax.random.key(size.seed), take(data, order[0], order[0]))
    chunk = max(end - first for first, end in job.stops)
    rows = [_filled(order[first:end], chunk) for first, end in job.stops]

    run, compile_seconds = timed_compile(compile_steps(game).run, state, data, rows[0], rows[0], jnp.int32(chunk))

    score = jax.jit(lambda params, key, batch: flow.log_prob(params, batch["x"]))

    def scores(params, x):
        return over(partial(score, params), jax.random.key(0), {"x": x}, batch_size=2000)

    seconds, best = 0.0, (-np.inf, 0, jax.tree.map(jnp.copy, state.params))
    for (first, end), some in zip(job.stops, rows, strict=True):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(run(state, data, some, some, jnp.int32(end - first)))
        seconds += time.perf_counter() - start
        validation = float(scores(state.params, job.validation).mean())
        if validation > best[0]:
            best = (validation, end, jax.tree.map(jnp.copy, state.params))  # the state itself is donated
    return Trained(
        test=scores(best[2], job.test),
        validation=best[0],
        best=best[1],
        parameters=sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        seconds=seconds,
        compile_seconds=compile_seconds,
        version=jax.__version__,
    )


def _filled(order: jax.Array, count: int) -> jax.Array:
    """Return the batches [N, B] with repeats of the first, never read, behind them: [count, B]."""
    return jnp.concatenate([order, jnp.broadcast_to(order[:1], (count - len(order), *order.shape[1:]))])
