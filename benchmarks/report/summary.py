"""Sums of a report's rows: ratios with their spread, geometric means, what changed.

A report is plain data, as ``--json`` writes it: ``machine``, ``command`` and ``runs``, one for each
number of threads, each with its ``limits`` and its ``classes`` of rows (`Comparison.measure`).
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Row = dict[str, Any]
Class = dict[str, Any]

OURS = "pyconv"
#: A ratio has changed if it did by more than what remains between two runs on a quiet machine.
CHANGED = 0.1


class Ratio(NamedTuple):
    """A contender's time ÷ ours, and the least and greatest that halves of the turns give."""

    value: float
    low: float
    high: float


class Mean(NamedTuple):
    """The geometric mean of ratios, the least and the greatest of them."""

    value: float
    least: float
    greatest: float


class Change(NamedTuple):
    """One row in two reports: our milliseconds, and the best peer's time ÷ ours."""

    threads: int
    group: str
    case: str
    before: float
    after: float
    ratio_before: float | None
    ratio_after: float | None

    @property
    def regressed(self) -> bool | None:
        """Whether we lost ground: against the best peer, or in time where there is none."""
        if self.ratio_before is None or self.ratio_after is None:
            return self.after > self.before * (1 + CHANGED)
        return self.ratio_after < self.ratio_before * (1 - CHANGED)


def is_peer(name: str) -> bool:
    """Return whether a contender is another library."""
    return not name.startswith(OURS)


def trusted(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that were quiet enough."""
    return [row for row in rows if not row["noise"]]


def ratio(row: Row, name: str, ours: str) -> Ratio:
    """Return how many times as long as ours ``name`` takes, with its spread."""
    halves = [
        theirs / mine
        for theirs in _finite(row["halves"][name])
        for mine in _finite(row["halves"][ours])
    ]
    return Ratio(row["seconds"][name] / row["seconds"][ours], min(halves), max(halves))


def _finite(halves: list[float]) -> list[float]:
    return [half for half in halves if math.isfinite(half)]


def best_peer(row: Row) -> str | None:
    """Return the fastest other library of a row."""
    peers = {name: seconds for name, seconds in row["seconds"].items() if is_peer(name)}
    return min(peers, key=lambda name: peers[name]) if peers else None


def mean(ratios: list[float]) -> Mean | None:
    """Return the geometric mean, None of nothing."""
    if not ratios:
        return None
    least, greatest = min(ratios), max(ratios)
    value = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return Mean(min(max(value, least), greatest), least, greatest)  # whatever rounding does


def by_peer(group: Class) -> dict[str, Mean]:
    """Return the mean of each other library over the trusted rows of a class, best of all first."""
    ratios: dict[str, list[float]] = {"the best": []}
    for row in trusted(group["rows"]):
        best = best_peer(row)
        if best is not None:
            ratios["the best"].append(ratio(row, best, group["ours"]).value)
        for name in filter(is_peer, row["seconds"]):
            ratios.setdefault(name, []).append(ratio(row, name, group["ours"]).value)
    means = {name: mean(values) for name, values in ratios.items()}
    return {name: found for name, found in means.items() if found is not None}


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    """Yield the rows that both reports have and trust."""
    old = {key: (row, group) for key, row, group in _rows(before)}
    for key, row, group in _rows(after):
        if key in old:
            was, was_group = old[key]
            yield Change(
                *key,
                was["seconds"][was_group["ours"]] * 1e3,
                row["seconds"][group["ours"]] * 1e3,
                _best_ratio(was, was_group),
                _best_ratio(row, group),
            )


def _rows(report: dict[str, Any]) -> Iterator[tuple[tuple[int, str, str], Row, Class]]:
    for run in report["runs"]:
        for group in run["classes"]:
            for row in trusted(group["rows"]):
                yield (run["threads"], group["name"], row["case"]), row, group


def _best_ratio(row: Row, group: Class) -> float | None:
    best = best_peer(row)
    return None if best is None else ratio(row, best, group["ours"]).value
