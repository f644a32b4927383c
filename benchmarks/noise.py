"""Whether a row of times can be trusted: spread, waiting, drift of the clock rate.

A minimum is only worth printing if another run would find it again. Four things speak against it:
the minima of two halves of the turns differ, the process had to wait for its CPU, the machine's
load, or a loop that never changes took longer than it does at its best.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import threads
from benchmarks.timing import Minima, clock

#: The most by which the minima of the halves may differ, by which the reference loop may differ
#: before and after a row and be slower than its least in all rows, and the part of the time that
#: may pass without a CPU. Contenders of a row share a slow clock; they do not share a drift. Steps
#: of an eighth are common on virtual machines; turns that interleave see both sides of them.
SPREAD = 0.15
DRIFT = 0.15
SLOWDOWN = 0.25
WAITING = 0.20
_REFERENCE = range(20_000)


def reference() -> float:
    """Return the least seconds of a loop of scalar additions: it shows the clock rate alone."""
    best = math.inf
    for _ in range(15):
        start = clock()
        sum(_REFERENCE)
        best = min(best, clock() - start)
    return best


def spare_cpus() -> int:
    """Return the CPUs less the threads that run or want to, this one among them.

    A load average would still remember what ended a minute ago.
    """
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except OSError:
        running = 1
    return (os.cpu_count() or 1) - running


@dataclass(slots=True)
class Watch:
    """What disturbs a machine from row to row."""

    least: float = math.inf

    def around(self, measure: Callable[[], dict[str, Minima]]) -> tuple[dict[str, Minima], str]:
        """Return what ``measure`` does, and why it cannot be trusted, or an empty string."""
        spare = spare_cpus()
        before, wall, busy = reference(), time.perf_counter(), time.process_time()
        measured = measure()
        waited = 1 - (time.process_time() - busy) / (time.perf_counter() - wall)
        after = reference()
        self.least = min(self.least, before, after)
        return measured, reason(
            measured,
            drift=max(before, after) / min(before, after) - 1,
            slowdown=min(before, after) / self.least - 1,
            waited=waited if threads.COUNT == 1 else 0.0,
            spare=max(spare, spare_cpus()),
        )


def reason(
    measured: Mapping[str, Minima], drift: float, slowdown: float, waited: float, spare: int
) -> str:
    """Return why a row cannot be trusted, or an empty string.

    Parameters
    ----------
    measured : mapping
        The minima of each contender.
    drift : float
        By how much the reference loop differed before and after the row.
    slowdown : float
        By how much it was slower than at its best in all rows.
    waited : float
        The part of the time in which the process had no CPU.
    spare : int
        CPUs less the threads that wanted to run.
    """
    for name, minima in measured.items():
        spread = abs(minima.even - minima.odd) / minima.least
        if spread > SPREAD:
            return f"two halves of {name} differ by {spread:.0%}"
    if drift > DRIFT:
        return f"the clock rate drifted by {drift:.0%}"
    if slowdown > SLOWDOWN:
        return f"the clock was {slowdown:.0%} slower than at its best"
    if waited > WAITING:
        return f"{waited:.0%} of the time was spent waiting for a CPU"
    if spare < 0:
        return f"{-spare} more threads wanted to run than there are CPUs"
    return ""
