"""correlate, convolve and coverage of arrays that are made a piece at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pyconv._calls.missing.call import Omission, magnitudes
from pyconv._dask.door import answered, is_chunked
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.planning import check_nan
from pyconv._engine.problem import CallOptions, Problem, make_problem
from pyconv._engine.separable_passes import Part
from pyconv._pieces.plan import Array, PiecePlan, Source
from pyconv._pieces.reach import Run
from pyconv._pieces.sums import SumPlan, choice_with_gaps, reaches_of, without_nan_outside


def correlate_pieces(
    x: Any,
    w: Any,
    nan_policy: object,
    mask: Any,
    out: object,
    workers: int | None,
    options: CallOptions,
) -> Any:
    """Return the plan, or the dask array, of a call with `CallOptions`."""
    weights = w if is_chunked(w) else plain_array(w, "w").copy()
    planned = partial(_planned, weights, nan_policy, options)
    return answered(planned, x, mask=mask, out=out, workers=workers, others=(("w", w),))


def coverage_pieces(
    x: Any, w: Any, mask: Any, out: object, workers: int | None, options: CallOptions
) -> Any:
    """Return the plan, or the dask array, of the part of the weights that is seen."""
    weights = w if is_chunked(w) else plain_array(w, "w").copy()
    planned = partial(_planned_coverage, weights, options)
    return answered(planned, x, mask=mask, out=out, workers=workers, others=(("w", w),))


def _planned(w: np.ndarray, nan_policy: Any, options: CallOptions, source: Source) -> PiecePlan:
    check_nan(nan_policy, "w", w)
    if not source.masked and nan_policy != "omit":
        return SumPlan(source, w, options, nan_policy)
    call = _omission(source, w, options, nan_policy)
    if not call.possible:
        return SumPlan(source, w, options)
    return GapPlan(source, w, call.problem, options, nan_policy)


def _planned_coverage(w: np.ndarray, options: CallOptions, source: Source) -> PiecePlan:
    sizes, dtype = magnitudes(source.dtype, w)
    call = _omission(source, sizes, options, "omit")
    return GapPlan(source, sizes, call.problem, options, "omit", dtype)


def _omission(source: Source, w: np.ndarray, options: CallOptions, nan_policy: Any) -> Omission:
    return Omission(source.zeros(), w, options, nan_policy == "omit", source.masked)


class GapPlan(PiecePlan):
    """A correlation that leaves samples out, or the part of the weights that it sees."""

    def __init__(
        self,
        source: Source,
        w: np.ndarray,
        problem: Problem,
        options: CallOptions,
        nan_policy: str,
        coverage: np.dtype | None = None,
    ) -> None:
        asked = options if nan_policy != "omit" else without_nan_outside(options)
        asked = asked._replace(dtype=problem.dtype if coverage is None else None)
        choice = choice_with_gaps(source.shape, source.dtype, w, asked)
        self._w, self._options = w, options._replace(method=choice.method)
        self._nan_policy, self._covers = nan_policy, coverage
        whole = make_problem(source.shape, source.dtype, w.shape, w.dtype, **asked.of_problem())
        self._axes = tuple(a.axis for a in whole.spatial)
        verb = "convolve" if options.flip else "correlate"
        name = "coverage" if coverage is not None else f"{verb}-gaps-{choice.method}"
        dtype = native_dtype(problem.dtype) if coverage is None else coverage
        super().__init__(name, source, reaches_of(whole, choice), dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        part = Part(
            self.source.shape,
            tuple(runs[a].first for a in self._axes),
            tuple(runs[a].out for a in self._axes),
        )
        if self._nan_policy == "raise":
            check_nan("raise", "x", block if mask is None else block[~mask])
        omits = self._nan_policy == "omit"
        call = Omission(block, self._w, self._options, omits, mask is not None, part)
        if self._covers is None:
            return call.solve(block, mask, None, workers)
        y = np.empty(call.problem.y_shape, self._covers)
        call.coverage(block, mask, y, workers)
        return y
