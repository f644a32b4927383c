"""Which function ran, ours or SciPy's, why, and how long: for a log, and for a sum at the end."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

from pyconv._engine.threads import ForkedLock

#: The environment variable that shows the log.
VARIABLE = "PYCONV_LOG"
logger = logging.getLogger("pyconv.patching")


def wanted_level() -> int | None:
    """Return the level that ``PYCONV_LOG`` names, None without one."""
    word = os.environ.get(VARIABLE, "").strip().upper()
    if word in ("", "0"):
        return None
    level = logging.INFO if word == "1" else logging.getLevelNamesMapping().get(word)
    if level is None:
        raise ValueError(
            f"{VARIABLE}={os.environ[VARIABLE]!r} in the environment: allowed are 0, 1 and the "
            "levels of logging, as info"
        )
    return level


class Display:
    """The log on standard error, for as long as somebody wants it."""

    def __init__(self) -> None:
        self.handler: logging.Handler | None = None
        self.level: int | None = None
        self.level_before = logging.NOTSET

    def show(self, level: int | None) -> None:
        """Show what is of a level, or nothing; the logger is then as it was before."""
        if level == self.level:
            return
        self.level = level
        if self.handler is not None:
            logger.removeHandler(self.handler)
            logger.setLevel(self.level_before)
            self.handler = None
        if level is not None:
            self.handler = logging.StreamHandler()
            self.handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
            self.level_before = logger.level
            logger.addHandler(self.handler)
            logger.setLevel(level)


#: How the packages are written whose functions ours take the place of.
TITLES = {"scipy": "SciPy", "astropy": "astropy"}


def title(name: str) -> str:
    """Return whose function a full name is."""
    return TITLES[name.partition(".")[0]]


class Tally:
    """Calls and seconds of each function, by who ran."""

    def __init__(self) -> None:
        #: (name, why the original ran or nothing) → calls and seconds.
        self.entries: dict[tuple[str, str], tuple[int, float]] = {}
        self._lock = ForkedLock()

    def add(self, name: str, reason: str | None, seconds: float, calls: int = 1) -> None:
        """Add calls of a function that ran for a reason; None is that ours takes them."""
        key = name, reason or ""
        with self._lock:
            before, spent = self.entries.get(key, (0, 0.0))
            self.entries[key] = before + calls, spent + seconds

    def plain(self) -> list[list[Any]]:
        """Return the entries as plain data, for `merge` in another process."""
        return [[*key, *entry] for key, entry in self.entries.items()]

    def merge(self, plain: Iterable[Iterable[Any]]) -> None:
        """Add the entries of another tally."""
        for name, reason, calls, seconds in plain:
            self.add(name, reason, seconds, calls)

    def lines(self) -> list[str]:
        """Return the summary, the functions that took longest first."""
        sums: dict[str, tuple[int, float]] = {}
        for (name, reason), (calls, seconds) in self.entries.items():
            who = title(name) if reason else ""
            before, spent = sums.get(who, (0, 0.0))
            sums[who] = before + calls, spent + seconds
        none = 0, 0.0
        (calls, seconds), theirs = sums.pop("", none), sums or {"SciPy": none}
        head = f"{calls} calls by pyconv in {seconds:.3f} s" + "".join(
            f", {count} by {who} in {spent:.3f} s" for who, (count, spent) in theirs.items()
        )
        rows = sorted(self.entries.items(), key=lambda item: -item[1][1])
        return [head] + [
            f"{calls:8} {title(name) if reason else 'pyconv':6} {seconds:9.3f} s  {name}"
            + (f": {reason}" if reason else "")
            for (name, reason), (calls, seconds) in rows
        ]


#: The tallies that are kept.
_tallies: tuple[Tally, ...] = ()


def keep(tally: Tally) -> None:
    """Add calls to a tally from now on."""
    global _tallies
    _tallies = (*_tallies, tally)


def drop(tally: Tally) -> None:
    """Add calls to a tally no longer."""
    global _tallies
    _tallies = tuple(each for each in _tallies if each is not tally)


def is_listening() -> bool:
    """Return whether anybody wants to know of a call."""
    return bool(_tallies) or logger.isEnabledFor(logging.INFO)


def tell(name: str, reason: str | None, seconds: float) -> None:
    """Tell of a call that the caller of the caller of this made."""
    for tally in _tallies:
        tally.add(name, reason, seconds)
    if logger.isEnabledFor(logging.INFO):
        who = "pyconv" if reason is None else f"{title(name)}, as {reason}"
        logger.info("%s: %s (%.6f s)", name, who, seconds, stacklevel=3)
