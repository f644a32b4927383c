"""tune: time the algorithms that might be fastest for a call, and remember which one is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from pyconv._engine.files import file_path
from pyconv._engine.output_arrays import ones, plain_array
from pyconv._engine.planning import BoundProblem, array_like, plan_for, planner_of
from pyconv._engine.problem import CallOptions


def tune(
    x: npt.ArrayLike | None = None,
    w: npt.ArrayLike | None = None,
    path: str | os.PathLike[str] | None = None,
    *,
    shape: int | Sequence[int] | None = None,
    x_dtype: npt.DTypeLike | None = None,
    **options: Any,
) -> dict[str, float]:
    """Time the algorithms that might be fastest for a call, and take the fastest from now on.

    Predicted times say which are worth timing: those within five times the least. Later calls and
    plans of the same problem (shapes, dtypes and every option) with ``method='auto'`` run the
    fastest, in this process; and in others that read the file at `path`, as they do when the
    environment variable ``PYCONV_WISDOM`` names it. Another algorithm rounds differently, so that
    results may change by rounding, within what ``rtol`` grants.

    Times are those of the call as written. Where a kernel longer than the array is cut or exchanged
    with it, as `explain` says, calls go on to sum that in its place, by predicted times.

    Parameters
    ----------
    x : array_like, optional
        The array of the call.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    path : str or path-like, optional
        File that the finding is added to, replaced as a whole; one that is damaged is begun
        again, and one that cannot be written gives a warning. By default no file is written.
    shape : int or sequence of int, optional
        The shape of the array, in place of `x`.
    x_dtype : dtype, optional
        The dtype of the array, with `shape`. By default that of `w`.
    **options
        Other arguments of `correlate`, by name, but ``method``, ``out``, ``workers`` and
        ``nan_policy``; ``flip=True`` means `convolve`.

    Returns
    -------
    dict
        Seconds of each algorithm that was timed, the fastest first.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `correlate`.

    See Also
    --------
    explain : what is chosen, and the predicted times.
    pyconv.nn.functional.tune_conv : the same for layers and their gradients.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> call = {"shape": (64, 64), "w": np.ones((9, 9), "float32"), "mode": "same"}
    >>> times = pyconv.tune(**call)
    >>> fastest = next(iter(times))
    >>> pyconv.plan(**call).algorithm == fastest
    True
    """
    unknown = options.keys() - (set(CallOptions._fields) - {"method"})
    if unknown:
        raise TypeError(f"tune() has no argument {', '.join(sorted(unknown))}")
    file = None if path is None else file_path(path, "path")
    source, weights = array_like(x, shape, x_dtype, w)
    given = plain_array(source, "x")
    problem = plan_for(given, weights, **options).problem
    planner = planner_of(problem)
    if 0 in problem.y_shape:
        return {}
    samples = given if shape is None else ones(given.shape, given.dtype)

    def runner(name: str) -> Callable[[], object]:
        plan = BoundProblem(problem, planner.choose(problem, name, weights))
        return lambda: plan.solve(samples, weights, None, None)

    return planner.tune(problem, runner, weights, file)
