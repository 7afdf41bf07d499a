"""The machine, as far as a number depends on it: cores, load, memory, versions, and its peak at matrix products."""

import contextlib
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

SIDE, PRODUCTS = 2048, 3
LARGE = 8192  # side of the matrices that an accelerator multiplies


def cores() -> int:
    """Return how many cores this process may use: the threads that each side gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Return the load average of the last minute, None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def describe() -> dict[str, Any]:
    """Return processor, device, system and versions, for the record."""
    device = jax.devices()[0]
    return {
        "processor": _processor(),
        "cores": cores(),
        "device": device.device_kind,
        "devices": jax.device_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "flax": flax.__version__,
        "optax": optax.__version__,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "compilation_cache": jax.config.jax_compilation_cache_dir,  # where one is set, what compiles may be read
    }


def line(about: dict[str, Any]) -> str:
    """Return a description's most telling parts, for people."""
    return f"{about['processor']}, {about['cores']} cores, {about['device']}, jax {about['jax']}"


def forget_memory() -> None:
    """Let `memory` begin anew from what is held now, where the system can: on Linux, and for this process alone."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def memory() -> dict[str, int | None]:
    """Return in bytes the most that this process ("resident") and its device ("device", where told) have held.

    Of this process since `forget_memory`, of a device since the process began.
    """
    told = jax.local_devices()[0].memory_stats() or {}
    try:
        status = Path("/proc/self/status").read_text()
        held = 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    except (OSError, StopIteration):
        held = resident(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {"resident": held, "device": told.get("peak_bytes_in_use")}


def resident(max_rss: int) -> int:
    """Return bytes from getrusage's number, which is in KiB but on macOS."""
    return max_rss if sys.platform == "darwin" else 1024 * max_rss


def matmul_peak(dtype: jnp.dtype = jnp.float32) -> Callable[[], float]:
    """Return a function that multiplies square matrices of 2048 (8192 on an accelerator) and returns its operations a
    second.

    At jax's default precision, as the steps are.
    """
    side = SIDE if jax.default_backend() == "cpu" else LARGE
    # Random, of a norm that a chain of products keeps: an accelerator is quicker at equal numbers.
    matrix = (jax.random.normal(jax.random.key(0), (side, side)) / side**0.5).astype(dtype)

    @jax.jit
    def products(a):
        return jax.lax.fori_loop(0, PRODUCTS, lambda _, b: b @ a, a)

    def once() -> float:
        start = time.perf_counter()
        products(matrix).block_until_ready()
        return PRODUCTS * 2 * side**3 / (time.perf_counter() - start)

    once()
    return once


def _processor() -> str:
    """Return the processor's name: `platform` knows it on few systems."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
