"""How a call is cut for any number of threads: the regions of its loops, and the shares of each.

The loops hand every region to this module instead of the pool of threads. Its shares then run one
after another on the caller, each of them between two looks at a clock. So the cuts are those of the
loops themselves, and a machine of two CPUs shows what 64 threads would be given. The clock may
count anything: seconds, or results that were written.
"""

import ctypes
import importlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import pyconv
from pyconv._native import loader

#: What the loops call: a share's function, its data and the number of shares.
_Share = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
_Run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)

Clock = Callable[[], float]
#: Seconds of this thread, whoever else wants the CPU.
THREAD_TIME: Clock = getattr(time, "thread_time", time.perf_counter)


class Region(NamedTuple):
    """Shares that may run at the same time, after what the caller has done alone."""

    before: float
    shares: tuple[float, ...]


class Cut(NamedTuple):
    """One call on so many threads, in units of the clock."""

    regions: tuple[Region, ...]
    #: What the caller does alone behind the last region.
    after: float

    @property
    def serial(self) -> float:
        """What the caller does alone."""
        return sum(region.before for region in self.regions) + self.after

    @property
    def parallel(self) -> float:
        """The sum of all shares."""
        return math.fsum(share for region in self.regions for share in region.shares)

    @property
    def threads(self) -> int:
        """The most shares of a region, 1 without one."""
        return max((len(region.shares) for region in self.regions), default=1)

    @property
    def longest(self) -> float:
        """The sum over regions of the largest share."""
        return math.fsum(max(region.shares) for region in self.regions)

    def evenness(self, threads: int) -> float:
        """Return what so many threads would take with even shares ÷ what the largest take."""
        return self.parallel / (threads * self.longest) if self.longest else 1.0


def can_divert() -> bool:
    """Return whether loops run on the library's own pool, whose regions can be seen."""
    return "own" in loader.native.threading()


@contextmanager
def _diverted(run: Callable[[int, int, int], None]) -> Iterator[None]:
    """Have ``run`` run the regions of every loop; no other thread may make a call meanwhile."""
    workers: Any = importlib.import_module("pyconv._native.workers")
    function = _Run(run)
    address = ctypes.cast(function, ctypes.c_void_p).value
    workers.divert(address)
    try:
        yield
    finally:
        workers.divert(0)


def cut(call: Callable[[], object], threads: int, clock: Clock = THREAD_TIME) -> Cut:
    """Return how ``call`` is cut for so many threads, each share as the clock counts it.

    The call says nothing of `workers`: it uses as many threads as it would use by itself on so many
    CPUs.
    """
    marks: list[list[float]] = []

    def run(function: int, data: int, count: int) -> None:
        looks = [clock()]
        run_share = _Share(function)
        for share in range(count):
            run_share(data, share)
            looks.append(clock())
        marks.append(looks)

    with pyconv.set_workers(threads), _diverted(run):
        end = clock()
        call()
        last = clock()
    regions = []
    for looks in marks:
        shares = tuple(b - a for a, b in pairwise(looks))
        regions.append(Region(looks[0] - end, shares))
        end = looks[-1]
    return Cut(tuple(regions), last - end)


def least(cuts: list[Cut]) -> Cut:
    """Return one call of several, each of its parts the least: others disturb one, not all.

    Calls that were cut in other ways than the first, as data or memory may decide, are left out.
    """
    shape = [len(region.shares) for region in cuts[0].regions]
    alike = [c for c in cuts if [len(region.shares) for region in c.regions] == shape]
    regions = tuple(
        Region(
            min(region.before for region in each),
            tuple(map(min, zip(*(region.shares for region in each), strict=True))),
        )
        for each in zip(*(c.regions for c in alike), strict=True)
    )
    return Cut(regions, min(c.after for c in alike))


def written(y: np.ndarray) -> Clock:
    """Return a clock that counts the results that are not zero, for calls that fill zeros."""
    bits = y.view(f"u{y.itemsize}")  # integers are counted faster
    return lambda: float(np.count_nonzero(bits))
