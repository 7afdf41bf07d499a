"""The pieces of a page of HTML that needs nothing but itself."""

import base64
import io
import math
from html import escape
from pathlib import Path

from jaxgen.viz.record import is_number

HEAVY = 400_000  # bytes from which a picture is better told as a JPEG

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #667080; --line: #e2e5ea; --card: #fff; --page: #f6f7f9;
  --good: #14743c; --bad: #b3261e; --mark: #2f6fc4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --soft: #98a2b3; --line: #2d333d; --card: #1a1e25;
  --page: #111419; --good: #5fd08e; --bad: #ff8a80; --mark: #79b0f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1160px; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.02em; }
h2 { margin: 2.5rem 0 0.9rem; font-size: 1.15rem; }
h3 { margin: 0 0 0.6rem; font-size: 0.95rem; font-weight: 600; }
p { margin: 0.3rem 0; } .soft, figcaption { color: var(--soft); } .good { color: var(--good); }
.bad { color: var(--bad); }
.running { color: var(--mark); font-weight: 600; }
pre { margin: 1.1rem 0 0; padding: 0.8rem 1rem; overflow-x: auto; background: var(--card); border-radius: 8px;
  border: 1px solid var(--line); user-select: all;
  font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(var(--wide, 200px), 1fr)); }
.card { min-width: 0; padding: 1rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.score { font-size: 1.75rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.score small { font-size: 0.9rem; font-weight: 400; color: var(--soft); }
.name { overflow-wrap: anywhere; }
figure { margin: 0; } figcaption { margin-top: 0.35rem; font-size: 0.85rem; }
img, svg { display: block; max-width: 100%; height: auto; } figure.large img { width: 100%; border-radius: 4px; }
svg text { font-family: inherit !important; }
.strip { display: grid; gap: 0.8rem; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); }
.strip img { width: 100%; border-radius: 4px; }
.strip + h3 { margin-top: 1.2rem; }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; } tr + tr > * { border-top: 1px solid var(--line); }
th, td { padding: 0.35rem 0.8rem 0.35rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { width: 40%; font-weight: 400; color: var(--soft); }
.two th { width: auto; }
td { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.85rem; }
"""


def document(title: str, body: str) -> str:
    """A whole page; its own policy forbids it to fetch or to run anything."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A headed section of the parts that are not empty; nothing where all are."""
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def grid(cells: list[str], wide: int) -> str:
    """Cells side by side, each at least `wide` pixels, in as many columns as the window has room for."""
    wide_or_window = f"min({wide}px, 100%)"
    return f'<div class="grid" style="--wide: {wide_or_window}">\n' + "\n".join(cells) + "\n</div>" if cells else ""


def card(*parts: str) -> str:
    """A framed box around parts of HTML."""
    return '<div class="card">' + "".join(parts) + "</div>"


def table(rows: dict) -> str:
    """Names and values as a framed table of two columns, nested names joined by dots."""
    lines = [
        f"<tr><th>{escape(name)}</th><td>{escape(plain(value))}</td></tr>" for name, value in flatten(rows).items()
    ]
    return card("<table>" + "\n".join(lines) + "</table>") if lines else ""


def two_way(head: list[str], rows: dict[str, list[str]]) -> str:
    """A framed table with a heading a column and a name a row; the cells are HTML. Nothing where there are no rows."""
    lines = ["<tr><th></th>" + "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>"]
    lines += [
        f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, cells in rows.items()
    ]
    return card('<table class="two">' + "\n".join(lines) + "</table>") if rows else ""


def flatten(tree: dict, prefix: str = "") -> dict:
    """A nested mapping as one of dotted names; an empty mapping inside stays as a value."""
    flat = {}
    for name, value in tree.items():
        nested = isinstance(value, dict) and value
        flat |= flatten(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def plain(value) -> str:
    """A JSON value as a reader writes it."""
    if isinstance(value, list):
        return "[" + ", ".join(plain(item) for item in value) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def number(value) -> str:
    """A number to four figures, thousands apart; anything else as `plain` has it."""
    if not is_number(value):
        return plain(value)
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value:,}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if not math.isfinite(seconds):
        return f"{seconds} s"
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def picture(path: Path, caption: str, *, side: int, kind: str = "") -> str:
    """A picture file inside the page, shrunk to at most `side` pixels a side, with a caption.

    A file that is no picture, such as one half written, is told in words.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            image = image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # PIL tells a broken PNG by any of them
        return f'<p class="soft">{escape(path.name)} cannot be read: {escape(type(error).__name__)}</p>'
    image.thumbnail((side, side), Image.Resampling.BOX)
    buffer, mime = io.BytesIO(), "png"
    image.save(buffer, format="PNG", optimize=True)
    if buffer.tell() > HEAVY:
        buffer, mime = io.BytesIO(), "jpeg"
        image.save(buffer, format="JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    image_tag = f'<img alt="{escape(caption)}" src="data:image/{mime};base64,{data}">'
    return f'<figure class="{kind}">{image_tag}<figcaption>{escape(caption)}</figcaption></figure>'
