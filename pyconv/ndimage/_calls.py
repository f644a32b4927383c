"""A call of a filter: what it has planned is kept with all that decides it.

Of a small array the arguments, their checks and the plan take several times as long as the sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._dask.door import is_planned
from pyconv._engine.output_arrays import check_apart
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import exact_key
from pyconv._native import loader
from pyconv.ndimage._arguments import Array, Output
from pyconv.ndimage._weighted_sums import Step
from pyconv.ndimage._whole import WHOLE

#: Bytes of a kernel whose calls are kept: larger ones take longer to sum than to plan.
MAX_KERNEL = 2048


def filtered(
    plan: Callable[..., tuple[Array, Step]],
    input: npt.ArrayLike,
    output: Output,
    weights: npt.ArrayLike | None,
    *options: Any,
) -> Array:
    """Return ``input``, filtered as planned.

    ``plan(x, output, weights, *options)`` checks the arguments, and returns the array that receives
    the result and what writes it there.
    """
    if type(input) is not np.ndarray and is_planned(input):
        from pyconv.ndimage._pieces import filter_pieces

        return filter_pieces(plan, input, output, weights, options)
    x = np.asarray(input)
    w = None if weights is None else np.asarray(weights)
    key = _key(plan, x, output, w, options)
    if key is None:
        y, step = plan(x, output, w, *options)
    elif (found := CALLS.found.get(key)) is not None:
        step, dtype = found
        if type(output) is np.ndarray:
            check_apart(output, "output")
            y = output
        else:
            y = np.empty(x.shape, dtype)
    else:
        # Nobody else may change the kernel that is kept.
        y, step = plan(x, output, None if w is None else w.copy(), *options)
        CALLS.keep(key, (step, y.dtype))
    step(x, y)
    return y


def _key(
    plan: object, x: Array, output: Output, w: Array | None, options: tuple[Any, ...]
) -> tuple[object, ...] | None:
    """Return all that decides about a call, None where it cannot be kept."""
    into: object = output
    if output is not None:
        if type(output) is np.ndarray:
            if output.shape != x.shape:
                return None
            into = output.dtype
        elif not isinstance(output, type | np.dtype) or _is_complex(x, w):
            return None  # a dtype that is promoted, which each call says, among them
    kernel = None
    if w is not None:
        if w.nbytes > MAX_KERNEL or w.dtype.kind not in "biufc":
            return None
        kernel = (w.shape, w.dtype, w.tobytes())
    exact = exact_key(options)
    if exact is None:
        return None
    return plan, loader.native, x.shape, x.dtype, into, kernel, exact, WHOLE.shape


def _is_complex(x: Array, w: Array | None) -> bool:
    return x.dtype.kind == "c" or (w is not None and w.dtype.kind == "c")
