"""correlate and convolve of arrays that are made a piece at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pyconv._dask.door import answered, is_chunked
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.planning import check_nan
from pyconv._engine.problem import CallOptions
from pyconv._pieces.plan import PiecePlan, Source
from pyconv._pieces.sums import SumPlan


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


def _planned(w: np.ndarray, nan_policy: Any, options: CallOptions, source: Source) -> PiecePlan:
    check_nan(nan_policy, "w", w)
    return SumPlan(source, w, options, nan_policy)
