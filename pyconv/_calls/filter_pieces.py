"""Filters of arrays that are made a piece at a time.

A filter is a function of a `Call`. One kind of call finds out what the results read and chooses the
algorithms, for the whole array and without samples. Another kind runs the filter on a piece, by
what was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from pyconv._calls.filter_call import KERNEL, Axes, Call, Options, call_options
from pyconv._calls.missing.call import Omission
from pyconv._calls.missing.weights import check_balance
from pyconv._dask.door import answered
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.planning import check_nan
from pyconv._engine.problem import Problem, boundary_names, make_problem
from pyconv._engine.rounding_planning import rounded_run
from pyconv._engine.separable_passes import FEW_SAMPLES, Filter, Fused, Part, Runner, Wanted
from pyconv._native import loader
from pyconv._pieces.plan import Array, PiecePlan, Source
from pyconv._pieces.reach import Reach, Run
from pyconv._pieces.sums import (
    Choice,
    check_beforehand,
    choice_for,
    choice_with_gaps,
    pixel_reaches,
    sum_part,
    without_nan_outside,
)

#: Pieces of so many shapes at most are planned once.
MOST_PLANNED = 256
#: Returns the result of a filter, given the call and its arguments.
Solve = Callable[..., Array]


def filter_pieces(
    solve: Solve,
    x: Any,
    axes: Axes,
    ndims: tuple[int, ...],
    options: Options,
    arguments: tuple[object, ...],
) -> Any:
    """Return the plan, or the dask array, of a filter."""
    mask, out, workers = options.mask, options.out, options.workers
    plain = options._replace(mask=None, out=None, workers=None)
    planned = partial(FilterPlan, solve, axes, ndims, plain, arguments)
    return answered(planned, x, mask=mask, out=out, workers=workers)


class FilterPlan(PiecePlan):
    """A filter."""

    def __init__(
        self,
        solve: Solve,
        axes: Axes,
        ndims: tuple[int, ...],
        options: Options,
        arguments: tuple[object, ...],
        source: Source,
    ) -> None:
        whole = WholeCall(source, axes, ndims, options)
        y = solve(whole, *arguments)
        self._filter, self._arguments, self._options = solve, arguments, options
        self._axes, self._choices = whole.axes, tuple(whole.choices)
        #: What sums pieces without a mask of which nothing else decides, by `_key`.
        self._planned: dict[tuple[object, ...], Runner] = {}
        #: Those whose windows have to be joined, in which nothing is planned without samples.
        self._joined: set[tuple[object, ...]] = set()
        lead = y.shape[: y.ndim - len(source.shape)]
        name = solve.__name__.strip("_").replace("_", "-")
        super().__init__(name, source, whole.reaches(), native_dtype(y.dtype), lead)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: runs are planned again."""
        return vars(self) | {"_planned": {}, "_joined": set()}

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        key = None
        if mask is None and self._options.nan_policy == "propagate":
            key = self._key(block, runs)
            run = self._planned.get(key)
            if run is not None:
                return run(block, None, workers)
        options = self._options._replace(mask=mask, workers=workers)
        call = PieceCall(block, self._axes, options, self._part(runs), self._choices)
        y = self._filter(call, *self._arguments)
        if key is not None:
            self._keep(key, call.run)
        return y

    def _solve_mosaic(self, block: Mosaic, runs: list[Run], workers: int | None) -> Array | None:
        if self._options.nan_policy != "propagate":
            return None
        key = self._key(block, runs)
        run = self._planned.get(key)
        if run is None and key not in self._joined:
            part = self._part(runs)
            call = PlanningCall(block, self._axes, self._options, part, self._choices)
            with suppress(NeedsSamplesError):
                self._filter(call, *self._arguments)
                run = call.run
            self._keep(key, run)
        y = run.of_mosaic(block, workers) if isinstance(run, Fused) else None
        if y is None and len(self._joined) < MOST_PLANNED:
            self._joined.add(key)
        return y

    def _part(self, runs: list[Run]) -> Part:
        return Part(
            self.source.shape,
            tuple(runs[a].first for a in self._axes),
            tuple(runs[a].out for a in self._axes),
        )

    def _keep(self, key: tuple[object, ...], run: Runner | None) -> None:
        if run is not None and len(self._planned) < MOST_PLANNED:
            self._planned[key] = run

    def _key(self, block: Array | Mosaic, runs: list[Run]) -> tuple[object, ...]:
        """Return what decides how a piece without a mask is summed."""
        along = [(runs[a].first, runs[a].out) for a in self._axes]
        return loader.native, block.shape, block.dtype, *along


class WholeCall(Call):
    """A call without samples: it notes what results read, and what is chosen for them."""

    def __init__(
        self, source: Source, axes: Axes, ndims: tuple[int, ...], options: Options
    ) -> None:
        check_nan(options.nan_policy, "x", np.zeros(0, source.dtype))
        unread = options._replace(mask=np.zeros((), np.bool) if source.masked else None)
        if options.nan_policy == "raise":
            unread = unread._replace(nan_policy="propagate")
        super().__init__(source.zeros(), axes, ndims, unread)
        self.choices: list[Choice | None] = []
        #: For each filtered axis the samples before and behind its place that a result reads, and
        #: the multiple and the tiles of results that are made together.
        self._low, self._high = [0] * self.n, [0] * self.n
        self._multiples, self._tiles = [1] * self.n, [0] * self.n

    def reaches(self) -> list[Reach]:
        """Return what the results read."""
        boundaries = boundary_names(self.options.boundary, self.n, self.options.fill_value)
        strides = self.strides or (1,) * self.n
        pixels = pixel_reaches(self.x.shape, self.axes, self.x.dtype) if self.choices else []
        return pixels + [
            Reach(
                axis, self.x.shape[axis], self.shape[axis], self._low[i],
                self._low[i] + 1 + self._high[i], strides[i], boundaries[i],
                multiple=self._multiples[i], tile=self._tiles[i],
            )
            for i, axis in enumerate(self.axes)
        ]  # fmt: skip

    def _reads(self, taps: Sequence[int], multiples: Sequence[int] = ()) -> None:
        for i, k in enumerate(taps):
            self._low[i] = max(self._low[i], k // 2)
            self._high[i] = max(self._high[i], k - 1 - k // 2)
        for i, multiple in enumerate(multiples):
            self._multiples[i] = math.lcm(self._multiples[i], multiple)

    def _nothing(self, dtype: Any) -> Array:
        return np.broadcast_to(np.zeros((), dtype), self.shape)

    def into(self, y: Array) -> WholeCall:
        """Return the call whose results are of a dtype; what it notes is noted here."""
        other = copy(self)
        other.options = self.options._replace(dtype=y.dtype)
        return other

    def destination(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Return an array without samples."""
        return np.broadcast_to(np.zeros((), dtype), shape)

    def returned(self, y: Array) -> Array:
        """Return an array without samples."""
        return y

    def root_of_squares(self, parts: Sequence[Callable[[Call], Array]], y: Array) -> Array:
        """Note the parts."""
        call = self.into(np.zeros(0, np.promote_types(y.dtype, np.float32)))
        for part in parts:
            part(call)
        return y

    def without_missing(
        self,
        plain: Callable[[Call], Array],
        kernel: Callable[[], Array],
        gapped: Callable[[Call, Array], Array] | None = None,
    ) -> Array:
        """Note one kernel, or a call of which nothing can be missing."""
        return _without_missing(self, plain, kernel, None)

    def _gapped(self, w: Array) -> Array:
        dtype = self._quotient_dtype(w)
        options = without_nan_outside(call_options(self.axes, self.options._replace(dtype=dtype)))
        choice = choice_with_gaps(self.x.shape, self.x.dtype, w, options)
        self._note(w.shape, choice)
        return self._nothing(dtype)

    def _note(self, taps: Sequence[int], choice: Choice) -> None:
        self.choices.append(choice)
        self._reads(taps, choice.multiples)
        for i, tile in enumerate(choice.tiles):
            self._tiles[i] = max(self._tiles[i], tile)

    def _passes(
        self, terms: Sequence[Sequence[Array]], options: Options, rounded: Array | None = None
    ) -> Array:
        self._reads([len(row) for row in terms[0]])
        return self._nothing(self._result_dtype(options) if rounded is None else rounded.dtype)

    def _boxes(
        self, rows: Sequence[Array], options: Options, rounded: Array | None = None
    ) -> Array:
        size = [len(row) for row in rows]
        blocks = max(size) >= FEW_SAMPLES
        strides = self.strides or (1,) * self.n
        multiples = [k // math.gcd(k, s) for k, s in zip(size, strides, strict=True)]
        self._reads(size, multiples if blocks else ())
        return self._nothing(self._result_dtype(options) if rounded is None else rounded.dtype)

    def _means(
        self,
        size: tuple[int, ...],
        run: Callable[..., Array],
        options: Options,
        rounded: Array | None = None,
    ) -> Array:
        if rounded is None:
            return run(options, rounded)
        exact = self._rounded_means(size, options, rounded)
        self.choices.append(None if exact is None else Choice("rounded_mean", (), ()))
        if exact is None:
            return run(options, rounded)
        self._reads(size)
        return rounded

    def _rounded_means(self, size: tuple[int, ...], options: Options, rounded: Array) -> object:
        return rounded_run(
            self.x.shape, self.x.dtype, size, None, "same", options.boundary, options.fill_value,
            self.axes, rounded.dtype, options.overflow, stride=self.strides or 1,
            max_memory=options.max_memory,
        )  # fmt: skip

    def _one_kernel(self, w: Array, options: Options, rounded: Array | None = None) -> Array:
        problem = _problem(self.x.shape, self.x.dtype, w, self.axes, options)
        check_beforehand(problem, w)
        choice = choice_for(problem, options.method, w)
        self._note(w.shape, choice)
        return self._nothing(problem.dtype if rounded is None else rounded.dtype)

    def _check_range(self, w: Array, dtype: np.dtype) -> None:
        if self.x.dtype.kind in "biu" and self.x.dtype.itemsize <= 2:
            super()._check_range(w, dtype)


class PieceCall(Call):
    """A call on the samples that some results read."""

    def __init__(
        self,
        x: Array,
        axes: tuple[int, ...],
        options: Options,
        part: Part,
        choices: Sequence[Choice | None],
    ) -> None:
        super().__init__(x, axes, (len(axes),), options)
        self._part, self._choices = part, iter(choices)
        shape = [*x.shape]
        for axis, out in zip(self.axes, part.outs, strict=True):
            shape[axis] = out
        self.shape = tuple(shape)

    def _narrowed(self, terms: Sequence[Sequence[Array]]) -> Sequence[Sequence[Array]]:
        whole = copy(self)
        whole.x = np.broadcast_to(np.zeros((), self.x.dtype), self._part.whole)
        return Call._narrowed(whole, terms)

    def _filter(
        self, terms: Sequence[Sequence[Array]], lows: Sequence[int], options: Options
    ) -> Filter:
        return super()._filter(terms, lows, options)._replace(part=self._part)

    def _means(
        self,
        size: tuple[int, ...],
        run: Callable[..., Array],
        options: Options,
        rounded: Array | None = None,
    ) -> Array:
        if rounded is None or next(self._choices) is None:
            return run(options, rounded)
        strides = self.strides or (1,) * self.n
        pads = [
            (k // 2 - first, (out - 1) * stride + k - k // 2 + first - self.x.shape[axis])
            for k, axis, stride, first, out in zip(
                size, self.axes, strides, self._part.firsts, self._part.outs, strict=True
            )
        ]
        exact = rounded_run(
            self.x.shape, self.x.dtype, size, None, pads, options.boundary, options.fill_value,
            self.axes, rounded.dtype, options.overflow, stride=self.strides or 1,
            max_memory=options.max_memory,
        )  # fmt: skip
        assert exact is not None
        return exact(self.x, rounded, options.workers)

    def _one_kernel(self, w: Array, options: Options, rounded: Array | None = None) -> Array:
        problem = _problem(self._part.whole, self.x.dtype, w, self.axes, options)
        choice = next(self._choices)
        assert choice is not None
        part = self._part
        y = options.out if rounded is None else rounded
        return sum_part(
            problem, choice.method, self.x, w, part.firsts, part.outs, options.workers, y
        )

    def without_missing(
        self,
        plain: Callable[[Call], Array],
        kernel: Callable[[], Array],
        gapped: Callable[[Call, Array], Array] | None = None,
    ) -> Array:
        """Return the result of one kernel, whether or not samples of this piece are missing."""
        return _without_missing(self, plain, kernel, gapped)

    def _gapped(self, w: Array) -> Array:
        options = self.options
        if options.dtype is None and native_dtype(self.x.dtype) == np.float16:
            options = options._replace(dtype=np.dtype(np.float16))
        choice = next(self._choices)
        assert choice is not None
        named = call_options(self.axes, options)._replace(method=choice.method)
        omits = options.nan_policy == "omit"
        call = Omission(self.x, w, named, omits, self.mask is not None, self._part)
        return call.solve(self.x, self.mask, options.out, options.workers)

    def _kept(self) -> tuple[slice, ...]:
        kept = [slice(None)] * self.x.ndim
        strides = self.strides or (1,) * self.n
        part = zip(self.axes, strides, self._part.firsts, self._part.outs, strict=True)
        for axis, stride, first, out in part:
            kept[axis] = slice(first, first + (out - 1) * stride + 1, stride)
        return tuple(kept)


class NeedsSamplesError(Exception):
    """A piece is not made by passes alone, of which the shape of its window decides."""


class PlanningCall(PieceCall):
    """A call on a window that is not joined: it finds what would sum it, and runs nothing."""

    def __init__(
        self,
        window: Mosaic,
        axes: tuple[int, ...],
        options: Options,
        part: Part,
        choices: Sequence[Choice | None],
    ) -> None:
        x = np.broadcast_to(np.zeros((), window.dtype), window.shape)
        super().__init__(x, axes, options, part, choices)

    def destination(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Refuse to be one of several kernels, or rounded."""
        raise NeedsSamplesError

    def _one_kernel(self, w: Array, options: Options, rounded: Array | None = None) -> Array:
        raise NeedsSamplesError

    def _gapped(self, w: Array) -> Array:
        raise NeedsSamplesError

    def _filtered(
        self,
        planned: Callable[[Wanted], Runner],
        terms: Sequence[Sequence[Array]],
        options: Options,
        rounded: Array | None,
    ) -> Array:
        try:
            self.run = planned(self._wanted(options, rounded))
        except MemoryError:
            raise NeedsSamplesError from None
        return np.broadcast_to(np.zeros((), self._result_dtype(options)), self.shape)


def _without_missing(
    call: Call,
    plain: Callable[[Call], Array],
    kernel: Callable[[], Array],
    gapped: Callable[[Call, Array], Array] | None,
) -> Array:
    """Return the result of one kernel, and where nothing can be missing that of ``plain``."""
    w = call._weights(kernel())
    check_balance(w, KERNEL)
    if not call._may_miss():
        whole = copy(call)
        whole.leaves_out = False
        return plain(whole)
    return call._gapped(w) if gapped is None else gapped(call, w)


def _problem(
    shape: tuple[int, ...], dtype: np.dtype, w: Array, axes: tuple[int, ...], options: Options
) -> Problem:
    named = call_options(axes, options).of_problem()
    return make_problem(shape, dtype, w.shape, w.dtype, **named)
