"""The run loop: chunks of steps on the device; metrics fetched late; scores, pictures and checkpoints on a schedule."""

import signal
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxgen.data.order import Batches
from jaxgen.game import TrainState, repeats
from jaxgen.parallel import many_steps, take
from jaxgen.run.checkpoint import Checkpoints
from jaxgen.run.experiment import Common, Experiment
from jaxgen.run.folder import RunFolder
from jaxgen.run.log import Log
from jaxgen.step import init, make_step
from jaxgen.viz import images

SAVE_SECONDS = 300.0  # a checkpoint at least this often, however far apart the evaluations are


class Diverged(RuntimeError):
    """A loss or a gradient is not a number; the message says at which step, whose, and what is left."""


class Stopped(RuntimeError):
    """The user asked the run to stop; it was saved and can go on."""


class Run:
    """One run of an experiment: built (all that can be wrong is found), resumed, played."""

    def __init__(self, experiment: Experiment, config: Common):
        """Check that data, batch size and game fit. Raises ValueError; writes nothing."""
        self.experiment, self.config = experiment, config
        self.key = jax.random.key(config.seed)
        size = len(next(iter(experiment.data.train.values())))
        self.batches = Batches(self.key, size, config.batch_size)
        self.slices = repeats(experiment.game)
        if config.batch_size % self.slices:
            raise ValueError(
                f"--batch-size must divide into the {self.slices} slices of this game's step, got {config.batch_size}"
            )

    def resume(self, folder: RunFolder) -> int:
        """Take up the newest checkpoint in the folder, or start; return the step reached.

        Raises ValueError for a checkpoint that is torn or of another model.
        """
        self.folder = folder
        self.checkpoints = Checkpoints(folder.path / "checkpoints", mode=self.experiment.watch_mode)
        self.data = jax.device_put(dict(self.experiment.data.train))
        # The run's first slice: networks that start from data see real examples.
        arguments = self.key, self.data, self.batches.indices(0, 1)[0, :: self.slices]
        self._shapes = jax.eval_shape(self._start, *arguments)
        self.step = self.checkpoints.latest or 0
        self.state = (
            self.checkpoints.restore(self.step, self._shapes) if self.step else jax.jit(self._start)(*arguments)
        )
        folder.rewind(self.step)
        return self.step

    def _start(self, key: jax.Array, data: Mapping[str, jax.Array], indices: jax.Array) -> TrainState:
        return init(self.experiment.game, key, self.experiment.prepare(key, take(data, indices)))

    def play(self, log: Log) -> dict[str, Any]:
        """Train to the last step, score the best state, write result.json and the report; return the result.

        Raises Diverged at a NaN, Stopped when the user interrupts.
        """
        chunk = many_steps(make_step(self.experiment.game, prepare=self.experiment.prepare))
        if self.step == 0:
            self._draw(self.experiment.pictures(self.state), 0)
        with _Interrupt() as interrupt:
            for stop in evaluation_steps(self.config):
                if stop > self.step:
                    self._train(chunk, stop, interrupt, log)
                    self._evaluate(log)
        return self._finish(log)

    def _train(self, chunk, stop: int, interrupt: "_Interrupt", log: Log) -> None:
        """Play chunks up to step `stop`. Metrics are fetched one chunk late, so the device never waits."""
        late = None
        saved = time.monotonic()
        log.say("training")
        while self.step < stop:
            count = min(stop - self.step, self.config.chunk)
            indices = self.batches.indices(self.step, self.config.chunk)
            self.state, metrics = chunk(self.state, self.data, indices, count)
            if late:
                self._fetch(*late, log)
            late = self.step, count, metrics
            self.step += count
            if interrupt.asked or time.monotonic() - saved > SAVE_SECONDS:
                self._fetch(*late, log)
                late, saved = None, time.monotonic()
                if self.step < stop:
                    self._save(None)
                    if interrupt.asked:
                        self.checkpoints.wait()
                        raise Stopped(f"stopped and saved at step {self.step}; the same command goes on from there")
        if late:
            self._fetch(*late, log)

    def _fetch(self, first: int, count: int, metrics: Mapping[str, jax.Array], log: Log) -> None:
        """Wait for one chunk's metrics, look for a NaN, and log their mean."""
        rows = {name: np.asarray(values)[:count] for name, values in metrics.items()}
        players = self.experiment.game.players
        vital = [f"{player}/{what}" for player in players for what in ("loss", "gradient_norm")]
        bad = {name: ~np.isfinite(rows[name]).reshape(count, -1).all(1) for name in vital if name in rows}
        if any(at.any() for at in bad.values()):
            step = min(int(at.argmax()) for at in bad.values() if at.any())
            name = next(name for name, at in bad.items() if at[step])
            self.checkpoints.wait()
            kept = self.checkpoints.latest
            raise Diverged(
                f"player {name.split('/')[0]!r} diverged at step {first + step + 1}: {name} is {rows[name][step]}; "
                + (
                    f"the last good checkpoint is {self.checkpoints.folder / str(kept)}"
                    if kept
                    else "no checkpoint yet"
                )
            )
        log.train(first + count, count, {f"train/{name}": values.mean(0) for name, values in rows.items()})

    def _evaluate(self, log: Log) -> None:
        log.say("evaluating")
        scores = {name: np.asarray(value) for name, value in self.experiment.evaluate(self.state).items()}
        log.scores(self.step, {f"validation/{name}": value for name, value in scores.items()})
        self._draw(self.experiment.pictures(self.state), self.step)
        self._save(float(scores[self.experiment.watch].mean()))  # last: what a checkpoint follows is on disk

    def _save(self, score: float | None) -> None:
        self.checkpoints.save(self.state, {"step": self.step, **self.batches.position(self.step)}, score)

    def _draw(self, pictures: Mapping[str, np.ndarray], step: int | None) -> None:
        for name, canvas in pictures.items():
            suffix = "" if step is None else f"_{step:08d}"
            images.save(self.folder.path / "samples" / f"{name}{suffix}.png", canvas)

    def _finish(self, log: Log) -> dict[str, Any]:
        self.checkpoints.wait()
        best = self.checkpoints.best
        result = self.experiment.finish(self.checkpoints.restore(best, self._shapes), log.say)
        self._draw(result.pictures, None)
        self.checkpoints.close()
        return log.result(result, best_step=best)


def evaluation_steps(config: Common) -> list[int]:
    """Return the steps after which a run evaluates: equally spaced, the last one included."""
    count = min(config.evaluations, config.steps)
    return [round(config.steps * (i + 1) / count) for i in range(count)]


class _Interrupt:
    """Turn the first Ctrl-C or termination signal into a request to stop after the chunk; a second one kills."""

    def __enter__(self) -> "_Interrupt":
        self.asked = False
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True
        signal.signal(number, self._before[number])

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
