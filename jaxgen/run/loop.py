"""The run loop: chunks of steps on the device; metrics fetched late; scores, pictures and checkpoints on a schedule."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.feed import Resident, Streamed, stream_rows
from jaxgen.data.lazy import size, take_rows
from jaxgen.data.order import Batches
from jaxgen.game import TrainState, repeats
from jaxgen.parallel import check_devices, compile_steps, wait_where_needed
from jaxgen.run import seeds
from jaxgen.run.best import best_steps, states_at, told_steps, watched
from jaxgen.run.checkpoint import Checkpoints
from jaxgen.run.data import on_host
from jaxgen.run.divergence import Diverged, broken_network, fallen, first_bad, others
from jaxgen.run.experiment import Common, Experiment
from jaxgen.run.folder import RunFolder
from jaxgen.run.interrupt import Interrupt
from jaxgen.run.log import Log
from jaxgen.run.plan import batch_size, chunks, evaluation_steps
from jaxgen.run.profile import profiled
from jaxgen.step import init
from jaxgen.viz import images

ONCE = {"xla_backend_optimization_level": 0}  # on CPU, of what runs once: it compiles in a quarter to 2/3 of the time
SAVE_SECONDS = 300.0  # a checkpoint at least this often, however far apart the evaluations are


def once() -> dict[str, int] | None:
    """Return the compiler's options for what runs once."""
    return ONCE if jax.default_backend() == "cpu" else None


class Stopped(RuntimeError):
    """The user asked the run to stop; it was saved and can go on."""


class Run:
    """One run of an experiment: built (all that can be wrong is found), resumed, played."""

    def __init__(self, experiment: Experiment, config: Common):
        """Check that data, batch size, game and devices fit. Raises ValueError; writes nothing."""
        self.experiment, self.config = experiment, config
        self.members = seeds.members(config, experiment.grid)
        check_devices(config.devices)
        self.slices = repeats(experiment.game)
        examples = size(experiment.data.train)
        self.batch_size = batch_size(config, examples, self.slices)
        self.many = self.members.count is not None
        self.parts = experiment.parts
        if self.many:
            self.batches = seeds.MemberBatches(self.members.keys, examples, self.batch_size)
        else:
            self.batches = Batches(self.members.keys[0], examples, self.batch_size)
        self._start, self._arguments = self._starting()
        # What cannot start says so while it is traced; the trace is kept for the start itself.
        self._shapes = jax.eval_shape(self._start, *self._arguments)

    def _starting(self) -> tuple[Callable[..., TrainState], tuple[Any, ...]]:
        """Return the start of all members, jitted, and what it is called with."""
        # Each seed's first slice: networks that start from data see real examples.
        index = self.batches.indices(0, 1)[0, ..., :: self.slices]
        batch = {**take_rows(self.experiment.data.train, index.ravel()), "index": index.ravel()}
        batch = {name: rows.reshape(*index.shape, *rows.shape[1:]) for name, rows in batch.items()}
        keys, values = self.members
        if self.many:
            start, arguments = jax.vmap(self._one), (jnp.stack(keys), batch, values)
        else:
            start, arguments = self._one, (keys[0], batch, values)
        return jax.jit(start, compiler_options=once()), arguments

    def _one(self, key: jax.Array, batch: Mapping[str, Any], values: Mapping[str, jax.Array]) -> TrainState:
        game = self.experiment.variant(values) if values else self.experiment.game
        return init(game, key, self.experiment.prepare(key, batch))

    def resume(self, folder: RunFolder) -> int:
        """Take up the newest checkpoint in the folder, or start; return the step reached.

        Raises ValueError for a checkpoint that is torn or of another model.
        """
        self.folder = folder
        self.checkpoints = Checkpoints(
            folder.path / "checkpoints",
            mode=self.experiment.watch_mode,
            members=len(self.members.keys) * max(1, len(self.parts)),
        )
        self.step = self.checkpoints.latest or 0
        try:
            if self.step:
                self.state = self.checkpoints.restore(self.step, self._shapes)
            else:
                self.state = self._start(*self._arguments)
        except jax.errors.JaxRuntimeError as error:
            raise ValueError(f"the networks do not fit the device: {str(error).splitlines()[0]}") from None
        folder.rewind(self.step)
        return self.step

    def play(self, log: Log) -> dict[str, Any]:
        """Train to the last step, score the best state, write result.json and the report; return the result.

        Raises Diverged at a NaN, Stopped when the user interrupts.
        """
        config = self.config
        compiled = compile_steps(
            self.experiment.game,
            prepare=self.experiment.prepare,
            devices=config.devices,
            how=config.parallel,
            members=self.members.count,
            variant=self.experiment.variant,
            values=self.members.values,
            accumulate=config.accumulate,
            gradient_norms=config.gradient_norms,
        )
        self._undrawn = self.step == 0
        self.state = compiled.place(self.state)
        self._fallen = self._find_fallen()
        feed, longest = self._feed(compiled.place)
        plan = list(chunks(config, self.step, longest))
        with Interrupt() as interrupt, closing(feed.chunks(plan, longest)) as chunked:
            self._train(compiled.run, plan, chunked, interrupt, log)
            return self._finish(interrupt, log)

    def _feed(self, place):
        """Return where batches come from, and how many steps a chunk has."""
        train, config = self.experiment.data.train, self.config
        longest = min(config.chunk, config.steps)
        if on_host(config, train):
            longest = stream_rows(train, self.batch_size * len(self.members.keys), longest)
            return Streamed(train, self.batches, place), longest
        return Resident(train, self.batches, place), longest

    def _train(self, run, plan: list[tuple[int, int]], feed: Iterable, interrupt: Interrupt, log: Log) -> None:
        """Play the chunks. Metrics are fetched one chunk late, so that a device does not wait for the host."""
        late, saved = None, time.monotonic()
        stops = set(evaluation_steps(self.config))
        log.say("training")
        for number, ((first, count), arguments) in enumerate(zip(plan, feed, strict=True)):
            with profiled(self.folder.path / "profile" if self.config.profile and number == 1 else None) as finish:
                wait_where_needed(self.state)
                self.state, metrics = finish(run(self.state, *arguments, count))
            if late:
                self._fetch(*late, log)
            late = first, count, metrics
            self.step = first + count
            overdue = time.monotonic() - saved > SAVE_SECONDS
            if self.step not in stops and not interrupt.asked and not overdue:
                continue
            self._fetch(*late, log)
            late, saved = None, time.monotonic()
            if self.step in stops:
                self._evaluate(log)
            else:
                self._check_networks(log)
                self._save(None)
            if interrupt.asked:
                self._stop()

    def _fetch(self, first: int, count: int, metrics: Mapping[str, jax.Array], log: Log) -> None:
        """Wait for one chunk's metrics, look for a NaN, and log their mean."""
        rows = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        if not self.parts and (bad := first_bad(self.experiment.game, rows)):
            what = f"{first + bad.row + 1}{self._whose(bad.member)}: {bad.name} is {bad.value}{others(bad, rows)}"
            self._diverged(f"player {bad.name.split('/')[0]!r}", what)
        log.train(first + count, count, {f"train/{name}": values.mean(0) for name, values in rows.items()})
        self._draw_start()

    def _draw_start(self) -> None:
        """Draw the networks before training, once the first steps are told: what draws compiles while a device trains.

        The start is worked out again, as the steps have taken its buffers.
        """
        if self._undrawn:
            self._undrawn = False
            self._draw(self._pictures(self._start(*self._arguments)), 0)

    def _whose(self, member: int) -> str:
        return f" with seed {self.config.seed + member % self.config.seeds}" if self.many else ""

    def _diverged(self, who: str, what: str) -> None:
        self.checkpoints.wait()
        kept = self.checkpoints.latest
        left = f"the last good checkpoint is {self.checkpoints.folder / str(kept)}" if kept else "no checkpoint yet"
        raise Diverged(f"{who} diverged at step {what}; {left}")

    def _find_fallen(self) -> set[tuple[int, str]]:
        """Return which parts of which members have diverged: a fact of the state, which a resumed run knows too."""
        each = enumerate(self._each(self.state)) if self.parts else ()
        return {(member, part) for member, one in each for part in fallen(self.parts, one.params)}

    def _check_networks(self, log: Log) -> None:
        """Raise Diverged where a network is not finite; of several parts where none is left, and tell of each."""
        if self.parts:
            before, self._fallen = self._fallen, self._find_fallen()
            if len(self._fallen) == len(self.members.keys) * len(self.parts):
                self._diverged("every one of " + ", ".join(self.parts), f"{self.step} or before")
            for member, part in sorted(self._fallen - before):
                log.note(self.step, f"{part}{self._whose(member)} has diverged by step {self.step}, the others go on")
        elif broken := broken_network(self.experiment.game, self.state.params):
            self._diverged(f"player {broken[0]!r}", f"{self.step}: its network {broken[1]!r} is not finite")

    def _each(self, state: TrainState) -> list[TrainState]:
        """Return the members' states. What lies whole on several devices goes to one: each would score it again."""
        if self.config.devices > 1 and jax.process_count() == 1:
            state = jax.device_put(state, jax.devices()[0])
        return seeds.apart(state, self.members.count) if self.many else [state]

    def _pictures(self, state: TrainState) -> Mapping[str, np.ndarray]:
        return self.experiment.pictures(self._each(state)[0])

    def _evaluate(self, log: Log) -> None:
        log.say("evaluating")
        self._check_networks(log)
        each = [self.experiment.evaluate(state) for state in self._each(self.state)]
        scores = seeds.together(each) if self.many else {name: np.asarray(value) for name, value in each[0].items()}
        log.scores(self.step, {f"validation/{name}": value for name, value in scores.items()})
        self._draw(self._pictures(self.state), self.step)
        # Last, since all that a checkpoint follows must be on disk.
        self._save(watched(self.experiment, scores))
        log.say("training")

    def _save(self, scores: np.ndarray | None) -> None:
        self.checkpoints.save(self.step, self.state, {"step": self.step, **self.batches.position(self.step)}, scores)

    def _draw(self, pictures: Mapping[str, np.ndarray], step: int | None) -> None:
        for name, canvas in pictures.items():
            suffix = "" if step is None else f"_{step:08d}"
            images.save(self.folder.path / "samples" / f"{name}{suffix}.png", canvas)

    def _stop(self) -> None:
        self.checkpoints.wait()
        raise Stopped(f"stopped and saved at step {self.step}; the same command goes on from there")

    def _finish(self, interrupt: Interrupt, log: Log) -> dict[str, Any]:
        def progress(text: str) -> None:
            log.say(text)
            if interrupt.asked:
                self._stop()

        self.checkpoints.wait()
        best = best_steps(self.checkpoints, len(self.members.keys), self.parts, self._fallen, self.step)
        states = states_at(best, self.parts, lambda step: self._each(self.checkpoints.restore(step, self._shapes)))
        summarise = self.experiment.summarise or seeds.summarise
        result = summarise([self.experiment.finish(one, progress) for one in states])
        self._draw(result.pictures, None)
        self.checkpoints.close()
        return log.result(result, best_step=told_steps(best, self.parts, self.many))
