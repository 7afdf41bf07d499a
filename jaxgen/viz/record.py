"""What a run left in its folder, read back; whatever is missing, torn or not a number must not stop the reader."""

import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

STEP = re.compile(r"(?P<name>.+)_(?P<step>\d{8,})")


class Record(NamedTuple):
    """A run, finished or not.

    Attributes:
      config: the content of ``config.json``.
      result: the content of ``result.json``, None while the run goes on.
      series: metric -> (steps [T], values [T], or [T, S] of S seeds), in order of step.
      samples: name -> [(step, path), ...] in order of step.
      others: the pictures without a step, by name.
      step: the last step heard of.
    """

    config: dict
    result: dict | None
    series: dict[str, tuple[np.ndarray, np.ndarray]]
    samples: dict[str, list[tuple[int, Path]]]
    others: list[Path]
    step: int


def read(folder) -> Record:
    """Read a run's folder.

    Raises:
      ValueError: if there is no ``config.json``, or it or ``result.json`` is not a JSON object.
    """
    folder = Path(folder)
    config, result = _object(folder / "config.json"), _object(folder / "result.json")
    if config is None:
        raise ValueError(f"run folder: expected a config.json in {str(folder)!r}, found none")
    lines = read_lines(folder / "metrics.jsonl")
    samples, others = read_samples(folder / "samples")
    steps = [line["step"] for line in lines] + [pictures[-1][0] for pictures in samples.values()]
    return Record(config, result, read_series(lines), samples, others, max(steps, default=0))


def read_lines(path: Path) -> list[dict]:
    """The lines of a ``metrics.jsonl`` that are whole JSON objects with a step; none where there is no file."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # torn: the run was killed while it wrote
            continue
        if isinstance(line, dict) and is_number(line.get("step")) and math.isfinite(line["step"]):
            lines.append(line | {"step": int(line["step"])})
    return lines


def read_series(lines: list[dict]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Metric -> (steps [T], values [T] or [T, S]); of a step written twice (a resumed run) the last line counts."""
    tables: dict[str, dict[int, list[float]]] = {}
    seeded = set()
    for line in lines:
        for key, value in line.items():
            values = value if isinstance(value, list) and value else [value]
            if key == "step" or not all(number is None or is_number(number) for number in values):
                continue
            tables.setdefault(key, {})[line["step"]] = [math.nan if v is None else float(v) for v in values]
            if isinstance(value, list):
                seeded.add(key)
    series = {}
    for key, table in tables.items():
        steps = sorted(table)
        values = np.full((len(steps), max(map(len, table.values()))), math.nan)
        for row, step in zip(values, steps, strict=True):
            row[: len(table[step])] = table[step]
        series[key] = (np.array(steps), values if key in seeded else values[:, 0])
    return series


def read_samples(folder: Path) -> tuple[dict[str, list[tuple[int, Path]]], list[Path]]:
    """The pictures ``NAME_00001000.png`` by name and step, and the pictures of any other name."""
    samples: dict[str, list[tuple[int, Path]]] = {}
    others = []
    for path in sorted(folder.glob("*.png")):
        if match := STEP.fullmatch(path.stem):
            samples.setdefault(match["name"], []).append((int(match["step"]), path))
        else:
            others.append(path)
    return {name: sorted(pictures) for name, pictures in samples.items()}, others


def is_number(value) -> bool:
    """Whether a JSON value is a number, NaN and infinity included, true and false not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(path: Path) -> dict | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"run folder: expected JSON in {path.name}, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"run folder: expected a JSON object in {path.name}, got {type(content).__name__}")
    return content
