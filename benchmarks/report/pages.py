"""A report as one Markdown page and one HTML page, with the same blocks."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import charts
from benchmarks.report.summary import Class, Row, by_peer, is_peer, ratio

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1em 0 }
th, td { border-bottom: 1px solid #ddd; padding: .25em .7em; text-align: right }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left }
code { background: #f4f4f4; padding: .1em .3em }
svg { height: auto; max-width: 100% }
"""


class Heading(NamedTuple):
    """A title."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Code(NamedTuple):
    """A command."""

    text: str


class Items(NamedTuple):
    """A list."""

    items: list[str]


class Cells(NamedTuple):
    """A table; the first row is its head."""

    rows: list[list[str]]


class Chart(NamedTuple):
    """A picture beside the pages."""

    file: Path
    about: str


Block = Heading | Text | Code | Items | Cells | Chart


def write(report: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write the pages and their charts into ``folder``; return the Markdown and the HTML file."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = list(_blocks(report, folder))
    pages = folder / "peers.md", folder / "peers.html"
    pages[0].write_text("\n\n".join(map(markdown, blocks)) + "\n")
    body = "\n".join(map(as_html, blocks))
    title = "<title>pyconv beside its peers</title>"
    head = f'<!doctype html><meta charset="utf-8">{title}<style>{STYLE}</style>'
    pages[1].write_text(f"{head}\n{body}\n")
    return pages


def _blocks(report: dict[str, Any], folder: Path) -> Iterator[Block]:
    yield Heading(1, "pyconv beside its peers")
    yield Code(report["command"])
    yield Text(
        "A ratio is the other's time ÷ ours: above 1, pyconv is faster. Times are minima of "
        "interleaved repeats. Each other library has a column of ratios; in parentheses "
        "stand the least and the greatest ratio of the minima "
        "of halves of them. Every result was compared with the definition before it was timed. "
        "GF/s are those of the definition, so that what multiplies less may exceed the limit, "
        "which is that of the measured peak and of a copy through main memory. A row that was "
        "too noisy to trust has its reason in place of figures, and is in no mean."
    )
    yield Items([f"{name}: {value}" for name, value in report["machine"].items()])
    for run in report["runs"]:
        yield from _run(run, folder)


def _run(run: dict[str, Any], folder: Path) -> Iterator[Block]:
    count, limits = run["threads"], run["limits"]
    yield Heading(2, "One thread" if count == 1 else f"{count} threads")
    yield Text(
        f"Measured limits: {limits['flops'] * 1e-9:.0f} GF/s in float32, "
        f"{limits['bandwidth'] * 1e-9:.1f} GB/s of a copy, reads and writes counted."
    )
    overview, roof = (folder / f"{name}-{count}.svg" for name in ("overview", "roofline"))
    if charts.overview(run["classes"], overview):
        yield Chart(overview, "The fastest other library of each class over pyconv")
    yield Cells([["class", "rows", "not trusted", "fastest other ÷ pyconv", "least to greatest"],
                 *map(_summary, run["classes"])])  # fmt: skip
    if charts.roofline(run, roof):
        yield Chart(roof, "Rates of our rows under the measured limits")
    for group in run["classes"]:
        yield Heading(3, group["title"])
        file = folder / f"{group['name']}-{count}.svg"
        if charts.bars(group, file):
            yield Chart(file, f"Time of each library over pyconv's: {group['title']}")
        peers = sorted({name for row in group["rows"] for name in row["seconds"] if is_peer(name)})
        yield Cells([["case", "pyconv ms", "GF/s", "of limit", *peers],
                     *(_row(row, group, limits, peers) for row in group["rows"]),
                     _means(group, peers)])  # fmt: skip


def _summary(group: Class) -> list[str]:
    means = by_peer(group)
    noisy = sum(bool(row["noise"]) for row in group["rows"])
    best = next(iter(means.values()), None)
    words = ["–", "–"] if best is None else [_short(best.value), _range(best.least, best.greatest)]
    return [group["name"], str(len(group["rows"])), str(noisy), *words]


def _short(value: float) -> str:
    return f"{value:.1f}"


def _range(least: float, greatest: float) -> str:
    return f"{least:.1f} to {greatest:.1f}"


def _means(group: Class, peers: list[str]) -> list[str]:
    """Return the last row: the geometric mean of each library's ratios."""
    means = by_peer(group)
    words = [_short(means[name].value) if name in means else "–" for name in peers]
    return ["geometric mean", "", "", "", *words]


def _row(row: Row, group: Class, limits: dict[str, float], peers: list[str]) -> list[str]:
    if row["noise"]:
        reason = f"too noisy to trust: {row['noise']}"
        return [f"{row['case']} ({reason})", *["–"] * (3 + len(peers))]
    seconds = row["seconds"][group["ours"]]
    share = "–"
    if row["bytes"]:
        least = max(2 * row["products"] / limits["flops"], row["bytes"] / limits["bandwidth"])
        share = f"{least / seconds:.0%}"
    how = f" ({row['algorithm']})" if row["algorithm"] else ""
    return [
        row["case"],
        f"{seconds * 1e3:.3g}{how}",
        f"{row['gflops']:.1f}",
        share,
        *(_ratio(row, name, group) for name in peers),
    ]


def _ratio(row: Row, name: str, group: Class) -> str:
    if name not in row["seconds"]:
        return "–"
    r = ratio(row, name, group["ours"])
    return f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f})"


def markdown(block: Block) -> str:
    """Return a block in Markdown."""
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Code(text):
            return f"```sh\n{text}\n```"
        case Items(items):
            return "\n".join(f"- {item}" for item in items)
        case Cells([head, *rows]):
            lines = [head, ["---"] * len(head), *rows]
            return "\n".join("| " + " | ".join(line) + " |" for line in lines)
        case Chart(file, about):
            return f"![{about}]({file.name})"
    raise TypeError(f"no such block: {block!r}")


def as_html(block: Block) -> str:
    """Return a block in HTML; charts are part of the page."""
    match block:
        case Heading(level, text):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{html.escape(text)}</p>"
        case Code(text):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Items(items):
            return "<ul>" + "".join(f"<li>{html.escape(i)}</li>" for i in items) + "</ul>"
        case Cells([head, *rows]):
            lines = [("th", head), *(("td", row) for row in rows)]
            cells = ("".join(f"<{t}>{html.escape(c)}</{t}>" for c in row) for t, row in lines)
            return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"
        case Chart(file, about):
            text = file.read_text()
            svg = text[text.index("<svg") :]
            return f'<figure role="img" aria-label="{html.escape(about)}">{svg}</figure>'
    raise TypeError(f"no such block: {block!r}")
