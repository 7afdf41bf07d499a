"""Our own side: a training of a subject, timed in the two ways it can be driven."""

import time
from typing import Any, Literal

import jax
import numpy as np
from jax.stages import Compiled

from benchmarks.flops import matmul_flops
from benchmarks.pixels import orders
from benchmarks.subject import Subject
from jaxgen.parallel import compile_steps, take, wait_where_needed
from jaxgen.run.loop import once
from jaxgen.step import init, make_step


def timed_compile(function: Any, *arguments: Any) -> tuple[Compiled, float]:
    """Return a jitted function's program for these arguments, and the seconds that tracing and compiling took."""
    start = time.perf_counter()
    program = function.lower(*arguments).compile()
    return program, time.perf_counter() - start


class Training:
    """A state that moves on with every call; `single` and `many` return the seconds their steps took.

    start_seconds: to make the state, its compilation included. compile_seconds: of each of the two programs, tracing
    included.
    """

    def __init__(
        self,
        subject: Subject,
        steps: int,
        *,
        seeds: int = 1,
        devices: int = 1,
        parallel: Literal["jit", "pmap"] = "jit",
    ):
        """Put data and state on the devices. steps: of one call. seeds: trained side by side, on the same batches.
        parallel: how several devices work, as `compile_steps` says.

        Raises ValueError for more devices than there are.
        """
        examples = len(next(iter(subject.data.values())))
        order = orders(examples, steps, subject.batch_size)
        members = seeds if seeds > 1 else None
        if members:
            order = np.repeat(order[:, None], members, axis=1)
        compiled = compile_steps(subject.game, prepare=subject.prepare, devices=devices, how=parallel, members=members)
        self.data, self.indices = compiled.place((dict(subject.data), order))
        self._rows = list(self.indices)
        step = make_step(subject.game, prepare=subject.prepare)

        def start(key, data, indices):
            batch = take(data, indices, indices)
            return init(subject.game, key, batch if subject.prepare is None else subject.prepare(key, batch))

        if members:
            step, start = jax.vmap(step), jax.vmap(start, (0, None, 0))
        keys = jax.random.split(jax.random.key(0), members) if members else jax.random.key(0)
        began = time.perf_counter()
        start = jax.jit(start, compiler_options=once())  # as a run's
        self.state = jax.block_until_ready(compiled.place(start(keys, self.data, self._rows[0])))
        self.start_seconds = time.perf_counter() - began
        self._step = step
        single = jax.jit(lambda state, data, indices: step(state, take(data, indices, indices)), donate_argnums=0)
        if devices > 1:  # one step, as a chunk of one
            single = jax.jit(
                lambda state, data, indices: compiled.run(state, data, indices[None], indices[None], 1),
                donate_argnums=0,
            )
        many = (self.state, self.data, self.indices, self.indices, len(self._rows))
        self._many, seconds = timed_compile(compiled.run, *many)
        self._single, single_seconds = timed_compile(single, self.state, self.data, self._rows[0])
        self.compile_seconds = {"many": seconds, "single": single_seconds}

    def single(self) -> float:
        """Dispatch one step at a time."""
        start = time.perf_counter()
        for indices in self._rows:
            wait_where_needed(self.state)
            self.state, metrics = self._single(self.state, self.data, indices)
        jax.block_until_ready((self.state, metrics))
        return time.perf_counter() - start

    def many(self) -> float:
        """Dispatch all steps at once, as the run loop does."""
        start = time.perf_counter()
        self.state, metrics = self._many(self.state, self.data, self.indices, self.indices, len(self._rows))
        jax.block_until_ready((self.state, metrics))
        return time.perf_counter() - start

    def cost(self) -> dict[str, float | None]:
        """Return "parameters", and of one step "matmul_flops" (counted), "flops" and "bytes" (the compiler's estimate).

        The estimate is None where the compiler has none, and counts the body of a loop once.
        """
        # The step without its gather of the batch, of which the estimate says that it reads all of the data.
        arguments = self.state, take(self.data, self._rows[0], self._rows[0])
        estimate = jax.jit(self._step).lower(*arguments).compile().cost_analysis() or {}
        return {
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(self.state.params)),
            "matmul_flops": matmul_flops(self._step, *arguments),
            "flops": estimate.get("flops"),
            "bytes": estimate.get("bytes accessed"),
        }
