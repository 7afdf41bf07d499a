"""Compiled programs are kept on disk, and taken up from there."""

import os

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.run import compilation

OPTIONS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path))
    monkeypatch.setattr(compilation, "LEAST_SECONDS", 0.0)
    before = {name: getattr(jax.config, name) for name in OPTIONS}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def compiled(folder):
    return {path.name for path in folder.glob("compiled/jit_cube*-cache")}


def cube(x):
    return x**3 + 41.5


def test_a_program_compiled_again_comes_from_the_folder(tmp_path):
    events = []
    jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
    jax.jit(cube)(jnp.ones(3))  # the process has compiled before it asks for the folder
    compilation.keep_compiled()
    jax.clear_caches()
    jax.jit(cube)(jnp.ones(3))
    there = compiled(tmp_path)
    assert len(there) == 1
    jax.clear_caches()
    events.clear()
    assert jax.jit(cube)(2 * jnp.ones(3)).tolist() == [49.5] * 3
    assert "/jax/compilation_cache/cache_hits" in events
    assert compiled(tmp_path) == there


def test_a_folder_that_is_set_stays(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    compilation.keep_compiled()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")


def test_the_oldest_programs_go_and_those_whose_writing_was_cut_short(tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "MOST_BYTES", 20)
    (tmp_path / "compiled").mkdir()
    files = {}
    for age, (name, size) in enumerate([("new", 10), ("empty", 0), ("newer", 10), ("old", 5), ("oldest", 1)]):
        files[name] = tmp_path / "compiled" / f"jit_{name}-cache"
        files[name].write_bytes(b"x" * size)
        os.utime(files[name], (0, 10**9 - age))
    compilation.keep_compiled()
    assert {name for name, file in files.items() if file.exists()} == {"new", "newer"}


def test_a_folder_that_cannot_be_written_is_told_and_stops_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "file"))
    compilation.keep_compiled()
    assert "cannot be kept" in caplog.text and jax.config.jax_compilation_cache_dir is None
    assert jax.jit(cube)(jnp.ones(3)).tolist() == [42.5] * 3
