"""The report page of a run: one HTML file that needs nothing but itself."""

from html import escape
from pathlib import Path

import numpy as np

from jaxgen.viz import files
from jaxgen.viz.curves import curves
from jaxgen.viz.page import card, document, duration, grid, number, picture, plain, section, table
from jaxgen.viz.record import Record, is_number, read
from jaxgen.viz.scores import scores

MOMENTS = 8  # pictures in a strip over time


def write_report(folder) -> Path:
    """Write ``report.html`` into a run's folder, from what `jaxgen.viz.record` finds there.

    The page is equal byte for byte for an equal folder. A run without ``result.json`` is shown as in progress.

    Args:
      folder: the run's folder; it holds ``config.json``, and with time ``metrics.jsonl``, ``samples/`` and
        ``result.json``.

    Returns:
      The path of the page.

    Raises:
      ValueError: if there is no ``config.json``, or it or ``result.json`` is not a JSON object.
    """
    record = read(folder)
    title = plain(record.config.get("experiment", Path(folder).name))
    parts = [header(record, title), scores(record), *pictures(record), charts(record), *details(record)]
    return files.write(Path(folder) / "report.html", document(title, "\n".join(filter(None, parts))).encode())


def header(record: Record, title: str) -> str:
    """What was run, on what, how far, and the command to run it again."""
    data, command = record.config.get("data"), record.config.get("command")
    lines = [f"<h1>{escape(title)}</h1>"]
    if data:
        lines.append(f'<p class="soft">{escape(plain(data))}</p>')
    if record.result is None:
        lines.append(f'<p class="running">in progress at step {record.step:,}</p>')
    else:
        seconds = record.result.get("seconds")
        told = f" in {duration(seconds)}" if is_number(seconds) else ""
        lines.append(f'<p class="soft">{escape(number(record.result.get("steps", record.step)))} steps{told}</p>')
    if command:
        lines.append(f"<pre>{escape(plain(command))}</pre>")
    return "<header>\n" + "\n".join(lines) + "\n</header>"


def pictures(record: Record) -> list[str]:
    """Three sections: the newest pictures large, those of earlier steps as strips, those without a step."""
    newest, strips = [], []
    for name, steps in sorted(record.samples.items(), key=lambda item: (item[0] != "samples", item[0])):
        step, path = steps[-1]
        newest.append(card(picture(path, f"{name}, step {step:,}", side=900, kind="large")))
        if len(steps) > 1:
            chosen = np.linspace(0, len(steps) - 1, min(MOMENTS, len(steps))).round().astype(int)
            frames = [picture(path, f"step {step:,}", side=260) for step, path in (steps[index] for index in chosen)]
            strips.append(f'<h3>{escape(name)}</h3><div class="strip">' + "".join(frames) + "</div>")
    others = [card(picture(path, path.stem, side=900, kind="large")) for path in record.others]
    return [
        section("Samples", grid(newest, 440)),
        section("Samples over time", card(*strips) if strips else ""),
        section("More pictures", grid(others, 440)),
    ]


def charts(record: Record) -> str:
    """Curves, those of one quantity (the last part of the name) in one pair of axes; those of time come last."""
    groups: dict[str, dict] = {}
    for key in sorted(record.series, key=lambda key: key.startswith("time/")):  # a stable sort
        name, _, quantity = key.rpartition("/")
        if key != "time/seconds":  # a straight line, and told in the header
            groups.setdefault(quantity, {})[name or quantity] = record.series[key]
    cells = [card(curves(series, title=quantity)) for quantity, series in groups.items()]
    return section("Curves", grid(cells, 440))


def details(record: Record) -> list[str]:
    """The configuration, the protocol of the scores, and what the run ran on."""
    result = record.result or {}
    config, protocol, versions = record.config.get("config") or {}, result.get("protocol"), result.get("versions") or {}
    machine = {"machine": result["machine"]} if result.get("machine") else {}
    return [
        section("Configuration", table(config if isinstance(config, dict) else {"config": config})),
        section("Protocol", card(f"<p>{escape(plain(protocol))}</p>") if protocol else ""),
        section("Versions and machine", table((versions if isinstance(versions, dict) else {}) | machine)),
    ]
