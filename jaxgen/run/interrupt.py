"""A user's Ctrl-C, or a scheduler's termination signal, as a polite request."""

import signal
from typing import Any


class Interrupt:
    """Turn the first such signal into `asked`, for the loop to look at between chunks; a second one kills."""

    def __enter__(self) -> "Interrupt":
        self.asked = False
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True
        signal.signal(number, self._before[number])

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
