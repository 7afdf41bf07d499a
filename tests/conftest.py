"""Strictness for every test: shapes must agree, and any warning is an error (setup.cfg)."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
