"""Strictness for every test: shapes must agree, and any warning is an error (setup.cfg). Eight fake devices.

What tests compile is kept beside pytest's own cache: most of their time is compilation, much of it of equal programs.
JAX is given no limit of size, for it would look at every file there at each write, under a lock that all workers share.
"""

import os
import shutil
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Empty our folder of compiled programs where it has grown beyond a gibibyte, before any worker uses it."""
    folder = config.rootpath / ".pytest_cache" / "compiled"
    if not hasattr(config, "workerinput") and sum(path.stat().st_size for path in folder.glob("*")) > 2**30:
        shutil.rmtree(folder)


def pytest_addoption(parser):
    """Add --first-cases."""
    parser.addoption("--first-cases", action="store_true", help="of each parametrised test run the first case alone")


@pytest.hookimpl(trylast=True)  # after the marks have chosen
def pytest_collection_modifyitems(config, items):
    """Leave out all but the first cases where asked: every test still runs, on another Python or jax say."""
    if config.getoption("--first-cases"):
        chosen = set({item.nodeid.partition("[")[0]: item.nodeid for item in reversed(items)}.values())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in chosen])
        items[:] = [item for item in items if item.nodeid in chosen]
