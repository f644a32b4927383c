"""Banks: y[c, i] = Σ_u x[c, i·s + u·d − p] · w[c, u], lines along one axis with a filter each.

A line is a problem of its own, whose algorithm is chosen as for one kernel that may have any
weights. `direct` and `rounded_sum` sum all lines in one loop, and give each the bits that it has
alone. Neighbours in memory are summed side by side by the loop of `polyphase`, each in the order
of its taps. Other algorithms run once for each line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine import bank_loop, threads
from pyconv._engine.algorithms.base import Algorithm, is_bank
from pyconv._engine.algorithms.loop_adapters import CONVERTED
from pyconv._engine.dtypes import (
    bank_interval,
    check_rounded,
    exact_accumulator,
    is_integer,
)
from pyconv._engine.output_arrays import empty, turned
from pyconv._engine.planner import kept
from pyconv._engine.planning import BoundProblem, bounded_problem, planner_of
from pyconv._engine.problem import CallOptions, Problem, make_problem
from pyconv._native import layout, loader

Array = npt.NDArray[Any]

#: Taps up to which neighbours are summed side by side: direct sums more of them in blocks.
TAPS_ABREAST = 512
#: Bytes of neighbouring lines that are copied to rows at a time; more if a line of the cache holds
#: samples of more. Measured on a Xeon, 2026-11-30, of 384 lines of 100,000 int16 each: 32 lines at
#: a time were copied there and back in 4 ms, all of them in 64.
PANEL_BYTES, LINE_BYTES = 1 << 20, 64


class Bank(NamedTuple):
    """A validated call without its data."""

    #: That of an array whose last axis is the one of the lines; ``w`` is one filter.
    problem: Problem
    #: The axis of the lines in the caller's array.
    axis: int
    #: How many filters there are along each of the last axes of the lines.
    filters: tuple[int, ...]
    method: str

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        *shape, n = self.problem.y_shape
        shape.insert(self.axis, n)
        return tuple(shape)

    def own(self) -> Array:
        """Return the filter of each line, in the order of their axes; kept plans hold none."""
        numbers = np.arange(math.prod(self.filters)).reshape(self.filters)
        own = np.broadcast_to(numbers, self.problem.x_shape[:-1]).ravel()
        return np.ascontiguousarray(own, np.intp)

    def run(self, x: Array, w: Array, y: Array | None, workers: int | None) -> Array:
        """Return the results, in ``y`` if that is given: contiguous, apart from ``x`` and ``w``."""
        if y is None:
            y = empty(self.y_shape, self.problem.dtype)
        if 0 in y.shape:
            return y
        filters = w.reshape(-1, w.shape[-1])
        problem, algorithm = self._planned(x, filters)
        inner = math.prod(x.shape[self.axis + 1 :])
        if inner == 1:
            lines = np.moveaxis(x, self.axis, -1), np.moveaxis(y, self.axis, -1)
            _sum_lines(problem, algorithm, self.method, lines[0], filters, self.own(), lines[1],
                       workers)  # fmt: skip
        elif self._are_abreast(problem, algorithm, x):
            self._sum_abreast(problem, x, filters, y, workers)
        else:
            for part, own, into in self._panels(x, y):
                sums = np.empty(into.shape[::-1], problem.dtype)
                rows = replace(problem, x_shape=part.shape, y_shape=sums.shape,
                               spatial=(replace(problem.spatial[0], axis=1),))  # fmt: skip
                _sum_lines(rows, algorithm, self.method, part, filters, own, sums, workers)
                layout.turn_rows(sums.T, into)
        return y

    def _planned(self, x: Array, filters: Array) -> tuple[Problem, Algorithm | None]:
        """Return the problem for this data, and its algorithm; None where weights decide."""
        problem, taps = self.problem, filters.shape[1]
        fill = problem.fill_value if problem.reads_fill else None
        if problem.is_rounded:
            problem = bounded_problem(problem, bank_interval(x, filters, fill), taps)
            whole = is_integer(x.dtype) or bool(filters.all())
            return problem, self._rounding(problem) if whole else None
        if problem.compute is None:
            interval = bank_interval(x, filters, fill)
            sums = exact_accumulator(interval, problem.dtype, problem.overflow)
            problem = problem.summed_in(sums)
        elif is_integer(problem.dtype) and problem.overflow == "raise":
            interval = bank_interval(x, filters, fill)
            check_rounded(interval, taps, problem.compute, problem.dtype, "raise")
        key = "bank of lines", loader.native, problem, self.method
        return problem, kept(key, _chosen, problem, self.method)

    def _rounding(self, problem: Problem) -> Algorithm | None:
        """Return the algorithm of rounded sums that takes one filter a line, if it may run."""
        named = [a for a in planner_of(problem).algorithms if is_bank(a)]
        able = [a for a in named if a.rejects(problem) is None]
        return next((a for a in able if self.method in ("auto", a.name)), None)

    # ---- lines that are neighbours ------------------------------------------------------------

    def _are_abreast(self, problem: Problem, algorithm: Algorithm | None, x: Array) -> bool:
        """Return whether one loop sums neighbouring lines as they lie."""
        (a,), sums = problem.spatial, problem.compute
        return (
            algorithm is not None
            and not problem.is_between_rates
            and algorithm.name == "direct"
            and sums in (np.float32, np.float64)
            and problem.dtype not in CONVERTED
            and a.dilation == 1
            and a.taps <= TAPS_ABREAST
            and bank_loop.takes(a.stride, a.taps)
            and bank_loop.are_abreast(x.shape, self.axis, sums)
        )

    def _sum_abreast(
        self, problem: Problem, x: Array, filters: Array, y: Array, workers: int | None
    ) -> None:
        (a,) = problem.spatial
        with np.errstate(all="ignore"):  # IEEE: too large for the sums is infinite
            h = (filters if problem.flip else filters[:, ::-1]).astype(problem.compute)
        outside = bank_loop.Outside(a.boundary, problem.fill_value.real)
        bank_loop.filtered_each(
            x, h, self.own(), self.axis, a.taps - 1 - a.low, a.out, a.stride, outside, y,
            problem.overflow == "saturate", workers,
        )  # fmt: skip

    def _panels(self, x: Array, y: Array) -> Iterator[tuple[Array, Array, Array]]:
        """Yield copies of neighbouring lines as rows, their filters, and where results belong."""
        axis, n = self.axis, x.shape[self.axis]
        inner = math.prod(x.shape[axis + 1 :])
        groups = x.reshape(-1, n, inner), y.reshape(-1, y.shape[axis], inner)
        own = self.own().reshape(-1, inner)
        item = min(x.itemsize, y.itemsize)
        size = max(LINE_BYTES // item, PANEL_BYTES // (n * x.itemsize))
        for at, first in itertools.product(range(len(own)), range(0, inner, size)):
            part = slice(first, first + size)
            rows = groups[0][at, :, part].T
            plain = rows.dtype.isnative and rows.flags.aligned
            copy = turned(rows) if plain else np.ascontiguousarray(rows)
            yield copy, own[at, part].copy(), groups[1][at, :, part]


def prepare(x: Array, w: Array, axis: int, options: CallOptions) -> Bank:
    """Return the bank of a call; ``axes`` of the options is not read.

    Raises
    ------
    TypeError, ValueError
        As `make_problem`.
    """
    named = options.of_problem() | {"axes": axis}
    problem = make_problem(x.shape, x.dtype, w.shape[-1:], w.dtype, **named)
    last = x.ndim - 1
    (along,) = problem.spatial
    problem = replace(
        problem,
        x_shape=_moved(problem.x_shape, along.axis),
        y_shape=_moved(problem.y_shape, along.axis),
        spatial=(replace(along, axis=last),),
    )
    method = planner_of(problem).check_method(options.method)
    return Bank(problem, along.axis, w.shape[:-1], method)


def reaches(shape: tuple[int, ...], lines: Sequence[int]) -> bool:
    """Return whether filters of a shape are broadcast to lines of another.

    NumPy's function of that takes no more than 32 axes.
    """
    ends = zip(reversed(shape), reversed(lines), strict=False)
    return len(shape) <= len(lines) and all(count in (1, n) for count, n in ends)


def _moved(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :], shape[axis])


def _chosen(problem: Problem, method: str) -> Algorithm:
    """Return the algorithm of a line, whatever its weights; as all lines have it, if it can."""
    planner = planner_of(problem)
    chosen = planner.choose(_line(problem), method)
    loop = next(a for a in planner.algorithms if a.name == chosen.name)
    return loop if is_bank(loop) and loop.rejects(problem) is None else chosen


def _line(problem: Problem) -> Problem:
    """Return the problem of one line."""
    (a,) = problem.spatial
    return replace(problem, x_shape=(a.size,), y_shape=(a.out,), spatial=(replace(a, axis=0),))


def _sum_lines(
    problem: Problem,
    algorithm: Algorithm | None,
    method: str,
    x: Array,
    filters: Array,
    own: Array,
    y: Array,
    workers: int | None,
) -> None:
    """Write the results of lines along the last axis to a contiguous array."""
    if algorithm is not None and is_bank(algorithm):
        count = threads.resolve(workers, algorithm.threads(problem))
        if count == 1:
            algorithm.run_bank(problem, x, filters, own, y, 1)
            return
        with threads.running():
            algorithm.run_bank(problem, x, filters, own, y, count)
        return
    line = _line(problem)
    plan = None if algorithm is None else BoundProblem(line, algorithm)
    plans: dict[int, BoundProblem] = {}
    for at, each in zip(np.ndindex(x.shape[:-1]), own.tolist(), strict=True):
        if plan is None:
            if each not in plans:
                chosen = planner_of(line).choose(line, method, filters[each])
                plans[each] = BoundProblem(line, chosen)
            plans[each].solve(x[at], filters[each], y[at], workers)
        else:
            plan.solve(x[at], filters[each], y[at], workers)
