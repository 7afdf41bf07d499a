"""The scores on a run's page: a card each, or a table where several things have several scores."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

import numpy as np

from jaxgen.viz.page import card, grid, number, plain, section, two_way
from jaxgen.viz.record import Record, is_number

Columns = dict[str, dict[str, str]]  # score -> row -> name


class Score(NamedTuple):
    """What is known of one score: a number, or a mean with the text of its deviation and the value of every seed.

    better: "lower" or "higher".
    """

    value: Any
    spread: str
    seeds: list[Any]
    unit: str
    better: str | None
    baseline: Any


def scores(record: Record) -> str:
    """A card for each score, a table of those named "SCORE, ROW"; of a run in progress, what was validated last."""
    if record.result is None:
        latest = {key: values[-1] for key, (_, values) in record.series.items() if key.startswith("validation/")}
        with np.errstate(all="ignore"):  # infinite values may have no mean
            rows = {key: float(np.mean(value)) for key, value in latest.items()}
        return section("Latest validation", grid([_card(key, {"scores": rows}) for key in rows], 230))
    found = record.result.get("scores") or {}
    columns = columns_of(found)
    inside = {name for column in columns.values() for name in column.values()}
    cards = [_card(name, record.result) for name in found if name not in inside]
    return section("Scores", grid(cards, 230), _table(columns, record.result))


def columns_of(names: Iterable[str]) -> Columns:
    """The columns of names "SCORE, ROW", those of two rows or more; none where there are fewer than two columns."""
    found: Columns = {}
    for name in names:
        score, comma, row = name.partition(", ")
        if comma:
            found.setdefault(score, {})[row] = name
    found = {score: rows for score, rows in found.items() if len(rows) > 1}
    return found if len(found) > 1 else {}


def _of(name: str, result: Mapping[str, Any]) -> Score:
    value, unit, better, baseline = (
        (result.get(key) or {}).get(name) for key in ("scores", "units", "better", "baselines")
    )
    spread, seeds = "", []
    if isinstance(value, dict):
        spread = f" ± {number(value['std'])}" if "std" in value else ""
        seeds = value["seeds"] if isinstance(value.get("seeds"), list) else []
        value = value.get("mean")
    return Score(value, spread, seeds, plain(unit) if unit else "", better, baseline)


def _table(columns: Columns, result: Mapping[str, Any]) -> str:
    """A row for each thing scored, a column for each score; a baseline that all rows share has a row of its own."""
    told = {score: {row: _of(name, result) for row, name in rows.items()} for score, rows in columns.items()}
    firsts = {score: next(iter(rows.values())) for score, rows in told.items()}
    shared = {
        score: all(one.baseline == firsts[score].baseline for one in rows.values()) for score, rows in told.items()
    }

    def cell(score: str, row: str) -> str:
        if row not in told[score]:
            return ""
        one = told[score][row]
        mean = f"{escape(number(one.value))}<small>{escape(one.spread)}</small>"
        return mean + _seeds(one) + ("" if shared[score] else _baseline(one))

    head = [f"{score}{_arrow(one)}{f' ({one.unit})' if one.unit else ''}" for score, one in firsts.items()]
    rows = {
        row: [cell(score, row) for score in told] for row in dict.fromkeys(row for one in told.values() for row in one)
    }
    last = [_baseline(one._replace(better=None)) if shared[score] else "" for score, one in firsts.items()]
    return two_way(head, rows | ({"": last} if any(last) else {}))


def _card(name: str, result: Mapping[str, Any]) -> str:
    one = _of(name, result)
    parts = [f'<div class="soft name">{escape(name)}{_arrow(one)}</div>']
    parts.append(f'<div class="score">{escape(number(one.value))}')
    parts.append(f"<small>{escape(one.spread)}{' ' + escape(one.unit) if one.unit else ''}</small></div>")
    parts.append(_baseline(one))
    parts.append(_seeds(one))
    return card(*parts)


def _arrow(one: Score) -> str:
    return {"lower": " ↓", "higher": " ↑"}.get(one.better, "")


def _seeds(one: Score) -> str:
    """The value of every seed; nan is none, as of a seed that diverged, and not in the mean."""
    count = sum(not (is_number(value) and np.isnan(value)) for value in one.seeds)
    told = f"{count} of {len(one.seeds)} seeds count" if count < len(one.seeds) else f"{count} seeds"
    text = escape(f"{told}: {', '.join(map(number, one.seeds))}")
    return f'<div class="soft">{text}</div>' if one.seeds else ""


def _baseline(one: Score) -> str:
    """The baseline, coloured by whether the score beats it."""
    if one.baseline is None:
        return ""
    kind = "soft"
    if one.better in ("lower", "higher") and is_number(one.value) and is_number(one.baseline):
        kind = "good" if (one.value < one.baseline if one.better == "lower" else one.value > one.baseline) else "bad"
    return f'<div class="{kind}">baseline {escape(number(one.baseline))}</div>'
