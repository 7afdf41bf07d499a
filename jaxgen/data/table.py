"""``table:PATH``: rows of numbers in a text file, for density estimation over all columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxgen.data.dataset import Dataset
from jaxgen.data.split import split_indices, take

FEWEST = 10  # rows: fewer leave no tenth to validate and test on
REPEATS = 20  # a column is called discrete if its values come so often on average, or one fills a 20th of the rows
PRECISION = 1e5  # |mean| / deviation, from which on float32 keeps less than two digits of what varies
FILE = "data.txt"  # of a folder, as the collections of UCI tables name it


def load(path: str) -> Dataset:
    """Reads a table of numbers, raw: `jaxgen.data.standardise` is for the compiled step.

    One row a line, its fields separated by commas if the first row has one, else by white space. A first line without
    any number names the columns; empty lines and those that begin with ``#`` are skipped. Every column is kept as
    one of ``x``, a regression's target among them, but two kinds, which are named in ``source`` by their place
    from 1 on: columns that are constant and columns that repeat an earlier one, both judged by the training part.
    The split is 80/10/10 by seed 0.

    A density of what is no continuous quantity has no upper bound: a model gains without limit by peaks on the few
    values of a discrete column, on rows that occur twice, possibly in train and test, or along columns that are
    functions of others. Compare such scores with care; ``source`` names the columns with a value in a twentieth of
    the rows, or with values that come 20 times on average.

    Args:
      path: of the file, or of a folder that holds ``data.txt``; ``~`` is the home folder.

    Returns:
      the `Dataset`.

    Raises:
      ValueError: no such file, no text, lines of several lengths, fields that are not finite numbers, fewer than ten
        rows, no column that varies, or one that varies by less than float32 can tell. Lines are counted from 1 on.
    """
    name = f"data set 'table:{path}'"
    numbers, lines, header = _lines(name, _file(name, Path(path).expanduser()))
    if len(lines) < FEWEST:
        raise ValueError(f"{name}: expected at least {FEWEST} rows of numbers, got {len(lines)}")
    table = _parse(name, numbers, lines)
    with np.errstate(over="ignore"):
        x = table.astype(np.float32)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"{name}: expected finite float32, got {table[row, column]} in line {numbers[row]}")
    indices = split_indices(len(x), what=name)
    train = table[indices["train"]]
    constant, repeats = train.min(0) == train.max(0), _repeats(train)
    kept = ~constant & (repeats < 0)
    if not kept.any():
        raise ValueError(f"{name}: expected a column that varies, got {len(kept)} constant ones")
    names = _names(header, len(kept))
    _check_precision(name, train, names, kept)
    again = {c: f"{names[c]}, the same as {names[repeats[c]]}" for c in np.flatnonzero(~constant & (repeats >= 0))}
    return Dataset(
        name=f"table:{path}",
        **take({"x": x[:, kept]}, indices),
        source=f"{len(x)} rows of table {path}, split 80/10/10, seed 0"
        + _listed("; dropped as constant in train", [names[c] for c in np.flatnonzero(constant)])
        + _listed("; dropped as repeated in train", list(again.values()))
        + _listed("; discrete, densities have no bound", [names[c] for c in np.flatnonzero(kept & _discrete(train))]),
    )


def _file(name: str, path: Path) -> Path:
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"{name}: expected a file, got {f'a folder without {FILE}' if path.is_dir() else 'nothing'}")
    return file


def _lines(name: str, path: Path) -> tuple[list[int], list[str], list[str] | None]:
    """Returns the rows' places in the file, their text, and the fields of the header if there is one."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: expected text, got bytes that are none at {error.start}") from error
    found = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip() and not line.startswith("#")]
    header = _fields(found[0][1]) if found else []
    if any(_is_number(field) for field in header) or not header:
        header = None
    else:
        del found[0]
    return [n for n, _ in found], [line for _, line in found], header


def _separator(line: str) -> str | None:
    return "," if "," in line else None


def _fields(line: str) -> list[str]:
    return [field.strip() for field in line.split(_separator(line))]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field  # Python's own idea of a number


def _parse(name: str, numbers: Sequence[int], lines: Sequence[str]) -> np.ndarray:
    """Returns the numbers, float64 [N, D]; NumPy's reader in C is fast, and where it fails the fault is looked for."""
    separator = _separator(lines[0])
    try:
        return np.loadtxt(lines, delimiter=separator, comments=None, ndmin=2)
    except ValueError as error:
        width = len(lines[0].split(separator))
        for number, line in zip(numbers, lines, strict=True):
            fields = [field.strip() for field in line.split(separator)]
            wrong = [field for field in fields if not _is_number(field)]
            if wrong:
                raise ValueError(
                    f"{name}: expected numbers, separated by {'commas' if separator else 'white space'} as in line "
                    f"{numbers[0]}, got {wrong[0]!r} in line {number}"
                ) from None
            if len(fields) != width:
                raise ValueError(
                    f"{name}: expected {width} columns as in line {numbers[0]}, got {len(fields)} in line {number}"
                ) from None
        raise ValueError(f"{name}: expected a table of numbers, got {error}") from error


def _repeats(x: np.ndarray) -> np.ndarray:
    """Returns [D]: the first column that holds the same values as this one, -1 where there is none before it."""
    first: dict[bytes, int] = {}
    places = np.array([first.setdefault(column.tobytes(), c) for c, column in enumerate(x.T)])
    return np.where(places < np.arange(len(places)), places, -1)


def _discrete(x: np.ndarray) -> np.ndarray:
    counts = [np.unique(column, return_counts=True)[1] for column in x.T]
    return np.array([one.mean() >= REPEATS or one.max() * REPEATS >= len(x) for one in counts])


def _names(header: list[str] | None, width: int) -> list[str]:
    """Returns what messages call the columns: their place, and their name where the header has one for each."""
    named = header is not None and len(header) == width
    return [f"{c + 1} ({header[c]})" if named else f"{c + 1}" for c in range(width)]


def _listed(what: str, columns: Sequence[str]) -> str:
    return f"{what}: column{'s' if len(columns) > 1 else ''} {', '.join(columns)}" if columns else ""


def _check_precision(name: str, train: np.ndarray, names: Sequence[str], kept: np.ndarray) -> None:
    for c in np.flatnonzero(kept):
        mean, deviation = train[:, c].mean(), train[:, c].std()
        if abs(mean) > PRECISION * deviation:
            raise ValueError(
                f"{name}: expected columns that float32 can tell apart, got column {names[c]} of mean {mean:g} and "
                f"deviation {deviation:g}: subtract what its values share"
            )
