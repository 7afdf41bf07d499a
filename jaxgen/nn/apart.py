"""Functions that XLA's CPU backend compiles apart from what uses their results."""

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def apart(function: Callable, *arguments: Any) -> Any:
    """Return function(*arguments), worked out once: on a CPU no fusion takes it into what comes after.

    An optimization barrier does not do that, as the backend drops it before it fuses; a call that is not to be inlined
    stays.
    """

    def called(*arguments):
        with set_xla_metadata(inlineable="false"):
            return jax.jit(function)(*arguments)

    return jax.lax.platform_dependent(*arguments, cpu=called, default=function)
