"""The regret of the automatic choice: its time ÷ that of the best algorithm that is forced.

A grid of sizes and kernels in one to three dimensions, float32, zeros outside, on one thread. An
algorithm that is predicted to take far longer than the chosen one is not timed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import pyconv
from benchmarks.cases import Case
from benchmarks.speed import machine
from benchmarks.table import Table
from benchmarks.timing import Effort, interleaved_minima

#: What the choice may cost: for nearly all rows, for this share of them, and for every row.
NEAR, SHARE, FAR = 1.25, 0.95, 2.0
#: An algorithm predicted to take this many times the predicted time of the chosen one is skipped.
SKIPPED_FROM = 20.0

#: Sizes of each axis, and of the kernel's, by dimension.
GRID: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    1: ((1000, 30_000, 10**6), (3, 9, 17, 33, 65, 127, 257, 1001, 10_001, 100_001)),
    2: ((32, 128, 512, 2048), (3, 5, 7, 9, 11, 15, 21, 31, 63, 127)),
    3: ((16, 48, 128), (3, 5, 7, 9, 11, 15, 31)),
}
QUICK_GRID: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    1: ((1000, 30_000), (9, 33, 65, 127, 1001)),
    2: ((32, 256), (3, 7, 9, 11, 15, 31)),
    3: ((16, 48), (3, 5, 7, 9, 15)),
}
#: Sizes of each axis, and of kernels whose weights decide: boxes, and Gaussians of σ = (k − 1)/8.
Kernel = Literal["box", "gaussian"]
WEIGHED: tuple[tuple[Kernel, int, tuple[int, ...], tuple[int, ...]], ...] = (
    ("box", 1, (30_000, 10**6), (5, 31, 301)),
    ("box", 2, (128, 512, 2048), (3, 5, 9, 31)),
    ("box", 3, (48, 128), (3, 5, 9)),
    ("gaussian", 2, (128, 512, 2048), (9, 17, 41, 81)),
    ("gaussian", 3, (48, 128), (9, 17)),
)
QUICK_WEIGHED: tuple[tuple[Kernel, int, tuple[int, ...], tuple[int, ...]], ...] = (
    ("box", 1, (30_000,), (31, 301)),
    ("box", 2, (256,), (5, 31)),
    ("box", 3, (48,), (3, 7)),
    ("gaussian", 2, (256,), (9, 17, 41, 81)),
    ("gaussian", 3, (48,), (9, 17)),
)


@dataclass(frozen=True, slots=True)
class Regret:
    """One row: what was chosen, and the seconds of each algorithm that was timed."""

    case: str
    chosen: str
    seconds: dict[str, float]

    @property
    def best(self) -> str:
        """The algorithm that took the least time."""
        return min(self.seconds, key=lambda name: self.seconds[name])

    @property
    def ratio(self) -> float:
        """The time of what was chosen ÷ the least."""
        return self.seconds[self.chosen] / self.seconds[self.best]


def cases(quick: bool) -> Iterator[Case]:
    """Yield the grid; kernels are no longer than the array."""
    for ndim, (sizes, taps) in (QUICK_GRID if quick else GRID).items():
        for size in sizes:
            for k in taps:
                if k <= size:
                    yield Case((size,) * ndim, (k,) * ndim, boundary="constant")
    for kernel, ndim, sizes, taps in QUICK_WEIGHED if quick else WEIGHED:
        for size in sizes:
            for k in taps:
                yield Case((size,) * ndim, (k,) * ndim, boundary="constant", kernel=kernel)


def measure(case: Case, effort: Effort) -> Regret:
    """Time each algorithm that can solve the case within reason; all fill one result each."""
    x, w = case.data()
    why = pyconv.explain(x, w, **case.options)
    able = {row.algorithm: row.seconds for row in why.candidates if row.seconds is not None}
    most = SKIPPED_FROM * able[why.algorithm]
    calls = {
        name: case.bind(x, w, np.empty(case.y_shape, case.result_dtype), name)
        for name, seconds in able.items()
        if seconds <= most
    }
    return Regret(case.label, why.algorithm, interleaved_minima(calls, effort))


def report(quick: bool, effort: Effort) -> dict[str, Any]:
    """Print each row, then how many are near the best, and the worst; return them as plain data."""
    header = machine(())
    print("## Regret of the automatic choice\n")
    print("Time of the algorithm that is chosen ÷ the least of those forced; one thread.\n")
    for name, value in header.items():
        print(f"- {name}: {value}")
    print()
    table = Table("case", "chosen", "regret", "ms of each")
    rows = []
    for case in cases(quick):
        row = measure(case, effort)
        rows.append(row)
        times = ", ".join(f"{n} {s * 1e3:.3g}" for n, s in row.seconds.items())
        table.row(row.case, row.chosen, f"{row.ratio:.2f}", times)
    near = sum(row.ratio <= NEAR for row in rows) / len(rows)
    worst = max(rows, key=lambda row: row.ratio)
    print(f"\n- within {NEAR} of the best: {near:.0%} of {len(rows)} rows, goal ≥ {SHARE:.0%}")
    print(f"- worst: {worst.ratio:.2f} ({worst.case}: {worst.best} is faster), goal ≤ {FAR:g}")
    return {
        "machine": header,
        "rows": [
            {"case": r.case, "chosen": r.chosen, "regret": r.ratio, "seconds": r.seconds}
            for r in rows
        ],
        "near": near,
        "worst": worst.ratio,
    }
