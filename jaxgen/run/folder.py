"""The folder of a run: its configuration, its metrics line by line, its result, its pictures."""

import dataclasses
import fcntl
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen.viz import files

LOCK = ".lock"
OURS = (  # in the order in which they are deleted: until the configuration goes, the folder is known as a run's
    "metrics.jsonl",
    "result.json",
    "report.html",
    "samples",
    "checkpoints",
    "tensorboard",
    "profile",
    "config.json",
)
FREE = ("out", "overwrite", "compilation_cache")  # options that say where and how, not what is run


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | Path):
        """path: the folder; nothing is made before `open`"""
        self.path, self._made, self._lock = Path(path), False, None
        self.config, self.metrics, self.result = (
            self.path / name for name in ("config.json", "metrics.jsonl", "result.json")
        )

    def check(self, experiment: str, config: Any, *, overwrite: bool) -> dict | None:
        """Return the result where this very run has finished already; write nothing.

        Raises ValueError for a folder that cannot be written, holds something else, or holds a run of
        another configuration, with the differences.
        """
        self._refuse_strangers(overwrite)
        if self.config.exists() and not overwrite:
            if difference := _difference(read_json(self.config), {"experiment": experiment, **plain(config)}):
                raise ValueError(
                    f"{self.path} holds a run of another configuration ({difference}): "
                    "expected the same options, another --out, or --overwrite"
                )
            if self.result.exists():
                return read_json(self.result)
        self._refuse_unwritable()
        return None

    def open(self, experiment: str, config: Any, *, overwrite: bool, **facts: Any) -> None:
        """Make the folder ready; with `overwrite` an earlier run in it is deleted. facts: go into config.json."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock_it()
        if overwrite:
            self._clear()
        self._made = not self.config.exists()
        if self._made:  # first of all: a folder with files but no configuration is a stranger's
            write_json(self.config, {"experiment": experiment, **facts, "config": plain(config)})
        (self.path / "samples").mkdir(exist_ok=True)

    def withdraw(self) -> None:
        """Take back the configuration that `open` wrote, of a run that could not start."""
        if self._made:
            self.config.unlink(missing_ok=True)

    def rewind(self, step: int) -> None:
        """Forget metrics and pictures of steps after `step`: an interrupted run saw them, the state did not."""
        lines = [line for line in read_metrics(self.metrics) if line["step"] <= step]
        files.write(self.metrics, "".join(_line(line) for line in lines).encode())
        for picture in (self.path / "samples").glob("*.png"):
            suffix = picture.stem.rsplit("_", 1)[-1]
            if suffix.isdigit() and int(suffix) > step:
                picture.unlink()

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        with self.metrics.open("a") as file:
            file.write(_line(row))

    def _refuse_strangers(self, overwrite: bool) -> None:
        try:
            if self.path.exists() and not self.path.is_dir():
                raise ValueError(f"--out must be a folder, {self.path} is a file")
            if not self.path.is_dir() or self.config.exists():
                return
            # Without a configuration: what a start or an --overwrite cut short leaves is no stranger's.
            names = {path.name for path in self.path.iterdir() if not re.fullmatch(r"\..*\.tmp", path.name)}
        except OSError as error:
            raise ValueError(f"--out must be a folder that can be read, {self.path} is not: {error.strerror}") from None
        if names - {LOCK, *(OURS if overwrite else ("samples",))}:
            raise ValueError(f"--out must be a new, an empty or a run's folder; {self.path} has no config.json in it")

    def release(self) -> None:
        """Let other processes run in the folder; the end of the process, however it ends, does too."""
        if self._lock is not None:
            self._lock.close()

    def _lock_it(self) -> None:
        self._lock = (self.path / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another process is running in {self.path}: expected one at a time") from None

    def _refuse_unwritable(self) -> None:
        there = next(folder for folder in (self.path.absolute(), *self.path.absolute().parents) if folder.exists())
        try:
            tempfile.TemporaryFile(dir=there).close()
        except OSError as error:
            raise ValueError(f"--out must be writable, {self.path} is not: {error.strerror}") from None

    def _clear(self) -> None:
        for name in OURS:
            path = self.path / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def plain(config: Any) -> dict[str, Any]:
    """Return a configuration as JSON would give it back."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def read_json(path: Path) -> dict:
    """Read a JSON file; ValueError names one that is broken."""
    try:
        value = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not whole JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object, got a {type(value).__name__}")
    return value


def read_metrics(path: Path) -> Iterator[dict]:
    """Yield the lines of a metrics.jsonl, leaving out a torn last one."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def write_json(path: Path, value: Any) -> None:
    """Write JSON all at once or not at all."""
    files.write(path, (json.dumps(value, indent=2, default=_number) + "\n").encode())


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, default=_number) + "\n"


def _number(value: Any) -> Any:
    value = np.asarray(value)
    return value.item() if value.ndim == 0 else value.tolist()


def _difference(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    saved = {"experiment": saved.get("experiment"), **saved.get("config", {})}
    names = [name for name in {**wanted, **saved} if name not in FREE and saved.get(name) != wanted.get(name)]
    return ", ".join(f"{name}: {saved.get(name)!r} there, {wanted.get(name)!r} here" for name in names)
