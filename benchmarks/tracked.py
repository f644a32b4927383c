"""What the classes of the asv suite share: checked calls, profiles, rates.

Nothing that was not compared with the definition has a figure; where a commit lacks what is asked
for, or it rejects the case, the figure is n/a.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.limits import Limits, measure
from benchmarks.timing import Effort, clock, interleaved_minima

#: Fewer cases and repeats: ``PYCONV_BENCHMARKS=quick asv run …``.
QUICK = os.environ.get("PYCONV_BENCHMARKS") == "quick"
#: What a commit raises that lacks a function, a keyword or a method, or rejects the case.
ABSENT = (ImportError, AttributeError, TypeError, ValueError)
#: `reference` on more than this would take the rest of the day.
REFERENCE_PRODUCTS = 2e7
_EFFORT = Effort(seconds=0.03 if QUICK else 0.2, least=3)


@dataclass(frozen=True, slots=True)
class Checked:
    """A call that fills a given result, and how right that was."""

    call: Callable[[], object]
    products: int
    #: Of the arrays that it has to read and write.
    size: int
    #: The error and what is granted, relative to what the class says.
    error: float
    granted: float
    epsilon: float


class Figures(NamedTuple):
    """What is known of a case before asv times it."""

    #: In rounding units.
    error: float
    gflops: float
    share: float


def one_thread() -> bool:
    """Return whether asv's matrix asks for one thread; only `Threads` is run with others."""
    return os.environ.get("OMP_NUM_THREADS", "1") == "1"


def figures(
    cases: Iterable[tuple[str, ...]], bind: Callable[..., Checked], rates: bool = True
) -> dict[tuple[str, ...], Figures]:
    """Return the figures of each case that this version solves, and solves rightly.

    Raises
    ------
    AssertionError
        For a result that is not that of the definition.
    """
    if not one_thread():
        return {}
    limits = measure() if rates else None
    return dict(_figures(cases, bind, limits))


def _figures(
    cases: Iterable[tuple[str, ...]], bind: Callable[..., Checked], limits: Limits | None
) -> Iterator[tuple[tuple[str, ...], Figures]]:
    for case in cases:
        try:
            checked = bind(*case)
        except (*ABSENT, NotImplementedError):
            continue
        if not checked.error <= checked.granted:
            raise AssertionError(
                f"{', '.join(case)}: error {checked.error:.2g}, granted {checked.granted:.2g}"
            )
        rate = share = float("nan")
        if limits is not None:
            seconds = interleaved_minima({"ours": checked.call}, _EFFORT)["ours"]
            rate = 2e-9 * checked.products / seconds
            share = limits.seconds(checked.products, checked.size) / seconds
        yield case, Figures(*map(_rounded, (checked.error / checked.epsilon, rate, share)))


def _rounded(value: float) -> float:
    """Keep the digits that mean something."""
    return float(f"{value:.3g}")


class Suite:
    """A class of the suite: figures of every combination of its parameters, found once."""

    timeout = 300
    rounds = 1 if QUICK else 2
    #: asv's test of significance sees nothing in fewer than seven samples a side.
    repeat: int | tuple[int, int, float] = (8, 8, 0.3) if QUICK else (8, 20, 0.3)
    sample_time = 0.005
    warmup_time = 0.01
    #: Not wall time: waiting for a busy machine is charged to nobody.
    timer = clock

    def require(self, known: dict[tuple[str, ...], Figures], *case: str) -> Figures:
        """Return the figures of a case; there is n/a where there are none."""
        if case not in known:
            raise NotImplementedError(f"{', '.join(case)}: not here")
        return known[case]


def relative(y: np.ndarray, exact: np.ndarray, scale: Any) -> float:
    """Return max|y − exact| / scale, infinite for a NaN or another shape."""
    if y.shape != exact.shape:
        return float("inf")
    found = float(np.abs(y - exact).max() / scale)
    return found if found == found else float("inf")
