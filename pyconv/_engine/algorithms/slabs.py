"""Solve a problem a slab of results at a time, where an algorithm would copy whole arrays.

The loops read and write most arrays where they lie. Others are converted on the way: half
precision, results that are rounded, imaginary parts, foreign byte order. A slab of a limited
number of bytes is, at a time; what it reads is gathered along the axis that is cut, so that
all slabs but the last are the same problem, without a border on that axis.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import Algorithm, Copies, Run
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.output_arrays import turned
from pyconv._engine.problem import Axis, Problem
from pyconv._native import layout

#: Copies of no more bytes are made at once. Large enough for what each slab costs besides, a
#: hundred microseconds, not to show.
SLAB = 16 << 20
#: A slab may take more where a shorter one would read most samples more than once.
SPANS = 4
#: Samples that are read twice are no reason to cut along a later axis, up to this part.
READ_TWICE = 1.25


class _Costs(NamedTuple):
    """The bytes of copies along one axis that may be cut: n results read (n − 1)·s + span rows.

    With a stride that is a fraction they read about an up-th of that, and are whole periods.
    """

    axis: int
    results: int
    stride: int
    span: int
    each_row: int
    each_result: int
    up: int = 1
    #: Places from the first row that is read to the first tap of a slab.
    offset: int = 0

    @property
    def least(self) -> int:
        """The fewest results of a slab."""
        return min(self.up, self.results)

    def rows(self, n: int) -> int:
        return (self.offset + (n - 1) * self.stride + self.span - 1) // self.up + 1

    def bytes(self, n: int) -> int:
        return self.rows(n) * self.each_row + n * self.each_result

    def most(self, room: int) -> int:
        """Return how many results fit."""
        more = self.offset + self.span - 1 - self.stride + self.up
        free = room * self.up - more * self.each_row
        n = free // (self.stride * self.each_row + self.up * self.each_result)
        return self.results if n >= self.results else n - n % self.up

    def fair(self, n: int) -> int:
        """Return as many results, or fewer, of which the last slab lacks few."""
        even = -(-self.results // -(-self.results // n))
        return min(self.results, even + -even % self.up)

    def ample(self) -> int:
        """Return the bytes of a slab that reads few samples twice."""
        n = max(self.up, -(-SPANS * self.span // self.stride))
        return self.bytes(min(self.results, n))


def _costs(problem: Problem, copies: Copies) -> list[_Costs]:
    spatial = {a.axis: a for a in problem.spatial}
    assert problem.compute is not None
    # Beside samples in the dtype of the sums, those of a border as they are.
    sample = problem.compute.itemsize + problem.x_dtype.itemsize
    result = copies.result + problem.dtype.itemsize
    costs = []
    for axis, (size, out) in enumerate(zip(problem.x_shape, problem.y_shape, strict=True)):
        a = spatial.get(axis)
        stride, span, up, offset = (1, 1, 1, 0)
        if a is not None:
            stride, span, up, offset = a.stride, a.span, a.up, -a.low % a.up
        each_row = math.prod(problem.x_shape) // size * sample
        each_result = math.prod(problem.y_shape) // out * result
        costs.append(_Costs(axis, out, stride, span, each_row, each_result, up, offset))
    return costs


def _cut(costs: list[_Costs], room: int) -> tuple[_Costs, int]:
    """Return the axis to cut, and how many of its results a slab has; the fewest if none fits."""
    best, least = None, math.inf
    for cost in costs:
        n = cost.most(room)
        if n < 1:
            continue
        share = cost.rows(n) * cost.up / (n * cost.stride)
        if share < least:
            best, least = (cost, cost.fair(n)), share
        if least <= READ_TWICE:
            break
    if best is not None:
        return best
    smallest = min(costs, key=lambda cost: cost.bytes(cost.least))
    return smallest, smallest.least


class _Share(NamedTuple):
    """How ``max_memory`` is shared."""

    #: Bytes of copies, and of workspace of one thread, at most.
    copies: int
    workspace: int
    #: What the algorithm may take.
    problem: Problem


def _share(algorithm: Algorithm, problem: Problem) -> _Share:
    copies = algorithm.copies(problem)
    if problem.is_rounded:  # whole arrays are copied, ``x`` if it is not contiguous
        packed = copies.packed * math.prod(problem.x_shape) * problem.x_dtype.itemsize
        taken = _whole(problem, copies) + packed
        return _Share(taken, algorithm.workspace(problem), problem)
    if not (copies.sample or copies.result):
        return _Share(0, algorithm.workspace(problem), problem)
    costs = _costs(problem, copies)
    # The rest is enough for the algorithm wherever it is enough for the smallest slab.
    room = problem.max_memory - algorithm.workspace(replace(problem, max_memory=0))
    least, ample = min(c.bytes(c.least) for c in costs), min(c.ample() for c in costs)
    taken = min(_whole(problem, copies), max(least, min(max(SLAB, ample), room)))
    rest = replace(problem, max_memory=max(0, problem.max_memory - taken))
    return _Share(taken, algorithm.workspace(rest), rest)


def _whole(problem: Problem, copies: Copies) -> int:
    """Return the bytes of copies of the whole arrays."""
    return math.prod(problem.x_shape) * copies.sample + math.prod(problem.y_shape) * copies.result


def workspace(algorithm: Algorithm, problem: Problem) -> int:
    """Return the bytes that one thread needs besides the arrays, copies among them."""
    share = _share(algorithm, problem)
    return share.copies + share.workspace


def most_threads(algorithm: Algorithm, problem: Problem) -> int:
    """Return for how many threads ``max_memory`` is enough."""
    share = _share(algorithm, problem)
    return max(1, (problem.max_memory - share.copies) // share.workspace)


def bind(algorithm: Algorithm, problem: Problem) -> Run:
    """Return the function that solves ``problem`` within ``max_memory``."""
    copies = algorithm.copies(problem)
    # A slab holds no fill value that is none of the dtype of ``x``.
    if problem.is_rounded or copies.reads_all:
        return algorithm.bind(problem)
    always = bool(copies.sample or copies.result)
    share = _share(algorithm, problem)
    if always and share.copies >= _whole(problem, copies):
        return algorithm.bind(share.problem)
    assert problem.compute is not None
    room = share.copies if always else problem.max_memory - share.workspace
    if not always:
        whole = math.prod(problem.x_shape) * problem.compute.itemsize
        if whole <= min(SLAB, room):
            run = algorithm.bind(problem)
            small = math.prod(problem.x_shape) * problem.x_dtype.itemsize < layout.TURNED_BYTES
            return run if small else _straightening(run)
        costs = _costs(problem, copies)
        room = min(room, max(SLAB, min(c.ample() for c in costs)))
    slabs = _Slabs(algorithm, share.problem, _costs(problem, copies), room)
    if always:
        return slabs.run
    run = algorithm.bind(problem)

    def run_where_it_lies(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        if layout.straight(x) and (x.flags.c_contiguous or not copies.packed):
            run(x, w, y, workers)
        elif slabs.lacks_memory and layout.readable(x) and not copies.packed:
            run(x, w, y, workers)  # slowly, rows across those of the memory
        else:
            slabs.run(x, w, y, workers)

    return run_where_it_lies


def _straightening(run: Run) -> Run:
    """Return the function for arrays that a copy is granted for, whichever way their rows lie."""

    def run_straight(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        across = layout.readable(x) and not layout.straight(x)
        run(turned(x) if across else x, w, y, workers)

    return run_straight


def too_little_for_copies(max_memory: int, missing: int) -> MemoryError:
    """Return the error of memory that lacks some bytes for copies of ``x``."""
    return MemoryError(
        f"max_memory={max_memory} is too little workspace for copies of x, which is not contiguous "
        f"or not in native byte order; the least that would do is {max_memory + missing} bytes"
    )


class _Slabs:
    """A problem that is solved a slab at a time."""

    def __init__(
        self, algorithm: Algorithm, problem: Problem, costs: list[_Costs], room: int
    ) -> None:
        self._algorithm, self._problem = algorithm, problem
        self._costs, self._n = _cut(costs, room)
        self._missing = max(0, self._costs.bytes(self._n) - room)
        self._axis: Axis | None = None
        for a in problem.spatial:
            if a.axis == self._costs.axis:
                self._axis = a
        #: Samples are converted to the dtype of the sums, in which a fill value has its value.
        self._x_dtype = problem.x_dtype if problem.exact else problem.compute
        #: By their number of results.
        self._runs: dict[int, Run] = {}

    @property
    def lacks_memory(self) -> bool:
        """Whether not even the smallest slab may be copied."""
        return self._missing > 0

    def run(self, x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        """Solve the problem."""
        if self._missing:
            raise too_little_for_copies(self._problem.max_memory, self._missing)
        axis, results = self._costs.axis, self._costs.results
        for start in range(0, results, self._n):
            n = min(self._n, results - start)
            part = y[(*[slice(None)] * axis, slice(start, start + n))]
            total = part if part.flags.c_contiguous else np.empty(part.shape, part.dtype)
            self._run_of(n)(self._samples(x, start, n), w, total, workers)
            if total is not part:
                part[...] = total

    def _run_of(self, n: int) -> Run:
        run = self._runs.get(n)
        if run is None:
            run = self._runs[n] = self._algorithm.bind(self._slab(n))
        return run

    def _slab(self, n: int) -> Problem:
        problem, axis, rows = self._problem, self._costs.axis, self._costs.rows(n)
        low = -self._costs.offset
        return replace(
            problem,
            x_shape=(*problem.x_shape[:axis], rows, *problem.x_shape[axis + 1 :]),
            y_shape=(*problem.y_shape[:axis], n, *problem.y_shape[axis + 1 :]),
            x_dtype=self._x_dtype,
            spatial=tuple(
                replace(a, size=rows, low=low, high=0, out=n) if a is self._axis else a
                for a in problem.spatial
            ),
        )

    def _samples(self, x: np.ndarray, start: int, n: int) -> np.ndarray:
        """Return what a slab reads, contiguous and in native byte order."""
        a = self._axis
        before: tuple[Any, ...] = (slice(None),) * self._costs.axis
        first = start if a is None else (start * a.stride - a.low) // a.up
        stop = first + self._costs.rows(n)
        with np.errstate(all="ignore"):
            if a is None or (first >= 0 and stop <= a.size):
                some = x[(*before, slice(first, stop))]
                if layout.readable(some) and not layout.straight(some):
                    some = turned(some)
                return np.require(some, self._x_dtype, ["C", "A"])
            index = BOUNDARIES[a.boundary].index(np.arange(first, stop), a.size)
            samples = x[(*before, index)].astype(self._x_dtype, order="C")  # FILL = −1: the last
            np.moveaxis(samples, a.axis, 0)[index == FILL] = self._problem.fill_value
            return samples
