"""A speed table: pyconv beside its peers in one run, on as many threads, against the goals.

A class of a table yields rows; a row holds contenders that solve the same problem. Results are
checked before anything is timed. The classes themselves are in speed_classes.py, those of layers
in layer_classes.py.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from benchmarks import processor
from benchmarks.noise import Watch
from benchmarks.peers import Peer
from benchmarks.table import Table
from benchmarks.threads import COUNT
from benchmarks.timing import Effort, interleaved_halves
from pyconv._calls.versions import versions

#: What a shared machine changes from run to run: a goal missed by less is not called missed.
NOISE = 0.1
#: From the best to the worst; a class has the worst of its goals.
VERDICTS = MET, WITHIN_NOISE, NOT_MEASURED, MISSED = (
    "met",
    "missed, but within the noise",
    "not measured",
    "MISSED",
)


class WrongResultError(Exception):
    """A contender's result is not that of the definition: its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much of the table is measured, and how."""

    quick: bool
    effort: Effort
    method: str
    #: Whether every call makes its own result, instead of filling one that is given to it.
    allocate: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Contenders that solve one problem: ours first, under the name that its class gives it."""

    label: str
    products: int
    contenders: Mapping[str, Callable[[], np.ndarray]]
    #: Raises WrongResultError for a contender's name and result.
    check: Callable[[str, np.ndarray], None]
    #: The algorithm of ours, where the class tells.
    algorithm: str = ""
    #: The bytes that have to be read and written, where the class tells.
    size: int = 0


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on time of the fastest of some peers ÷ ours; without bounds it is only printed."""

    peers: tuple[str, ...]
    #: Which of ours, if not the one that the class is about.
    ours: str | None = None
    #: The bound on the geometric mean of the rows, and on each row.
    mean: float | None = None
    each: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A class of rows with times."""

    name: str
    title: str
    ours: str
    rows: Callable[[Profile], Iterator[Row]]
    goals: tuple[Goal, ...]

    def measure(self, profile: Profile) -> Iterator[dict[str, Any]]:
        """Check and time the rows; yield each as plain data.

        A row says in ``noise`` why it is not to be trusted; ``halves`` are the minima of the even
        and of the odd turns.
        """
        watch = Watch()
        for row in self.rows(profile):
            for name, call in row.contenders.items():
                row.check(name, call())
            halves, noise = watch.around(
                partial(interleaved_halves, row.contenders, profile.effort)
            )
            seconds = {name: minima.least for name, minima in halves.items()}
            yield {
                "case": row.label,
                "algorithm": row.algorithm,
                "products": row.products,
                "bytes": row.size,
                "gflops": 2e-9 * row.products / seconds[self.ours],
                "seconds": seconds,
                "halves": {name: [minima.even, minima.odd] for name, minima in halves.items()},
                "noise": noise,
            }

    def report(self, profile: Profile) -> dict[str, Any]:
        """Check, time and print the rows, then the goals; return what was measured."""
        print(f"\n### {self.title}\n")
        table = Table("case", f"{self.ours} ms", "GF/s", "others: ms (÷ ours)")
        measured = []
        for row in self.measure(profile):
            measured.append(row)
            times = row["seconds"]
            ours = times[self.ours]
            others = [f"{n} {_ms(t)} ({t / ours:.2f})" for n, t in times.items() if n != self.ours]
            how = f" ({row['algorithm']})" if row["algorithm"] else ""
            noisy = [f"noisy: {row['noise']}"] if row["noise"] else []
            words = ", ".join(others + noisy)
            table.row(row["case"], _ms(ours) + how, f"{row['gflops']:.1f}", words)
        print()
        goals = [self._judge(goal, measured) for goal in self.goals]
        return {"name": self.name, "rows": measured, "goals": goals}

    def _judge(self, goal: Goal, measured: list[dict[str, Any]]) -> dict[str, Any]:
        ours, ratios = goal.ours or self.ours, {}
        for row in measured:
            times = [row["seconds"][p] for p in goal.peers if p in row["seconds"]]
            if times:
                ratios[row["case"]] = min(times) / row["seconds"][ours]
        best = "the best of " if len(goal.peers) > 1 else ""
        against = f"{best}{', '.join(goal.peers)} ÷ {ours}"
        if not ratios:
            print(f"- {against}: {NOT_MEASURED}")
            return {"against": against, "verdict": NOT_MEASURED}
        mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
        worst = min(ratios, key=lambda label: ratios[label])
        figures = {"against": against, "mean": mean, "least": ratios[worst], "worst": worst}
        verdicts = []
        for name, value, bound in (
            ("geometric mean", mean, goal.mean),
            (f"least ({worst})", ratios[worst], goal.each),
        ):
            words = f"- {against}: {name} {value:.2f}"
            if bound is not None:
                verdicts.append(_verdict(value / bound))
                words += f", goal ≥ {bound:g}: {verdicts[-1]}"
            print(words)
        return {**figures, "verdict": max(verdicts, key=VERDICTS.index, default=MET)}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A class of figures that have an upper limit: workspace, overhead."""

    name: str
    title: str
    unit: str
    limit: float
    #: Yields a case and its named figures, None where one cannot be measured here.
    figures: Callable[[Profile], Iterator[tuple[str, dict[str, float | None]]]]

    def report(self, profile: Profile) -> dict[str, Any]:
        """Print the figures and whether all are within the limit; return them."""
        print(f"\n### {self.title}\n")
        table = Table("case", self.unit)
        measured, largest = [], 0.0
        for case, figures in self.figures(profile):
            words = [f"{n} {'–' if v is None else f'{v:.1f}'}" for n, v in figures.items()]
            table.row(case, ", ".join(words))
            measured.append({"case": case, "figures": figures})
            largest = max(largest, *(v for v in figures.values() if v is not None))
        verdict = _verdict(self.limit / largest)
        print(f"\n- largest {largest:.1f} {self.unit}, goal ≤ {self.limit:g}: {verdict}")
        goals = [{"largest": largest, "verdict": verdict}]
        return {"name": self.name, "rows": measured, "goals": goals}


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def _verdict(share: float) -> str:
    if share >= 1:
        return MET
    return WITHIN_NOISE if share >= 1 - NOISE else MISSED


def machine(peers: tuple[Peer[Any], ...]) -> dict[str, str]:
    """Return the date, the versions and the machine that the figures belong to."""
    found = {
        p.distribution: p.version() or "not installed: left out of the rows"
        for p in peers
        if p.distribution not in ("numpy", "scipy")  # named already, by `versions`
    }
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "date": date.today().isoformat(),
        "CPU": processor.described(),
        **versions(),
        **found,
        "threads of each contender": str(COUNT),
        "load average before": load,
    }


def report(
    classes: tuple[Comparison | Measurement, ...], profile: Profile, peers: tuple[Peer[Any], ...]
) -> dict[str, Any]:
    """Print the table of ``classes``, with the versions of ``peers``; return it as plain data."""
    header = machine(peers)
    print("## pyconv beside its peers\n")
    print("Minima of interleaved repeats; results checked before timing.\n")
    for name, value in header.items():
        print(f"- {name}: {value}")
    measured = [each.report(profile) for each in classes]
    print("\n### Goals\n")
    for each in measured:
        verdict = max((goal["verdict"] for goal in each["goals"]), key=VERDICTS.index)
        print(f"- {each['name']}: {verdict}")
    return {"machine": header, "quick": profile.quick, "classes": measured}
