"""Filters along an axis of arrays that are made a piece at a time.

Each function is given the array without its samples, and the call's other arguments; it returns the
plan, or None for a call that is SciPy's. Those are computed as a whole: a filter with feedback, and
whatever SciPy refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pyconv._dask.door import answered, is_chunked
from pyconv._engine import threads
from pyconv._engine.planning import on_fewer_taps
from pyconv._engine.problem import CallOptions, Problem, make_problem
from pyconv._pieces.plan import PiecePlan, Source
from pyconv._pieces.reach import MIXED, Reach, Read, Run
from pyconv._pieces.sums import Choice, SumPlan, choice_for, pixel_reaches, reaches_of, sum_part
from pyconv.signal import _fir, _planes, _rates, _savitzky_golay
from pyconv.signal._lines import Array, along, options_of, sums_plainly
from pyconv.signal._rates import BOUNDARY_OF, MADE, UNCHANGED, Rate, Resampling


class _NotOursError(Exception):
    """A call is SciPy's."""


def line_pieces(
    function: Callable[..., Any], x: Any, names: Sequence[str], given: tuple[Any, ...]
) -> Any:
    """Return the plan, or the dask array, of a call of a function with other arguments by name."""
    name = function.__name__
    held = tuple(np.array(v) if isinstance(v, list | np.ndarray) else v for v in given)
    planned = partial(_planned, PLANS[name], held)
    argument = "input" if function is _planes.sepfir2d else "x"
    try:
        return answered(planned, x, argument=argument, others=tuple(zip(names, given, strict=True)))
    except _NotOursError:
        if not is_chunked(x):
            raise TypeError(
                f"{name}: this call is SciPy's, which goes along whole lines of an array; it is "
                "not made a piece at a time"
            ) from None
    samples = np.asarray(x)
    if name in ("lfilter", "filtfilt"):
        return function(given[0], given[1], samples, *given[2:])
    if name == "upfirdn":
        return function(given[0], samples, *given[1:])
    return function(samples, *given)


def _planned(plan: Callable[..., PiecePlan | None], given: tuple[Any, ...], source: Source) -> Any:
    found = plan(source, *given)
    if found is None:
        raise _NotOursError
    return found


# ---- one convolution --------------------------------------------------------------------------


def _line(
    verb: str,
    source: Source,
    w: Array,
    axis: int,
    pads: tuple[int, int],
    *,
    dtype: np.dtype,
    stride: int = 1,
    boundary: str = "constant",
    fill: float = 0,
) -> PiecePlan:
    """Return the plan of what `convolved` sums."""
    across = axis != len(source.shape) - 1
    options = options_of(
        axis, pads, dtype=dtype, stride=stride, boundary=boundary, fill=fill,
        plain=sums_plainly(w.size, stride, boundary, across=across),
    )  # fmt: skip
    return SumPlan(source, w, options, verb=verb)


class Unchanged(PiecePlan):
    """The samples."""

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        return block


# ---- lfilter ----------------------------------------------------------------------------------


def _lfilter(source: Source, b: Any, a: Any, axis: Any, zi: Any) -> PiecePlan | None:
    state = None if zi is None else np.asarray(zi)
    weights, divisors, x = np.atleast_1d(b), np.atleast_1d(a), source.zeros()
    w = _fir.normalised(weights, divisors, x, axis, state)
    if w is None:
        return None
    if state is not None:
        raise TypeError(
            f"zi of shape {state.shape}: a state belongs to whole lines, which chunks are not; "
            "put the samples before the first one in front of x instead, or compute x"
        )
    axis = axis % x.ndim
    if weights.ndim > 1:
        return BankPlan(source, w, axis)
    return _line("lfilter", source, w, axis, (w.size - 1, 0), dtype=w.dtype)


class BankPlan(PiecePlan):
    """One filter a line."""

    def __init__(self, source: Source, w: Array, axis: int) -> None:
        self._w, self._axis = w, axis
        n, taps = source.shape[axis], w.shape[-1]
        #: What sums each filter's lines one by one, where no loop does side by side.
        self._passes: list[Pass] = []
        multiple = 1
        if not _fir.side_by_side(w):
            options = options_of(0, (taps - 1, 0), dtype=w.dtype)
            filters = w.reshape(-1, taps)
            self._passes = [_pass((n,), source.dtype, row, options) for row in filters]
            multiple = math.lcm(*(p.choice.multiples[0] for p in self._passes))
        reach = Reach(axis, n, n, taps - 1, taps, multiple=multiple)
        super().__init__("lfilter-bank", source, [reach], w.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        run = runs[self._axis]
        reads = [r.read for i, r in enumerate(runs) if i != self._axis]
        cut = tuple(
            slice(None) if size == 1 else slice(read.start, read.stop)
            for size, read in zip(
                self._w.shape[:-1], reads[len(reads) - self._w.ndim + 1 :], strict=True
            )
        )
        if not self._passes:
            with threads.block(1 if workers is None else workers):
                return _fir.bank_part(self._w[cut], block, self._axis, run.first, run.out)
        own = np.arange(len(self._passes)).reshape(self._w.shape[:-1])[cut]
        lines = np.moveaxis(block, self._axis, -1)
        y = np.empty((*lines.shape[:-1], run.out), self._w.dtype)
        for at, filter_of in zip(
            np.ndindex(lines.shape[:-1]), np.broadcast_to(own, lines.shape[:-1]).flat, strict=True
        ):
            y[at] = self._passes[filter_of].part(lines[at], [run.first], [run.out], workers)
        return np.moveaxis(y, -1, self._axis)


# ---- between two rates ------------------------------------------------------------------------


def _upfirdn(source: Source, h: Any, *given: Any) -> PiecePlan | None:
    return _resampled("upfirdn", source, _rates.filtered(source.zeros(), np.asarray(h), *given))


def _resample_poly(source: Source, *given: Any) -> PiecePlan | None:
    return _resampled("resample-poly", source, _rates.resampled_by(source.zeros(), *given))


def _decimate(source: Source, *given: Any) -> PiecePlan | None:
    return _resampled("decimate", source, _rates.decimated(source.zeros(), *given))


def _resampled(verb: str, source: Source, call: Resampling | None) -> PiecePlan | None:
    if call is None:
        return None
    if call is UNCHANGED:
        return Unchanged(verb, source, [], source.dtype)
    rate = Rate(call.up, call.down, call.start, call.outputs)
    if rate.phases > 1 or call.mode in MADE or call.background is not None:
        return RatePlan(verb, source, call, rate)
    ((weights, pads),) = _rates.phases_of(call.h, rate, source.shape[call.axis])
    return _line(
        verb, source, weights, call.axis, pads, dtype=call.dtype, stride=rate.step,
        boundary=BOUNDARY_OF[call.mode], fill=call.fill if call.mode == "constant" else 0,
    )  # fmt: skip


class RatePlan(PiecePlan):
    """A filter between two rates, whose results go through phases.

    One loop makes them, or a convolution for each phase, about which the whole line decides.
    """

    def __init__(self, verb: str, source: Source, call: Resampling, rate: Rate) -> None:
        self._call, axis = call, call.axis
        n, taps = source.shape[axis], -(-call.h.size // call.up)
        boundary = MIXED if call.mode in MADE else BOUNDARY_OF[call.mode]
        fill = call.fill if call.mode == "constant" else 0.0
        self._before, after = call.beside(n)
        self._phases: list[Pass | None] = []
        multiple, pixels = 1, []
        if not _rates.in_one_loop(call.h, source.dtype, rate, fill):
            shape = [*source.shape]
            shape[axis] = self._before + n + after
            moved = rate._replace(start=call.start + self._before * call.up)
            # The samples of such a line, or those that lie above a background, are floats.
            plain = call.mode not in MADE and call.background is None
            options = options_of(
                axis, (0, 0), dtype=call.dtype, stride=rate.step, fill=fill,
                boundary=BOUNDARY_OF.get(call.mode, "constant"),
            )  # fmt: skip
            self._phases = [
                _pass(shape, source.dtype if plain else call.dtype, w, options._replace(mode=(p,)))
                if w.size
                else None
                for w, p in _rates.phases_of(call.h, moved, shape[axis])
            ]
            multiples = [p.choice.multiples[0] for p in self._phases if p is not None]
            multiple = rate.phases * math.lcm(*multiples)
            pixels = pixel_reaches(source.shape, [axis], call.dtype)
        low = taps - 1
        if call.background is not None:  # that of the whole line
            low, boundary = n + taps + call.h.size, MIXED
        reach = Reach(
            axis, n, call.outputs, low, low + 1, call.down, boundary, multiple=multiple,
            place=-((call.h.size - 1) // 2 // call.up), up=call.up, phase=call.start,
        )  # fmt: skip
        super().__init__(verb, source, [reach, *pixels], call.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        run = runs[self._call.axis]
        with threads.block(1 if workers is None else workers):
            if self._call.background is None:
                return self._above(block, run, workers)
            level = self._level(block)
            y = self._above(block - level, run, workers)
        y += level
        return y

    def _level(self, block: Array) -> Array:
        """Return the background of whole lines, as NumPy makes that of all of them."""
        call = self._call
        assert call.background is not None
        behind = math.prod(self.source.shape[call.axis + 1 :])
        if behind > 1 and math.prod(block.shape[call.axis + 1 :]) == 1:
            # A line beside others is added sample by sample, a single one in pairs.
            twice = np.concatenate([block, block], -1)
            return call.background(twice, axis=call.axis, keepdims=True)[..., :1]
        return call.background(block, axis=call.axis, keepdims=True)

    def _above(self, x: Array, run: Run, workers: int | None) -> Array:
        """Return the results of samples above the background, if there is one."""
        call = self._call
        if not self._phases:
            start = call.start + run.start * call.down - run.read.start * call.up
            return call.part(x, start, run.out)
        n, origin = self.source.shape[call.axis], run.read.start + self._before
        before, after = call.beside(n)
        if before + after and run.read == (0, n):
            x, origin = _rates.extended(x, call.axis, before, after, call.mode, call.dtype), 0
        shape = [*x.shape]
        shape[call.axis] = run.out
        y, count = np.zeros(shape, call.dtype), Rate(call.up, call.down, 0, 0).phases
        for r, p in enumerate(self._phases):
            # Result k of the phase is result k·count + r.
            first, last = (-(-(i - r) // count) for i in (run.start, run.start + run.out))
            if p is not None and first < last:
                place = first * p.problem.spatial[0].stride - origin
                some = x if x.dtype == p.problem.x_dtype else x.astype(p.problem.x_dtype)
                into = along(call.axis, x.ndim, first * count + r - run.start, None, count)
                y[into] = p.part(some, [place], [last - first], workers)
        return y


# ---- one convolution after another ------------------------------------------------------------


class Pass(NamedTuple):
    """A convolution of a whole array, of which parts are made."""

    problem: Problem
    w: Array
    choice: Choice

    def part(
        self, x: Array, firsts: Sequence[int], outs: Sequence[int], workers: int | None
    ) -> Array:
        """Return some results from the samples that they read, as `sum_part` does."""
        return sum_part(self.problem, self.choice.method, x, self.w, firsts, outs, workers)


def _pass(shape: Sequence[int], dtype: np.dtype, w: Array, options: CallOptions) -> Pass:
    """Return a convolution by plain sums."""
    named = options._replace(rtol=0.0).of_problem()
    problem = make_problem(tuple(shape), dtype, w.shape, w.dtype, **named)
    problem, w = on_fewer_taps(problem, "auto", w)
    return Pass(problem, w, choice_for(problem, "auto", w))


def _filtfilt(
    source: Source,
    b: Any,
    a: Any,
    axis: Any,
    padtype: Any,
    padlen: Any,
    method: Any,
    irlen: Any,
) -> PiecePlan | None:
    weights, divisors, x = np.atleast_1d(b), np.atleast_1d(a), source.zeros()
    edge = _fir.edge_of(weights, x, axis, padtype, padlen, method)
    w = None if edge is None else _fir.both_ways(weights, divisors, x)
    if edge is None or w is None:
        return None
    return BothWaysPlan(source, w, axis % x.ndim, min(edge, w.size - 1), padtype)


class BothWaysPlan(PiecePlan):
    """A filter forwards and backwards, of lines that are longer by some samples at both ends."""

    def __init__(
        self, source: Source, w: Array, axis: int, beside: int, padtype: str | None
    ) -> None:
        self._axis, self._taps, self._beside, self._padtype = axis, w.size, beside, padtype
        self._rest = rest = w.size - 1 - beside
        n, shape = source.shape[axis], [*source.shape]
        options = options_of(axis, (rest, 0), dtype=w.dtype, boundary="nearest")
        shape[axis] = n + 2 * beside
        self._forward = _pass(shape, source.dtype, w, options)
        options = options_of(axis, (0, rest), dtype=w.dtype, boundary="nearest", flip=False)
        shape[axis] = self._between = n + beside
        self._backward = _pass(shape, w.dtype, w.conj() if w.dtype.kind == "c" else w, options)
        multiple = math.lcm(*(p.choice.multiples[0] for p in (self._forward, self._backward)))
        # As far inside as outside: what is mirrored is read.
        reach = Reach(axis, n, n, w.size - 1, 2 * w.size - 1, multiple=multiple)
        name = f"filtfilt-{self._forward.choice.method}"
        reaches = [reach, *pixel_reaches(source.shape, [axis], w.dtype)]
        super().__init__(name, source, reaches, w.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        axis, run, beside, reach = self._axis, runs[self._axis], self._beside, self._taps - 1
        n = self.source.shape[axis]
        # Of the results forwards, and of the longer lines: what is read, from and to.
        first, last = run.start, min(run.start + run.out + reach, self._between)
        low = max(0, first - self._rest)
        high = min(n + 2 * beside, last - self._rest + reach)
        by = max(0, beside - low, high - beside - n)
        longer = _fir.made_longer(block, axis, by, self._padtype)
        at = by - beside - run.read.start
        part = longer[along(axis, block.ndim, low + at, high + at)]
        y = self._forward.part(part, [first - low], [last - first], workers)
        return self._backward.part(y, [0], [run.out], workers)


def _sepfir2d(source: Source, hrow: Any, hcol: Any) -> PiecePlan | None:
    passes = _planes.separable(source.zeros(), np.asarray(hrow), np.asarray(hcol))
    return None if passes is None else PlanePlan(source, passes)


class PlanePlan(PiecePlan):
    """A pass along the rows of an image, and one along its columns."""

    def __init__(self, source: Source, passes: list[tuple[Array, CallOptions]]) -> None:
        (row, along_rows), (column, along_columns) = passes
        dtype = np.dtype(row.dtype)
        self._rows = _pass(source.shape, source.dtype, row, along_rows)
        self._columns = _pass(source.shape, dtype, column, along_columns)
        found: dict[int, Reach] = {}
        for p in (self._rows, self._columns):
            for r in reaches_of(p.problem, p.choice):
                of_pixels = r.axis in found and not r.entire  # it sums over none of them
                found[r.axis] = replace(found[r.axis], least=r.least) if of_pixels else r
        super().__init__("sepfir2d", source, [*found.values()], dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        y = self._rows.part(block, [runs[1].first], [runs[1].out], workers)
        return self._columns.part(y, [runs[0].first], [runs[0].out], workers)


def _savgol_filter(source: Source, *given: Any) -> PiecePlan | None:
    fit = _savitzky_golay.fitted(source.zeros(), *given)
    return None if fit is None else FitPlan(source, fit, given[5] == "interp")


class FitPlan(PiecePlan):
    """Polynomials fitted to windows; near the ends those of the first and of the last one."""

    def __init__(self, source: Source, fit: _savitzky_golay.Fit, interpolates: bool) -> None:
        self._axis, self._window = fit.axis, fit.middle.size
        options = options_of(
            fit.axis, fit.pads, dtype=fit.dtype, boundary=fit.boundary, fill=fit.fill
        )
        self._middle = _pass(source.shape, source.dtype, fit.middle, options)
        reaches = reaches_of(self._middle.problem, self._middle.choice)
        self._ends: list[Pass] = []
        if interpolates:
            shape, dtype = [*source.shape], source.dtype
            shape[fit.axis] = self._window
            if dtype.itemsize == 2 and dtype.kind == "f":
                dtype = np.dtype(np.float64)
            options = options_of(fit.axis, (0, 0), dtype=fit.dtype, flip=False)
            self._ends = [_pass(shape, dtype, row, options) for row in fit.ends]
            n = source.shape[fit.axis]
            reaches[0] = Windows(
                fit.axis, n, n, fit.pads[0], self._window,
                multiple=self._middle.choice.multiples[0],
            )  # fmt: skip
        super().__init__(f"savgol-filter-{self._middle.choice.method}", source, reaches, fit.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        axis, run, window = self._axis, runs[self._axis], self._window
        y = self._middle.part(block, [run.first], [run.out], workers)
        n, half = self.source.shape[axis], len(self._ends) // 2
        for k, row in enumerate(self._ends):
            i, start = (k, 0) if k < half else (n - 2 * half + k, n - window)
            if run.start <= i < run.start + run.out:
                start -= run.read.start
                part = block[along(axis, block.ndim, start, start + window)]
                if part.dtype != row.problem.x_dtype:
                    part = part.astype(row.problem.x_dtype)
                at = along(axis, block.ndim, i - run.start, i - run.start + 1)
                y[at] = row.part(part, [0], [1], workers)
        return y


@dataclass(frozen=True, slots=True)
class Windows(Reach):
    """The reach of results that lie in a window each; near an end it is the first or the last."""

    def run(self, start: int, stop: int) -> Run:
        """Return how some results are made."""
        run = Reach.run(self, start, stop)
        if not run.out:
            return run
        first, last = run.read
        if run.start < self.span // 2:
            last = max(last, self.span)
        if run.start + run.out > self.size - self.span // 2:
            first = min(first, self.size - self.span)
        moved = run.read.start - first
        return run._replace(read=Read(first, last), first=run.first + moved)


#: The names of functions → what plans their calls.
PLANS: dict[str, Callable[..., PiecePlan | None]] = {
    "lfilter": _lfilter,
    "filtfilt": _filtfilt,
    "upfirdn": _upfirdn,
    "resample_poly": _resample_poly,
    "decimate": _decimate,
    "sepfir2d": _sepfir2d,
    "savgol_filter": _savgol_filter,
}
