"""tune: time the algorithms that might be fastest for a call, and remember which one is."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.files import file_path
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.planning import (
    OPTIONS,
    WISDOM,
    BoundProblem,
    array_like,
    choose,
    clear_cache,
    description,
    fitted,
    plan_for,
)
from pyconv._engine.problem import Problem
from pyconv._engine.wisdom import add

#: Algorithms predicted to take longer than this many times the least are not timed.
NEAR = 5.0
#: For each algorithm: seconds to go on timing, and samples at least.
SECONDS, LEAST = 0.1, 3


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
    unknown = options.keys() - (OPTIONS.keys() - {"method"})
    if unknown:
        raise TypeError(f"tune() has no argument {', '.join(sorted(unknown))}")
    file = None if path is None else file_path(path, "path")
    source, weights = array_like(x, shape, x_dtype, w)
    given = plain_array(source, "x")
    problem = plan_for(given, weights, **options).problem
    samples = given if shape is None else np.ones(given.shape, given.dtype)
    times = _times(problem, samples, weights)
    fastest = next(iter(times), None)
    if fastest is not None:
        WISDOM.remember(description(problem), fastest)
        clear_cache()  # plans were made without it
        if file is not None:
            add(file, description(problem), fastest)
    return times


def _times(problem: Problem, x: np.ndarray, w: np.ndarray) -> dict[str, float]:
    """Return the least seconds of each algorithm near the best, sampled in turn."""
    if 0 in problem.y_shape:
        return {}
    able = [a for a in (fitted(b, problem, w) for b in ALGORITHMS) if not isinstance(a, str)]
    able = [a for a in able if a.workspace(problem) <= problem.max_memory]
    most = NEAR * min(a.cost(problem, MACHINE) for a in able)
    near = [a.name for a in able if a.cost(problem, MACHINE) <= most]
    plans = {name: BoundProblem(problem, choose(problem, name, w)) for name in near}
    best = dict.fromkeys(plans, math.inf)
    spent = dict.fromkeys(plans, 0.0)
    for plan in plans.values():
        plan.solve(x, w, None, None)  # code and tables are fetched
    turn = 0
    while turn < LEAST or min(spent.values()) < SECONDS:
        for name, plan in plans.items():
            start = time.perf_counter()
            plan.solve(x, w, None, None)
            seconds = time.perf_counter() - start
            best[name] = min(best[name], seconds)
            spent[name] += seconds
        turn += 1
    return dict(sorted(best.items(), key=lambda pair: pair[1]))
