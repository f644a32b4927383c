"""From integer results of a filter to their plan: means, and sums that are cut towards zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyconv._engine.algorithms import ROUNDING_ALGORITHMS, arranged
from pyconv._engine.planner import kept
from pyconv._engine.planning import ROUNDING_PLANNER, BoundProblem
from pyconv._engine.problem import MAX_COORDINATE, Problem, make_problem
from pyconv._native import loader

#: Keywords of `make_problem` that a caller of `rounded_run` gives.
OPTIONS = (
    "mode", "boundary", "fill_value", "axes", "dtype", "overflow", "rounding", "by_axis",
    "stride", "max_memory",
)  # fmt: skip

#: Writes rounded sums of ``x`` to ``y``, or to a fresh array, with at most as many threads.
RoundedRun = Callable[[np.ndarray, np.ndarray | None, int | None], np.ndarray]


def rounded_run(
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w: np.ndarray | None,
    mode: object,
    boundary: object,
    fill_value: object,
    axes: tuple[int, ...],
    dtype: np.dtype,
    overflow: str,
    rounding: str = "half_even",
    by_axis: bool = False,
    stride: object = 1,
    max_memory: int | None = None,
) -> RoundedRun | None:
    """Return what makes rounded sums of one kernel; None if no algorithm does within its memory.

    The weights, in float64, are None for those of a mean; the other arguments are those of
    `make_problem`. By default there is no limit of memory.
    """
    granted = MAX_COORDINATE if max_memory is None else max_memory
    options = (
        mode, boundary, fill_value, axes, dtype, overflow, rounding, by_axis, stride,
        granted,
    )  # fmt: skip
    key = (
        "rounded", loader.native, x_shape, x_dtype, w_shape, None if w is None else w.tobytes(),
        options, type(fill_value),
    )  # fmt: skip
    run: RoundedRun | str = kept(key, _planned_rounded, x_shape, x_dtype, w_shape, w, options)
    return None if isinstance(run, str) else run


def _planned_rounded(
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w: np.ndarray | None,
    given: tuple[Any, ...],
) -> RoundedRun | str:
    """Plan rounded sums with the `OPTIONS` that are given; return why there are none."""
    options: dict[str, Any] = dict(zip(OPTIONS, given, strict=True))
    half_even = options["rounding"] == "half_even"
    unread = np.ones((1,) * len(w_shape), np.float32 if half_even else np.float64)
    options |= {"mean": w is None, "rtol": 0.0}
    kind = type(options["fill_value"])  # 1 == 1.0 == True
    key = ("rounded problem", x_shape, x_dtype, w_shape, *options.values(), kind)
    problem = kept(key, _rounded_problem, x_shape, x_dtype, w_shape, unread.dtype, options)
    if isinstance(problem, str):
        return problem
    try:
        algorithm = ROUNDING_PLANNER.choose(problem, w=unread if w is None else w)
    except (ValueError, MemoryError) as error:
        return str(error)
    plan = BoundProblem(problem, algorithm)
    return lambda x, y, workers: plan.solve(x, unread, y, workers)


def _rounded_problem(
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w_dtype: np.dtype,
    options: dict[str, Any],
) -> Problem | str:
    """Return the problem of rounded sums, or that no algorithm takes it with any weights."""
    problem = make_problem(x_shape, x_dtype, w_shape, w_dtype, **options)
    if all(arranged.refuses(a, problem) for a in ROUNDING_ALGORITHMS):
        return "no algorithm takes it"
    return problem
