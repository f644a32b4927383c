"""Correlations by one kernel, a piece at a time: the whole problem chooses the algorithm.

Integers are exact whatever sums them, and so are rounded sums: each piece takes what is fastest for
it, in the accumulator that its own samples allow. Floats are summed by one algorithm, in one order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.base import WeightDependentAlgorithm
from pyconv._engine.dtypes import check_overflow, check_rounded, is_integer
from pyconv._engine.machine import MACHINE
from pyconv._engine.planner import kept, shortage
from pyconv._engine.planning import (
    PLANNER,
    BoundProblem,
    Prepared,
    check_nan,
    interval_of,
    on_fewer_taps,
    planner_of,
)
from pyconv._engine.problem import Axis, CallOptions, Problem, make_problem
from pyconv._native import loader
from pyconv._pieces.plan import Array, PiecePlan, Source
from pyconv._pieces.reach import Reach, Run

#: Algorithms whose every output is summed in an order of its own window alone.
LOCAL = ("direct", "separable", "box", "reference")
#: Those that sum a tile of outputs together: tiles are cut from the whole, and not from a piece.
#: BLAS sums the last columns of a matrix in another order than others.
TILED = ("fft", "im2col")
#: Those that go along a whole line.
WHOLE_LINES = ("recursive",)
#: Outputs of a tile along each axis, at least and in spans of the kernel.
MIN_TILE, TILE_SPANS = 128, 4
#: Tiles are worth it where plain sums take so many times as long.
TILES_GAIN = 4.0
#: Trailing axes of fewer samples together are parts of a pixel.
PIXEL = 64


class Choice(NamedTuple):
    """What sums the whole problem."""

    #: The algorithm; "auto" where the results do not depend on it.
    method: str
    #: The multiple of outputs at which pieces begin, and outputs of a tile, along each kernel axis.
    multiples: tuple[int, ...]
    tiles: tuple[int, ...]


def choice_for(problem: Problem, method: str, w: Array) -> Choice:
    """Return what sums a whole problem, so that a piece of it has the same bits.

    Raises
    ------
    ValueError
        If ``method`` names an algorithm that goes along whole lines, or that cannot solve it.
    MemoryError
        If no algorithm can do with `max_memory`.
    """
    ones = (1,) * len(problem.spatial)
    none = (0,) * len(problem.spatial)
    planner = planner_of(problem)
    planner.check_method(method)
    if problem.is_between_rates:
        return _choice_between_rates(problem, method, w)
    if problem.compute is None or problem.is_rounded:
        if method in WHOLE_LINES:
            raise ValueError(_whole_lines(method))
        return Choice(method, ones, none)
    if method in WHOLE_LINES:
        raise ValueError(_whole_lines(method))
    if method == "auto":
        method = _least(problem, w)
    else:
        planner.choose(problem, method, w)  # it says what is wrong
    if method in TILED:
        return Choice(method, ones, _tiles(problem))
    if method == "box":
        return Choice(method, tuple(_multiple(a) for a in problem.spatial), none)
    return Choice(method, ones, none)


def _choice_between_rates(problem: Problem, method: str, w: Array) -> Choice:
    """Return what sums a whole problem whose stride is a fraction: pieces are whole periods."""
    planner = planner_of(problem)
    multiples, none = (problem.up,), (0,)
    if method == "fft":
        raise ValueError(
            "method='fft' transforms whole phases of a stride that is a fraction, and a chunk has "
            "none; leave method= out, or compute the array first"
        )
    if problem.compute is None:
        return Choice(method, multiples, none)
    if method != "auto":
        planner.choose(problem, method, w)  # it says what is wrong
        return Choice(method, multiples, none)
    one, short = _one_output(problem), math.inf
    for algorithm in planner.algorithms:
        if algorithm.name == "fft" or algorithm.rejects(problem) is not None:
            continue
        needs = planner.workspace(algorithm, one)
        if needs <= problem.max_memory:
            return Choice(algorithm.name, multiples, none)
        short = min(short, needs)
    raise shortage(problem.max_memory, int(short))


def choice_with_gaps(
    shape: tuple[int, ...], dtype: np.dtype, w: Array, options: CallOptions
) -> Choice:
    """Return what makes both sums of a call that leaves samples out.

    Both are plain sums, or those of factors. Others are cut into blocks on the way, which have to
    be the same ones however the array is cut.
    """
    problem = make_problem(shape, dtype, w.shape, w.dtype, **options.of_problem())
    if problem.compute is None:  # quotients of integers are those of floats
        compute = np.dtype(np.float64)
        problem = replace(problem.summed_in(compute), x_dtype=compute, w_dtype=compute)
        w = w.astype(compute)
    choice = choice_for(problem, str(options.method), w)
    if choice.method in ("direct", "separable"):
        return choice
    if choice.method in ("im2col", "reference") and options.method == "auto":
        return choice._replace(method="direct")
    return Choice(choice.method, (1,) * len(choice.tiles), _tiles(problem))


def without_nan_outside(options: CallOptions) -> CallOptions:
    """Return options whose fill value is a number: one that is NaN says what is missing."""
    fill: Any = options.fill_value
    outside = isinstance(fill, float | complex | np.number) and fill != fill
    return options._replace(fill_value=0) if outside else options


def _whole_lines(method: str) -> str:
    return (
        f"method={method!r} goes along whole lines of an array, which a chunk is not; "
        "leave method= out, or compute the array first"
    )


def _multiple(a: Axis) -> int:
    taps = a.taps * a.dilation
    return taps // math.gcd(a.stride, taps)


def _tiles(problem: Problem) -> tuple[int, ...]:
    return tuple(max(MIN_TILE, TILE_SPANS * a.span) // a.stride + 1 for a in problem.spatial)


def _least(problem: Problem, w: Array) -> str:
    """Return the algorithm of least predicted cost for one item, of those that pieces may run."""
    item = PLANNER.item(problem)
    best, least, short = "", math.inf, math.inf
    fastest = PLANNER.fastest(problem)
    for algorithm in PLANNER.algorithms:
        if algorithm.name not in (*LOCAL, "fft"):
            continue
        if (
            isinstance(algorithm, WeightDependentAlgorithm)
            and algorithm.cost(item, MACHINE) > least
        ):
            continue  # it is not fitted if it would not be the fastest
        fit = PLANNER.fitted(algorithm, problem, w)
        if isinstance(fit, str):
            continue
        cost = fit.cost(item, MACHINE)
        if algorithm.name in TILED:
            cost *= TILES_GAIN
        if algorithm.name == fastest:
            cost = 0.0
        needs = PLANNER.workspace(fit, _one_output(problem))
        short = min(short, needs)
        if cost < least and needs <= problem.max_memory:
            best, least = algorithm.name, cost
    if not best:
        raise shortage(problem.max_memory, int(short))
    return best


def _one_output(problem: Problem) -> Problem:
    """Return the problem of one output, or one period of them: pieces are small."""
    shape = [*problem.x_shape]
    outs = [min(a.up, a.out) for a in problem.spatial]
    for a, out in zip(problem.spatial, outs, strict=True):
        shape[a.axis] = min(a.size, -(-((out - 1) * a.stride + a.span) // a.up))
    firsts = [-(-a.low // a.up) for a in problem.spatial]
    return problem.part(tuple(shape), firsts, outs)


def _place(axis: Axis) -> int:
    """Return the sample at whose place the first result lies."""
    return (axis.span // 2 - axis.low) // axis.up


def reaches_of(
    problem: Problem, choice: Choice, places: Sequence[int] | None = None
) -> list[Reach]:
    """Return what the results of a whole problem read along its axes.

    ``places`` are those of the first results, where the problem has fewer taps than the call.
    """
    if places is None:
        places = [_place(a) for a in problem.spatial]
    reaches = [
        Reach(
            a.axis,
            a.size,
            a.out,
            *_read(a),
            a.stride,
            a.boundary,
            place=place,
            multiple=multiple,
            tile=tile,
            up=a.up,
        )
        for a, multiple, tile, place in zip(
            problem.spatial, choice.multiples, choice.tiles, places, strict=True
        )
    ]
    if choice.method not in ("auto", "polyphase"):
        axes = [a.axis for a in problem.spatial]
        reaches += pixel_reaches(problem.x_shape, axes, problem.dtype)
    return reaches


def _read(a: Axis) -> tuple[int, int]:
    """Return the samples that a result reads before its place, and those from first to last."""
    if a.up == 1:
        return a.low, a.span
    low = -(-a.low // a.up)
    return low, low + (a.span - 1 - a.low) // a.up + 2


def pixel_reaches(shape: tuple[int, ...], axes: Sequence[int], dtype: np.dtype) -> list[Reach]:
    """Return the reaches of the axes behind those that are summed over, which make pixels.

    The order of plain sums may depend on how many samples a pixel has: all are read, and of complex
    samples always so many that they are none.
    """
    last = max(axes)
    behind = math.prod(shape[last + 1 :])
    if len(axes) > 1 or behind <= 1 or (behind >= PIXEL and dtype.kind != "c"):
        return []
    reaches, least = [], PIXEL
    for axis in range(len(shape) - 1, last, -1):
        n = shape[axis]
        reaches.append(Reach(axis, n, n, entire=n <= least, least=least))
        least = -(-least // n)
    return reaches


class SumPlan(PiecePlan):
    """A correlation or convolution with a kernel."""

    def __init__(
        self,
        source: Source,
        w: Array,
        options: CallOptions,
        nan_policy: str = "propagate",
        verb: str | None = None,
    ) -> None:
        problem = make_problem(source.shape, source.dtype, w.shape, w.dtype, **options.of_problem())
        self._nan_policy = nan_policy
        check_beforehand(problem, w)
        places = [_place(a) for a in problem.spatial]
        problem, w = on_fewer_taps(problem, str(options.method), w)
        self._problem, self._w = problem, w
        self._choice = choice_for(problem, str(options.method), w)
        if verb is None:
            verb = "convolve" if options.flip else "correlate"
        name = verb if self._choice.method == "auto" else f"{verb}-{self._choice.method}"
        super().__init__(name, source, reaches_of(problem, self._choice, places), problem.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        if self._nan_policy == "raise":
            check_nan("raise", "x", block)
        if block.dtype != self._problem.x_dtype:
            block = block.astype(self._problem.x_dtype)
        axes = [a.axis for a in self._problem.spatial]
        firsts, outs = [runs[a].first for a in axes], [runs[a].out for a in axes]
        return sum_part(self._problem, self._choice.method, block, self._w, firsts, outs, workers)


def check_beforehand(problem: Problem, w: Array) -> None:
    """Raise OverflowError where the dtype of the samples says that results may not fit.

    Of wider integers, and of floats, each piece is judged by its own samples.
    """
    if not is_integer(problem.dtype) or problem.x_dtype.kind not in "biu":
        return
    if problem.x_dtype.itemsize > 2 or problem.is_rounded:
        return
    fill = problem.fill_value if problem.reads_fill else None
    interval = interval_of(problem, np.zeros(1, problem.x_dtype), w, fill)
    if problem.compute is None:
        check_overflow(interval, problem.dtype, problem.overflow)
    else:
        check_rounded(interval, w.size, problem.compute, problem.dtype, problem.overflow)


def sum_part(
    problem: Problem,
    method: str,
    x: Array,
    w: Array,
    firsts: Sequence[int],
    outs: Sequence[int],
    workers: int | None,
    y: Array | None = None,
) -> Array:
    """Return results of a whole problem, from the samples that they read.

    ``firsts`` and ``outs`` are those of `Problem.part`.
    """
    if problem.compute is None or problem.is_rounded or is_integer(problem.dtype):
        prepared = _prepared(problem, method, x.shape, tuple(firsts), tuple(outs))
        return prepared.plan(x, w).solve(x, w, y, workers)
    key = (
        "piece", loader.native, problem, method, x.shape, tuple(firsts), tuple(outs), w.tobytes(),
        type(problem.fill_value),
    )  # fmt: skip
    plan: BoundProblem = kept(key, _bound, problem, method, x.shape, firsts, outs, w)
    return plan.solve(x, w, y, workers)


def _bound(
    problem: Problem,
    method: str,
    shape: tuple[int, ...],
    firsts: Sequence[int],
    outs: Sequence[int],
    w: npt.NDArray[Any],
) -> BoundProblem:
    part = problem.part(shape, firsts, outs)
    planner = planner_of(part)
    named = next(a for a in planner.algorithms if a.name == method)
    fit = planner.fitted(named, part, w)
    if isinstance(fit, str):
        raise ValueError(f"method={method!r} cannot solve this piece: {fit}")
    return BoundProblem(part, fit)


def _prepared(
    problem: Problem,
    method: str,
    shape: tuple[int, ...],
    firsts: tuple[int, ...],
    outs: tuple[int, ...],
) -> Prepared:
    key = ("pieces", problem, method, shape, firsts, outs, type(problem.fill_value))
    return kept(key, lambda: Prepared(problem.part(shape, firsts, outs), method, any_weights=False))
