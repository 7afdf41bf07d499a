"""What a run does when: the examples of a step, its chunks of steps, and the steps after which it evaluates."""

from collections.abc import Iterator

from jaxgen.run.experiment import Common

DEFAULT_BATCH = 128
PROFILED = 5  # steps in a profile


def batch_size(config: Common, examples: int, slices: int) -> int:
    """Return how many of the training set's examples a step plays. slices: that the game cuts them into.

    Raises ValueError for a --batch-size that does not divide.
    """
    parts = slices * config.accumulate * config.devices
    found = config.batch_size or max(1, min(DEFAULT_BATCH, examples) // parts) * parts
    if found % parts:
        raise ValueError(
            f"--batch-size must divide by {parts} ({slices} slices of this game's step x {config.accumulate} "
            f"accumulated x {config.devices} devices), got {found}"
        )
    return found


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
