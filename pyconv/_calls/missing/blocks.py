"""Blocks of outputs of a call with missing samples, and the rows that they read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.planner import shortage_beside
from pyconv._engine.problem import Axis, Problem

#: Samples of a block: few enough for it and its sums to stay in the third-level cache, enough that
#: the overhead of the engine's calls does not show. A transform's tiles need more rows at a time.
BLOCK, TRANSFORMED_BLOCK = 1 << 18, 1 << 19
#: Outputs of a block span at least this many kernels: the rest are rows that are read twice.
MIN_SPANS, MIN_TRANSFORMED_SPANS = 4, 16
#: Blocks of which only those are summed that have outputs of low coverage are smaller.
SMALLER = 4


class Block(NamedTuple):
    """Outputs that are computed together, and what they read."""

    #: Parts of ``x`` and ``y``: a slice for each axis up to the one that is cut.
    source: tuple[slice, ...]
    into: tuple[slice, ...]
    #: The samples that are read along the axis that is cut, with their indices in ``x``, and the
    #: coordinate of the first; None where it is not cut, and the engine reads outside.
    rows: np.ndarray | None
    first: int


def read_rows(block: Block, n: int) -> Iterator[tuple[slice, slice | np.ndarray]]:
    """Yield rows of a block, and where they are read: those outside by their index."""
    rows = block.rows
    if rows is None:
        yield slice(None), slice(None)
        return
    low = min(max(0, -block.first), len(rows))
    high = min(max(low, n - block.first), len(rows))
    if low < high:
        yield slice(low, high), slice(block.first + low, block.first + high)
    for part in (slice(0, low), slice(high, len(rows))):
        if part.start < part.stop:
            yield part, rows[part]  # FILL = −1 reads the last row


def taken(a: np.ndarray, axis: int, rows: slice | np.ndarray) -> np.ndarray:
    """Return rows along an axis."""
    if isinstance(rows, slice):
        return a[(*(slice(None),) * axis, rows)]
    return a.take(rows, axis)


class Blocks:
    """The blocks that a problem is cut into, along one axis; axes before it are batch axes."""

    def __init__(
        self, problem: Problem, sums: np.dtype, transformed: bool, workers: int, small: bool
    ) -> None:
        self._problem = problem
        # The tiles of a transform are cut from a block, and round by what shares them: their blocks
        # are the same for every number of threads.
        most = TRANSFORMED_BLOCK if transformed else BLOCK * workers
        most //= SMALLER if small and len(problem.spatial) > 1 else 1
        # Room for the engine is left; what a sample takes is itself, m, and for an output two sums.
        each = problem.x_dtype.itemsize + 1 + 2 * sums.itemsize
        most = min(most, max(1, problem.max_memory // 2 // each))
        first = min(a.axis for a in problem.spatial)
        sizes = [max(pair) for pair in zip(problem.x_shape, problem.y_shape, strict=True)]
        row = [math.prod(sizes[axis + 1 :]) for axis in range(first + 1)]
        self._cut = next((axis for axis in range(first) if row[axis] <= most), first)
        samples = max(1, most // max(1, row[self._cut]))
        self._axis: Axis | None = None
        if self._cut == first:
            self._axis = next(a for a in problem.spatial if a.axis == first)
            spans = MIN_TRANSFORMED_SPANS if transformed and not small else MIN_SPANS
            self._step = _outputs(self._axis, samples, spans)
        else:
            self._step = samples
        taken = each * max(1, row[self._cut]) * self._rows_of_a_block()
        if taken > problem.max_memory:
            self._step = 1
            taken = each * max(1, row[self._cut]) * self._rows_of_a_block()
        if taken > problem.max_memory:
            raise shortage_beside(problem.max_memory, taken)
        self.engine_memory = problem.max_memory - taken

    def _rows_of_a_block(self) -> int:
        a = self._axis
        if a is None:
            return self._step
        if self._step >= a.out:
            return max(a.size, a.out)
        return (self._step - 1) * a.stride + a.span

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks in the order of their outputs."""
        before = [range(n) for n in self._problem.x_shape[: self._cut]]
        for lead in itertools.product(*before):
            ahead = tuple(slice(i, i + 1) for i in lead)
            for start in range(0, self._problem.y_shape[self._cut], self._step):
                yield self._block(ahead, start)

    def _block(self, ahead: tuple[slice, ...], start: int) -> Block:
        stop = min(start + self._step, self._problem.y_shape[self._cut])
        into, every, a = (*ahead, slice(start, stop)), (*ahead, slice(None)), self._axis
        if a is None:
            return Block(into, into, None, 0)
        if self._step >= a.out:
            return Block(every, into, None, 0)
        first = start * a.stride - a.low
        rows = np.arange(first, first + (stop - start - 1) * a.stride + a.span)
        return Block(every, into, BOUNDARIES[a.boundary].index(rows, a.size), first)


def _outputs(a: Axis, samples: int, spans: int) -> int:
    """Return how many outputs along ``a`` a block of about ``samples`` rows has, in equal parts."""
    whole = max(a.size, a.out)
    most = max((samples - a.span) // a.stride + 1, -(-spans * a.span // a.stride), 1)
    if whole <= samples or most * a.stride + a.span >= whole:
        return a.out
    return -(-a.out // -(-a.out // most))
