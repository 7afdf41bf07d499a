"""When a run does what: its chunks of steps, and the steps after which it evaluates."""

from collections.abc import Iterator

from jaxgen.run.experiment import Common

PROFILED = 5  # steps in a profile


def evaluation_steps(config: Common) -> list[int]:
    """Return the steps after which a run evaluates: equally spaced, the last one included."""
    count = min(config.evaluations, config.steps)
    return [round(config.steps * (i + 1) / count) for i in range(count)]


def chunks(config: Common, first: int, longest: int) -> Iterator[tuple[int, int]]:
    """Yield (step before, count) of each dispatch from step `first` on; none crosses an evaluation.

    longest: most steps of a dispatch. With config.profile the second chunk is PROFILED steps long.
    """
    step, number = first, 0
    for stop in evaluation_steps(config):
        while step < stop:
            most = min(longest, PROFILED) if config.profile and number == 1 else longest
            count = min(stop - step, most)
            yield step, count
            step, number = step + count, number + 1
