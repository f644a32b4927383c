"""What a run of results reads along one axis: output i reads i·s − low … i·s − low + span − 1.

Between two rates output i reads ⌊(i·s + phase) / up⌋ − low … and as many samples.

At the ends of the array a piece holds the samples that the boundary's rule asks for, and the call
that sums it reads outside as that of the whole array does. Only an axis that wraps is gathered
from both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from pyconv._engine.boundaries import BOUNDARIES

#: Stands for an axis that is read by several rules, one of which wraps: what reads outside it reads
#: all of it.
MIXED = "mixed"


class Read(NamedTuple):
    """Samples that a piece reads along one axis, from the first to before the last.

    Coordinates outside the array are those of an axis that wraps: they are taken modulo its size.
    """

    start: int
    stop: int

    @property
    def size(self) -> int:
        """The number of samples."""
        return self.stop - self.start

    def slices(self, n: int) -> Iterator[slice]:
        """Yield the parts of an axis of ``n`` samples that follow each other in the block."""
        at = self.start
        while at < self.stop:
            first = at % n if n else 0
            count = min(self.stop - at, max(1, n - first))
            yield slice(first, first + count)
            at += count


class Run(NamedTuple):
    """Results that are made along one axis, from what is read."""

    read: Read
    #: The sample at the place of the first result, counted from the first that is read.
    first: int
    #: Results that are made.
    out: int
    #: Where the results that are wanted begin among them.
    skipped: int
    #: The first result that is made.
    start: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What the results along one axis read."""

    axis: int
    #: Samples of the array; results.
    size: int
    out: int
    #: Samples that the first result reads before its place; those from its first to its last.
    low: int = 0
    span: int = 1
    stride: int = 1
    boundary: str = "constant"
    #: The sample at whose place the first result is said to lie.
    place: int = 0
    #: Results are made from a multiple of so many on, as their sums depend on where they begin.
    multiple: int = 1
    #: Whether they are made from the first sample on that is read, which is such a multiple then.
    from_read: bool = False
    #: Whether every result is made, as those of a pixel are.
    entire: bool = False
    #: Results of a tile that is always summed as a whole; 0 for sums that need none.
    tile: int = 0
    #: Whether results are made up to a multiple, too.
    complete: bool = False
    #: Results that are made at least, if there are as many: fewer are summed in another order.
    least: int = 1
    #: Whether all results lie in one chunk, as those of channels do.
    joined: bool = False
    #: Results of so many rates of the samples, and how far the first one is behind its sample.
    up: int = 1
    phase: int = 0

    def sample(self, i: int) -> int:
        """Return the sample at whose place, or behind it, a result lies."""
        return (i * self.stride + self.phase) // self.up

    def run(self, start: int, stop: int) -> Run:
        """Return how the results from ``start`` to before ``stop`` are made."""
        if start >= stop:
            return Run(Read(0, 0), 0, 0, 0, start)
        if self.entire:
            return Run(Read(0, self.size), 0, self.out, start, 0)
        begin = start if self.from_read else start - start % self.multiple
        if self.complete:
            stop = min(self.out, stop + -stop % self.multiple)
        if stop - begin < self.least:
            begin = max(0, min(begin, self.out - self.least))
            stop = min(self.out, begin + self.least)
        low = self.sample(begin) - self.low
        high = self.sample(stop - 1) - self.low + self.span
        if self.from_read:
            low -= low % self.multiple
        read = self._read(low, high)
        if self.from_read:
            read = Read(read.start - read.start % self.multiple, read.stop)
        return Run(read, self.sample(begin) - read.start, stop - begin, start - begin, begin)

    def _read(self, low: int, high: int) -> Read:
        n = self.size
        if low >= 0 and high <= n:
            return Read(low, high)
        if self.boundary == MIXED:
            return Read(0, n)
        if self.boundary == "wrap":
            return Read(low, high) if high - low < n else Read(0, n)
        if BOUNDARIES[self.boundary].period is not None:  # mirrored: as far inside as outside
            low, high = min(low, 2 * n - high - 1), max(high, 1 - low)
        first = min(max(0, low), n - 1)
        return Read(first, max(min(n, high), first + 1))

    def tiles(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the tiles that hold the results from ``start`` to before ``stop``."""
        if not self.tile:
            yield start, stop
            return
        for first in range(start - start % self.tile, stop, self.tile):
            yield first, min(first + self.tile, self.out)

    def whole_tiles(self, start: int, stop: int) -> tuple[int, int]:
        """Return the run of results of the tiles that hold some."""
        if not self.tile:
            return start, stop
        first = start - start % self.tile
        return first, min(self.out, first + math.ceil((stop - first) / self.tile) * self.tile)

    def aligned(self, taps: int, dilation: int = 1) -> Reach:
        """Return the reach of sums whose blocks begin at multiples of the taps."""
        return replace(self, multiple=taps * dilation // math.gcd(self.stride, taps * dilation))
