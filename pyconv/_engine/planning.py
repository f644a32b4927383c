"""From a correlation to its plan: choose the algorithm of least cost, bind it, keep it, run it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms import (
    ALGORITHMS,
    RATE_ALGORITHMS,
    ROUNDING_ALGORITHMS,
    Algorithm,
    arranged,
    slabs,
)
from pyconv._engine.algorithms.base import Run, UnfitDataError, WeightDependentAlgorithm
from pyconv._engine.algorithms.phases import tap_step
from pyconv._engine.dtypes import (
    ACCUMULATORS,
    DTYPES,
    LIMITS,
    Interval,
    check_overflow,
    check_rounded,
    exact_accumulator,
    is_integer,
    result_interval,
    rounded_interval,
    supported,
)
from pyconv._engine.machine import MACHINE
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.output_arrays import allocator, plain_array
from pyconv._engine.planner import CALLS, MAX_WEIGHTS, WISDOM, Cache, Planner
from pyconv._engine.problem import CallOptions, Problem, integer, make_problem, several
from pyconv._native.calls import array_key, plain_key

#: Plain sums of 16 bits of no more products take no longer than passes along each axis in float32.
#: Measured on Zen 4 with AVX-512, 2048² samples of 8 bits: 5×5 takes 0.8 of their time, 6×6 as
#: much, 7×7 1.3 of it.
FEW_PRODUCTS = 36

#: An item is exchanged where that is predicted to spare more: as a call of its own it takes 3
#: microseconds more than in a loop over items. Measured on Zen 4, 2026-11-30, 1000 lines.
EXCHANGE_SECONDS = 2.5e-6
#: The methods that take any weights and sum products of them, whichever weights are cut off.
_CUT_METHODS = ("auto", "direct", "fft", "im2col")
#: The plan of an integer sum is kept for weights of no more bytes: more take long to compare.
FEW_BYTES = 4096
NAN_POLICIES = ("propagate", "raise", "omit")


class BoundProblem:
    """A problem bound to an algorithm. It holds no workspace: threads may share it."""

    __slots__ = (
        "algorithm",
        "fresh",
        "most_threads",
        "plain",
        "problem",
        "run",
        "useful_threads",
    )

    def __init__(self, problem: Problem, algorithm: Algorithm) -> None:
        self.problem = problem
        self.algorithm = algorithm
        self.run: Run = _nothing if 0 in problem.y_shape else slabs.bind(algorithm, problem)
        self.fresh = allocator(problem.y_shape, problem.dtype)
        self.useful_threads = algorithm.threads(problem)
        #: What the memory that is granted is enough for.
        self.most_threads = 1
        if 0 not in problem.y_shape:
            self.most_threads = slabs.most_threads(algorithm, problem)
        #: The plan of the plain sum, or of one item of a batch, once data have asked for it.
        self.plain: BoundProblem | None = None
        if problem.rtol == 0:  # it is a plain sum
            return
        plainly = replace(problem, rtol=0.0)
        if algorithm.rejects(plainly) is not None:
            self.run = self._or_plainly(self.run, plainly)

    def _or_plainly(self, run: Run, plainly: Problem) -> Run:
        """Return ``run``, or the plain sum for items that it is not fit for."""
        lead = min(a.axis for a in plainly.spatial)
        if math.prod(plainly.x_shape[:lead]) == 1:
            lead = 0

        def run_fit_data(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            try:
                run(x, w, y, workers)
            except UnfitDataError:
                # Every output reads every weight, but for those between two rates.
                if np.isnan(w).any() and not plainly.is_between_rates:
                    y[...] = complex(np.nan, np.nan) if y.dtype.kind == "c" else np.nan
                    return
                if lead:  # each item by itself, so that the others are summed as they are alone
                    if self.plain is None:
                        self.plain = BoundProblem(
                            _item_in_front(self.problem, lead), self.algorithm
                        )
                    for at in np.ndindex(x.shape[:lead]):
                        item = tuple(slice(i, i + 1) for i in at)
                        count = min(workers, self.plain.most_threads)
                        self.plain.run(x[item], w, y[item], count)
                    return
                if self.plain is None:
                    planner = planner_of(plainly)
                    self.plain = BoundProblem(plainly, planner.choose(plainly, "auto"))
                self.plain.run(x, w, y, min(workers, self.plain.most_threads))

        return run_fit_data

    def solve(
        self, x: np.ndarray, w: np.ndarray, y: np.ndarray | None, workers: int | None
    ) -> np.ndarray:
        """Return the result: in ``y``, which shares no memory with ``x`` or ``w``, or fresh."""
        if y is None:
            y = self.fresh()
        if workers is None and self.useful_threads <= 1:  # as `resolve` says, which takes longer
            self.run(x, w, y, 1)
            return y
        count = threads.resolve(workers, self.useful_threads)
        if count == 1:
            self.run(x, w, y, 1)
            return y
        with threads.running():
            self.run(x, w, y, min(count, self.most_threads))
        return y

    def solve_by(
        self, run: Callable[[Mosaic, np.ndarray, int], bool], x: Mosaic, workers: int | None
    ) -> np.ndarray | None:
        """Return what ``run`` writes of samples in several arrays, None if it says it cannot."""
        count = threads.resolve(workers, self.useful_threads)
        y = self.fresh()
        if count == 1:
            return y if run(x, y, 1) else None
        with threads.running():
            return y if run(x, y, min(count, self.most_threads)) else None


def _item_in_front(problem: Problem, lead: int) -> Problem:
    """Return the problem of one item of the first ``lead`` axes."""
    ones = (1,) * lead
    return replace(
        problem, x_shape=ones + problem.x_shape[lead:], y_shape=ones + problem.y_shape[lead:]
    )


def _nothing(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
    """Solve a problem of empty batches: the loops cut work into units, of which there are none."""


class CorrelationPlanner(Planner[Problem, Algorithm]):
    """The planner of correlations, whose weights some algorithms depend on."""

    def check_method(self, method: object) -> str:
        """Return ``method``; ValueError for a word that is unknown, or of another stride."""
        others = {*RATE_PLANNER.methods} - {*METHODS, *self.methods}
        if isinstance(method, str) and method in others:
            raise ValueError(
                f"method={method!r} is for strides that are fractions, and the stride is whole; "
                f"allowed are {', '.join(self.methods)}"
            )
        return super().check_method(method)

    def item(self, problem: Problem) -> Problem:
        """Return the problem of one item, so that it is summed in the order that it has alone.

        Exact sums are the same in every order: their whole batch decides.
        """
        return problem if problem.exact else _one_item(problem)

    def workspace(self, algorithm: Algorithm, problem: Problem) -> int:
        """Return the bytes that one thread needs besides the arrays, copies among them."""
        return 0 if 0 in problem.y_shape else slabs.workspace(algorithm, problem)

    def unlimited(self, problem: Problem) -> Problem:
        """Return the problem with memory for the tables of its pads, however wide."""
        return replace(problem, max_memory=max(problem.max_memory, problem.table_bytes))

    def least_memory(
        self, problem: Problem, method: str = "auto", w: np.ndarray | None = None
    ) -> int:
        """Return the least `max_memory` that would do, of algorithms that need tables too."""
        able = self.candidates(self.unlimited(problem), method, w)
        tables = problem.table_bytes
        return min(
            self.workspace(a, problem)
            if a.rejects(problem) is None
            else max(tables, self.workspace(a, problem))
            for a in able
        )

    def fitted(
        self, algorithm: Algorithm, problem: Problem, w: np.ndarray | None
    ) -> Algorithm | str:
        """Return the algorithm, fitted to ``w`` if it has to be, or why it cannot."""
        able = arranged.arranged(algorithm, problem)
        reason = able.rejects(problem)
        if reason is not None:
            return reason
        if not isinstance(algorithm, WeightDependentAlgorithm):
            return able
        if w is None:
            return "it depends on the weights"
        return arranged.fitted(algorithm, problem, w)

    def able(self, problem: Problem, w: np.ndarray | None, fastest: str | None) -> list[Algorithm]:
        """Return the algorithms that could run; none is fitted that would not be the fastest."""
        item = self.item(problem)
        dependent = [a for a in self.algorithms if isinstance(a, WeightDependentAlgorithm)]
        plain = (self.fitted(a, problem, w) for a in self.algorithms if a not in dependent)
        able = [a for a in plain if not isinstance(a, str)]
        least_cost = min(a.cost(item, MACHINE) for a in able)
        for unfitted in dependent:
            a = arranged.arranged(unfitted, problem)
            if a.rejects(problem) is None and (
                a.name == fastest or a.cost(item, MACHINE) < least_cost
            ):
                fit = self.fitted(unfitted, problem, w)
                able += [] if isinstance(fit, str) else [fit]
        return able

    def weight_dependent(self, problem: Problem, method: str) -> tuple[str, ...]:
        """Return the algorithms that some weights are fit for and that may then beat all others.

        By its predicted time, or because `tune` has found so for this problem.
        """
        able = [(a, arranged.arranged(a, problem)) for a in self.algorithms]
        able = [(a, b) for a, b in able if b.rejects(problem) is None]
        dependent = [
            b
            for a, b in able
            if isinstance(a, WeightDependentAlgorithm) and method in ("auto", a.name)
        ]
        names = tuple(a.name for a in dependent)
        if method != "auto" or not dependent or self.fastest(problem) in names:
            return names
        item = self.item(problem)
        least = min(b.cost(item, MACHINE) for _, b in able if b not in dependent)
        return tuple(b.name for b in dependent if b.cost(item, MACHINE) < least)


class RoundingPlanner(CorrelationPlanner):
    """The planner of integer results that are rounded from sums in double, in one order.

    Its algorithms give the same integers, so that no order of axes or of sums matters.
    """

    noun = "filter"

    def item(self, problem: Problem) -> Problem:
        """Return the whole batch."""
        return problem

    def fitted(
        self, algorithm: Algorithm, problem: Problem, w: np.ndarray | None
    ) -> Algorithm | str:
        """Return the algorithm for these weights, or why it cannot."""
        if 0 in problem.y_shape:  # loops are made for one item of such a batch, and not run
            problem = _one_item(problem)
        weights = None if w is None else w.astype(np.float64, order="C", copy=False)
        return arranged.rounded(algorithm, problem, weights)

    def able(self, problem: Problem, w: np.ndarray | None, fastest: str | None) -> list[Algorithm]:
        """Return the algorithms that could run, up to the one that does: no other is fitted."""
        able: list[Algorithm] = []
        order = {a.name: (a.name != fastest, a.cost(problem, MACHINE)) for a in self.algorithms}
        for algorithm in sorted(self.algorithms, key=lambda a: order[a.name]):
            fit = self.fitted(algorithm, problem, w)
            if not isinstance(fit, str):
                able.append(fit)
                if self.workspace(fit, problem) <= problem.max_memory:
                    break
        return able


class RatePlanner(CorrelationPlanner):
    """The planner of correlations whose stride is a fraction, between two rates of samples.

    Its algorithms see the axes as they lie, and take any weights.
    """

    def description(self, problem: Problem) -> str:
        """Return the words by which wisdom knows a problem, with the denominator of its stride."""
        return f"{super().description(problem)} up={problem.up}"

    def fitted(
        self, algorithm: Algorithm, problem: Problem, w: np.ndarray | None
    ) -> Algorithm | str:
        """Return the algorithm, or why it cannot."""
        reason = algorithm.rejects(problem)
        return algorithm if reason is None else reason

    def able(self, problem: Problem, w: np.ndarray | None, fastest: str | None) -> list[Algorithm]:
        """Return the algorithms that could run."""
        return self._fitted(problem, w)

    def candidates(
        self, problem: Problem, method: str = "auto", w: np.ndarray | None = None
    ) -> list[Algorithm]:
        """Return the algorithms that could run, the best first, and the definition last.

        Of few samples it may be the fastest one, but NumPy rounds complex products as they lie.
        """
        able = super().candidates(problem, method, w)
        if self.fastest(problem) is None:
            able.sort(key=lambda a: a.name == "reference")
        return able

    def weight_dependent(self, problem: Problem, method: str) -> tuple[str, ...]:
        """Return no algorithm."""
        return ()


#: The planners of correlations, of those whose results are rounded, and of those between two rates.
PLANNER = CorrelationPlanner(ALGORITHMS)
ROUNDING_PLANNER = RoundingPlanner(ROUNDING_ALGORITHMS)
RATE_PLANNER = RatePlanner(RATE_ALGORITHMS)
METHODS = PLANNER.methods


def planner_of(problem: Problem) -> CorrelationPlanner:
    """Return the planner of a problem."""
    if problem.is_between_rates:
        return RATE_PLANNER
    return ROUNDING_PLANNER if problem.is_rounded else PLANNER


def _takes_fewer(problem: Problem, method: str) -> bool:
    """Return whether the algorithms take a problem of fewer taps, or an exchanged one, in place."""
    return method in _CUT_METHODS and not (problem.is_rounded or problem.is_between_rates)


def _one_item(problem: Problem) -> Problem:
    """Return the problem of one item of its batch."""
    spatial = {a.axis for a in problem.spatial}
    x_shape, y_shape = (
        tuple(n if axis in spatial else 1 for axis, n in enumerate(shape))
        for shape in (problem.x_shape, problem.y_shape)
    )
    return replace(problem, x_shape=x_shape, y_shape=y_shape)


def _exchanged(problem: Problem) -> Problem | None:
    """Return the problem of one item with the arrays exchanged: the item is the kernel.

    None where that is not the same sum, or no shorter: zeros have to be outside, and the kernel has
    to be the longer one along every axis.
    """
    axes = problem.spatial
    if (
        problem.rtol
        or problem.fill_value != 0
        or math.prod(problem.w_shape) <= math.prod(a.size for a in axes)
        or any(a.dilation > 1 or a.taps < a.size or a.boundary != "constant" for a in axes)
    ):
        return None
    overflow = problem.overflow
    return make_problem(
        problem.w_shape,
        problem.w_dtype,
        tuple(a.size for a in axes),
        problem.x_dtype,
        flip=True,
        mode=tuple((a.size - a.taps + a.low, a.size - a.taps + a.high) for a in axes),
        stride=tuple(a.stride for a in axes),
        dtype=problem.dtype,
        # The bound of the results is another one when the arrays are exchanged.
        overflow="wrap" if overflow == "raise" and is_integer(problem.dtype) else overflow,
        rtol=problem.rtol,
        max_memory=problem.max_memory,
    )


def _gain(problem: Problem, exchanged: Problem) -> float:
    """Return the seconds that one item gains by the exchange."""
    seconds = []
    for p in (_one_item(problem), exchanged):
        p = p.summed_in(ACCUMULATORS[0][0] if p.compute is None else p.compute)
        seconds.append(PLANNER.choose(p, "auto").cost(p, MACHINE))
    return seconds[0] - seconds[1]


#: Returns the weights of a problem of fewer taps.
Fewer: TypeAlias = Callable[[np.ndarray], np.ndarray]


def _fewer_taps(problem: Problem) -> tuple[Problem, Fewer, Callable[[np.ndarray], bool]] | None:
    """Return a problem of fewer taps, its weights, and which weights it is the same sum for."""
    if (cut := problem.without_idle_taps()) is not None:
        part = cut[1]
        return cut[0], lambda w: w[part], _is_finite  # zero times infinity is not zero
    summed = (
        problem.rtol != 0 and problem.compute == problem.w_dtype and problem.w_dtype.kind == "f"
    )
    if summed and (folded := problem.without_repeated_taps()) is not None:
        axes = folded[1]

        def added(w: np.ndarray) -> np.ndarray:  # in the same order, however they lie
            straight = np.require(w, w.dtype.newbyteorder("="), ["C", "A"])
            return np.asarray(straight.sum(axes, keepdims=True))

        return folded[0], added, _of_one_sign
    return None


def on_fewer_taps(problem: Problem, method: str, w: np.ndarray) -> tuple[Problem, np.ndarray]:
    """Return a problem and weights as calls sum them: no tap idle, none that repeats another."""
    while _takes_fewer(problem, method):
        cut = _fewer_taps(problem)
        if cut is None or not cut[2](w):
            break
        problem, w = cut[0], cut[1](w)
    return problem, w


def _of_one_sign(w: np.ndarray) -> bool:
    """Return whether infinity times the sum of weights is the sum of their products with it."""
    total = float(np.abs(w).sum())
    return bool(np.isfinite(total) and ((w > 0).all() or (w < 0).all()))


def _is_finite(a: np.ndarray) -> bool:
    return a.dtype.kind not in "fc" or bool(np.isfinite(a).all())


class Exchange:
    """A call whose kernel is longer than the array: each item is the kernel of the weights.

    Items with samples that are not finite are summed as written, for zero times those is not zero.
    """

    __slots__ = ("_as_written", "_inner", "_problem", "_single", "algorithm")

    def __init__(self, as_written: Prepared, inner: Problem) -> None:
        self._as_written = as_written
        self._problem = as_written.problem
        # Items that were kernels of few factors would each have to be looked at.
        self._inner = Prepared(inner, "auto", any_weights=True)
        #: The problem of one item as written, once data have asked for it.
        self._single: Prepared | None = None
        compute = ACCUMULATORS[0][0] if inner.compute is None else inner.compute
        #: What runs; of integers if the type of their sums allows for no less.
        self.algorithm = PLANNER.choose(inner.summed_in(compute), "auto")

    def solve(
        self, x: np.ndarray, w: np.ndarray, y: np.ndarray | None, workers: int | None
    ) -> np.ndarray:
        """Return the result: in ``y``, which shares no memory with ``x`` or ``w``, or fresh."""
        problem = self._problem
        if not _is_finite(w):
            return self._as_written.plan(x, w).solve(x, w, y, workers)
        if y is None:
            y = allocator(problem.y_shape, problem.dtype)()
        axes = [a.axis for a in problem.spatial]
        order = [sorted(axes).index(axis) for axis in axes]
        single = tuple(1 if i in axes else n for i, n in enumerate(problem.x_shape))
        turned = w if problem.flip else np.flip(w).conj()
        turned = np.array(turned, w.dtype.newbyteorder("="), order="C")
        finite = _is_finite(x)
        for at in np.ndindex(single):
            item = tuple(slice(None) if i in axes else n for i, n in enumerate(at))
            if not finite and not _is_finite(x[item]):
                self._sum_as_written(x, w, y, at, workers)
                continue
            kernel, into = x[item].transpose(order), y[item].transpose(order)
            straight = into.flags.c_contiguous
            plan = self._inner.settled or self._inner.plan(turned, kernel)
            result = plan.solve(turned, kernel, into if straight else None, workers)
            if not straight:
                into[...] = result
        return y

    def _sum_as_written(
        self, x: np.ndarray, w: np.ndarray, y: np.ndarray, at: tuple[int, ...], workers: int | None
    ) -> None:
        """Write the result of one item."""
        if self._single is None:
            self._single = Prepared(_one_item(self._problem), self._as_written.method)
        axes = [a.axis for a in self._problem.spatial]
        item = tuple(slice(None) if i in axes else slice(n, n + 1) for i, n in enumerate(at))
        y[item] = self._single.plan(x[item], w).solve(x[item], w, None, workers)


class Cut:
    """A call on fewer weights: those that can read a sample, or sums of those that read one."""

    __slots__ = ("algorithm", "fewer", "solver")

    def __init__(self, solver: Solver, fewer: Fewer) -> None:
        self.solver = solver
        self.fewer = fewer
        self.algorithm: Algorithm = solver.algorithm

    def solve(
        self, x: np.ndarray, w: np.ndarray, y: np.ndarray | None, workers: int | None
    ) -> np.ndarray:
        """Return the result: in ``y``, which shares no memory with ``x`` or ``w``, or fresh."""
        return self.solver.solve(x, self.fewer(w), y, workers)


#: What computes a call.
Solver: TypeAlias = BoundProblem | Exchange | Cut


class Prepared:
    """A problem and its plans.

    There is one for each dtype of the sums that its data has asked for; where `weight_dependent`,
    one for each of the last weights.
    """

    __slots__ = (
        "any_weights",
        "by_bounds",
        "by_weights",
        "cut",
        "dependents",
        "exchange",
        "method",
        "narrow",
        "planner",
        "plans",
        "problem",
        "settled",
        "short",
        "uneven",
    )

    def __init__(self, problem: Problem, method: str, *, any_weights: bool = False) -> None:
        self.problem = problem
        self.planner = planner_of(problem)
        self.method = method
        #: Whether only algorithms count that take any weights.
        self.any_weights = any_weights
        #: Whether sums of 16 bits are worth it, where they are exact.
        self.short = (
            problem.x_dtype.itemsize == 1
            and math.prod(problem.w_shape) <= FEW_PRODUCTS
            and method in ("auto", "direct")
            and not problem.is_between_rates
        )
        self.plans: dict[np.dtype, BoundProblem] = {}
        #: The algorithms that weights may be fit for, for each dtype of the sums; their plans.
        self.dependents: dict[np.dtype, tuple[str, ...]] = {}
        self.by_weights = Cache(MAX_WEIGHTS)
        #: Whether the bounds of results depend on the weights alone; the plans of the last few.
        self.narrow = is_integer(problem.x_dtype) and problem.x_dtype.itemsize <= 2
        self.by_bounds = Cache(MAX_WEIGHTS)
        #: What computes a call, once known, if that does not depend on the data.
        self.settled: BoundProblem | None = None
        #: The plan of weights whose ends differ, where others may be a box. On small arrays it
        #: would take long to ask more of them.
        self.uneven: BoundProblem | None = None
        #: What computes calls whose kernel is longer than the array.
        self.exchange: Exchange | None = None
        #: The call on fewer taps, its weights, and the weights that it is the same sum for.
        self.cut: tuple[Prepared, Fewer, Callable[[np.ndarray], bool]] | None = None
        if any_weights or not _takes_fewer(problem, method):
            return
        if (cut := _fewer_taps(problem)) is not None:
            self.cut = Prepared(cut[0], method), cut[1], cut[2]
        elif method == "auto" and (inner := _exchanged(problem)) is not None:
            with contextlib.suppress(MemoryError):
                exchange = Exchange(self, inner)
                if _gain(problem, inner) > EXCHANGE_SECONDS:
                    self.exchange = exchange

    @property
    def runs_as_written(self) -> bool:
        """Whether all taps are summed, as those of the kernel over the samples."""
        return self.exchange is None and self.cut is None

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray | None = None,
        workers: int | None = None,
    ) -> np.ndarray:
        """Return the result: in ``y``, which shares no memory with ``x`` or ``w``, or fresh."""
        return (self.settled or self.solver(x, w)).solve(x, w, y, workers)

    def solver(self, x: np.ndarray, w: np.ndarray) -> Solver:
        """Return what computes the call for this data: its plan, the exchange or the cut."""
        if self.runs_as_written:
            return self.plan(x, w)
        problem = self.problem
        if is_integer(problem.dtype):
            self._check(result_interval(x, w, 0), w)
        if self.exchange is not None:
            return self.exchange
        if self.cut is None or not self.cut[2](w):
            return self.plan(x, w)
        inner, fewer, _ = self.cut
        return Cut(inner.solver(x, fewer(w)), fewer)

    def plan(self, x: np.ndarray, w: np.ndarray) -> BoundProblem:
        """Return the plan of the sum as written for this data."""
        if self.uneven is not None and w.item(0) != w.item(-1):
            return self.uneven
        problem = self.problem
        compute = problem.compute
        if compute is None or (is_integer(problem.dtype) and compute.kind == "f"):
            if self.narrow and w.nbytes <= FEW_BYTES:
                return self.by_bounds.get(w.tobytes(), self._within_bounds, x, w)
            return self._within_bounds(x, w)
        plan = self._bound(compute, w)
        if not self.dependents[compute]:
            if self.runs_as_written:
                self.settled = plan
        elif self.dependents[compute] == ("box",):
            self.uneven = self.plans.get(compute)
        return plan

    def _within_bounds(self, x: np.ndarray, w: np.ndarray) -> BoundProblem:
        """Return the plan of a sum whose bounds decide; OverflowError if they are too wide."""
        problem = self.problem
        compute = problem.compute
        fill = problem.fill_value if problem.reads_fill else None
        interval = interval_of(problem, x, w, fill)
        if problem.is_rounded:
            return self._rounded(interval, w)
        if compute is not None:
            self._check(interval, w)
            return self._bound(compute, w)
        return self._bound(
            exact_accumulator(interval, problem.dtype, problem.overflow, short=self.short), w
        )

    def _check(self, interval: Interval, w: np.ndarray) -> None:
        """Raise OverflowError if the policy asks for it and the integer results may not fit."""
        problem, sums = self.problem, self.problem.compute
        if sums is None:
            check_overflow(interval, problem.dtype, problem.overflow)
        else:
            check_rounded(interval, w.size, sums, problem.dtype, problem.overflow)

    def _bound(self, compute: np.dtype, w: np.ndarray) -> BoundProblem:
        dependents = self.dependents.get(compute)
        if dependents is None:
            dependents = ()
            if not self.any_weights:
                summed = self.problem.summed_in(compute)
                dependents = self.planner.weight_dependent(summed, self.method)
            self.dependents[compute] = dependents
        if dependents and (
            dependents != ("box",) or w.item(0) == w.item(-1) or self.method != "auto"
        ):
            return self._for_weights(compute, w)
        plan = self.plans.get(compute)
        if plan is None:
            problem = self.problem.summed_in(compute)
            algorithm = self.planner.choose(problem, self.method)
            plan = self.plans[compute] = BoundProblem(problem, algorithm)
        return plan

    def _for_weights(self, compute: np.dtype, w: np.ndarray) -> BoundProblem:
        return self.by_weights.get((compute, w.tobytes()), self._planned_for, compute, w)

    def _planned_for(self, compute: np.dtype, w: np.ndarray) -> BoundProblem:
        problem = self.problem.summed_in(compute)
        return BoundProblem(problem, PLANNER.choose(problem, self.method, w))

    def _rounded(self, interval: Interval, w: np.ndarray) -> BoundProblem:
        """Return the plan of sums that are rounded, which lie in an interval before that."""
        problem = bounded_problem(self.problem, interval, w.size)
        key = (problem.overflow, problem.unbounded, w.tobytes())
        return self.by_weights.get(key, self._planned_rounded, problem, w)

    def _planned_rounded(self, problem: Problem, w: np.ndarray) -> BoundProblem:
        return BoundProblem(problem, self.planner.choose(problem, self.method, w))


def bounded_problem(problem: Problem, interval: Interval, taps: int) -> Problem:
    """Return the problem of rounded sums that lie in an interval before they are rounded.

    Raises
    ------
    OverflowError
        Under ``overflow="raise"``, if the integers that they may become do not fit.
    """
    results = rounded_interval(interval, taps, str(problem.rounding))
    check_overflow(results, problem.dtype, problem.overflow)
    low, high = LIMITS[problem.dtype]
    long_low, long_high = LIMITS[np.dtype(np.int64)]
    bounded = long_low <= results.low and results.high < long_high
    fits = bounded and low <= results.low and results.high <= high
    overflow = problem.overflow
    if fits:  # every policy is the same then, and more loops know this one
        overflow = "wrap"
    elif overflow == "raise":  # uint64 holds what loops do not cut
        overflow = "saturate"
    bounded = fits if problem.dtype.kind == "b" else bounded
    return replace(problem, overflow=overflow, unbounded=not bounded)


def interval_of(problem: Problem, x: np.ndarray, w: np.ndarray, fill: complex | None) -> Interval:
    """Bound every output, of a problem between two rates by the weights that meet samples."""
    if not problem.is_between_rates or x.size == 0:
        return result_interval(x, w, fill)
    ends = np.array([x.min(), x.max()], x.dtype.newbyteorder("="))
    step = tap_step(problem)
    by_phase = [result_interval(ends, w[first::step], fill) for first in range(min(step, w.size))]
    by_phase.append(Interval(0, 0, 0))  # that of outputs in which no tap meets a sample
    return Interval(
        min(i.low for i in by_phase),
        max(i.high for i in by_phase),
        max((i.magnitude for i in by_phase), key=lambda m: (m != m, m)),
    )


def plan_for(x: np.ndarray, w: np.ndarray, **options: Any) -> BoundProblem:
    """Return the plan of a call that names some of the `CallOptions`."""
    return prepare(x, w, CallOptions(**options)).plan(x, w)


def prepare(x: np.ndarray, w: np.ndarray, options: tuple[object, ...]) -> Prepared:
    """Return the prepared problem of a call with `CallOptions`, from the cache if it is there."""
    key = array_key(x, w, options)  # with types, for 1 == 1.0 == True
    try:
        prepared: Prepared = _found[key]
    except (KeyError, TypeError):  # unknown, or a list among the options
        return _prepare(x, w, CallOptions._make(options))
    return prepared


#: Calls look plans up here.
_found = CALLS.found


def _prepare(x: np.ndarray, w: np.ndarray, options: CallOptions) -> Prepared:
    WISDOM.known()  # the rates that costs are made of may be among it
    try:
        exact = tuple(_exact(option) for option in options)
        key = (x.shape, x.dtype, w.shape, w.dtype, exact, tuple(map(type, exact)))
        prepared: Prepared | None = _found.get(key)
        if prepared is not None:
            return prepared
    except LookupError:
        key = None
    named = options.of_problem()
    problem = make_problem(x.shape, x.dtype, w.shape, w.dtype, **named)
    prepared = Prepared(problem, planner_of(problem).check_method(options.method))
    return prepared if key is None else CALLS.keep(key, prepared)


#: Types whose values are a hashable spelling of themselves, besides those derived from them.
PLAIN = frozenset((type(None), bool, int, float, str, type, Fraction, *(type(d) for d in DTYPES)))


def _exact(option: object) -> object:
    """Return a hashable spelling of an option; LookupError if equality could confuse it.

    Sequences become a type of their own, so that a raw tuple of floats never finds them.
    """
    if type(option) in PLAIN or isinstance(option, str | int | float | complex | np.dtype | type):
        return option
    if isinstance(option, tuple | list):
        kinds = tuple(map(type, option))
        if PLAIN.issuperset(kinds):
            return _Sequence((tuple(option), kinds))
        return _Sequence([(_exact(o), kind) for o, kind in zip(option, kinds, strict=True)])
    raise LookupError


def exact_key(options: tuple[object, ...]) -> tuple[object, ...] | None:
    """Return a hashable spelling of options with their types, None if equality could confuse it."""
    plain = plain_key(options, PLAIN)
    if plain is not None:
        return plain
    try:
        return tuple(map(_exact, options)), tuple(map(type, options))
    except LookupError:
        return None


class _Sequence(tuple[object, ...]):
    """A sequence among the options, each item with its type; equal to no plain tuple."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sequence) and tuple.__eq__(self, other)

    __hash__ = tuple.__hash__


def array_like(
    x: object, shape: object, x_dtype: npt.DTypeLike | None, w: object
) -> tuple[Any, np.ndarray]:
    """Return ``x``, or for a shape an array of it that takes no memory; and the weights.

    An array is never taken for a shape, nor a shape for an array: a caller says which it is.
    """
    if w is None:
        raise TypeError("w=None: the weights are needed, an array of 1, 2 or 3 dimensions")
    weights = plain_array(w, "w")  # type: ignore[arg-type]
    if (x is None) == (shape is None):
        given = "neither was" if x is None else "both were"
        raise TypeError(f"either x, an array, or shape=, its shape, is allowed; {given} given")
    if shape is not None:
        return array_of(shape, weights.dtype if x_dtype is None else x_dtype, "shape"), weights
    if x_dtype is not None:
        raise TypeError(f"x_dtype={x_dtype!r} is for shape=; x is an array, with its own")
    if isinstance(x, tuple | list) and weights.ndim > 1 and all(isinstance(n, int) for n in x):
        raise ValueError(
            f"x={x!r} is an array of 1 dimension, fewer than the {weights.ndim} of the kernel; for "
            f"the shape of an array pass shape={x!r}"
        )
    return x, weights


def array_of(shape: object, x_dtype: npt.DTypeLike, argument: str) -> np.ndarray:
    """Return an array of a shape that takes no memory."""
    entries = several(shape)
    numbers = tuple(integer(n, argument) for n in ((shape,) if entries is None else entries))
    if min(numbers, default=0) < 0:
        raise ValueError(f"{argument}={shape!r}: non-negative integers are allowed")
    one = np.zeros((), supported(x_dtype, "x_dtype"))
    try:
        return np.broadcast_to(one, numbers)
    except ValueError:
        raise ValueError(
            f"{argument}={shape!r}: a shape that NumPy can address is allowed"
        ) from None


def check_nan(policy: object, argument: str, array: np.ndarray) -> None:
    """Raise ValueError for a policy that is unknown, or for NaN that it refuses."""
    if not isinstance(policy, str) or policy not in NAN_POLICIES:
        raise ValueError(f"nan_policy={policy!r} is unknown; allowed are {', '.join(NAN_POLICIES)}")
    if policy == "raise" and array.dtype.kind in "fc" and np.isnan(array).any():
        raise ValueError(f"{argument} holds NaN and nan_policy='raise'")
