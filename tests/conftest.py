"""Strictness for every test: shapes must agree, and any warning is an error (setup.cfg). Eight fake devices.

What tests compile is kept beside pytest's own cache: most of their time is compilation, much of it of equal programs.
"""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
