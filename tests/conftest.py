"""Strictness for every test: shapes must agree, and any warning is an error (setup.cfg). Eight fake devices."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
