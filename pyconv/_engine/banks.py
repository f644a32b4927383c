"""Banks of one filter a line: outputs of full convolutions, planned, bound, run.

    y[l, n] = Σ_j h[l, j] · x[l, n − j]

They are summed by the loop of `polyphase`, each output in the order of its samples. It is one way
to sum, so that there is nothing to choose or to explain.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms.correlation.polyphase import Taps, loop_of
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import kept
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Seconds of a product on one thread. Measured on a Xeon (AVX-512), 2026-11-30.
PRODUCT_SECONDS = 5e-11


def filtered_each(x: Array, filters: Array, own: Array, axis: int, start: int, count: int) -> Array:
    """Return outputs of full convolutions, of each line with one of the filters, of real numbers.

    ``own`` is the filter of each line, in the order of their axes.
    """
    sums, taps = filters.dtype, filters.shape[1]
    key = "bank", loader.native, x.shape, axis, sums, taps, start, count, own.tobytes()
    reads = Taps(1, (start - taps + 1,), (taps,))
    loop = kept(key, loop_of, x.shape, axis, count, sums, reads, "constant", own)
    y = empty((*x.shape[:axis], count, *x.shape[axis + 1 :]), sums)
    seconds = PRODUCT_SECONDS * math.prod(y.shape) * taps
    workers = threads.resolve(None, MACHINE.threads_for(seconds))
    w, outside = np.ascontiguousarray(filters[:, ::-1]), np.zeros(1, sums)
    x = _readable(x, axis, sums)
    if workers == 1:
        loop.run(x, w, y, outside, False, 1)
        return y
    with threads.running():
        loop.run(x, w, y, outside, False, workers)
    return y


def _readable(x: Array, axis: int, sums: np.dtype) -> Array:
    """Return an array as the loop reads it: of real numbers, contiguous behind the axis."""
    if not x.dtype.isnative or x.dtype == np.float16:
        x = x.astype(sums)
    if math.prod(x.shape[axis + 1 :]) > 1:
        return np.ascontiguousarray(x)
    return x
