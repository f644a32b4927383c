"""One filter a line, by the loop of `polyphase`: outputs of full convolutions.

    y[l, n] = Σ_j h[l, j] · x[l, n·s − j]

Each output adds its products in the order of its samples. It is one way to sum, so that there is
nothing to choose or to explain.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms.correlation.polyphase import MOST, SHARE, Taps, loop_of
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import kept
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Seconds of a product on one thread. Measured on a Xeon (AVX-512), 2026-11-30.
PRODUCT_SECONDS = 5e-11


class Outside(NamedTuple):
    """What is read outside a line."""

    boundary: str = "constant"
    fill: float = 0


OUTSIDE = Outside()


def takes(step: int, taps: int) -> bool:
    """Return whether the loop is made for filters of so many taps, and every `step`-th output."""
    return max(step, taps) <= MOST


def are_abreast(shape: tuple[int, ...], axis: int, sums: np.dtype) -> bool:
    """Return whether lines along an axis are neighbours, so many that no line is transposed."""
    inner = math.prod(shape[axis + 1 :])
    return inner > 1 and SHARE * inner >= loader.native.recursive_width(sums)


def filtered_each(
    x: Array,
    filters: Array,
    own: Array,
    axis: int,
    start: int,
    count: int,
    step: int = 1,
    outside: Outside = OUTSIDE,
    y: Array | None = None,
    clip: bool = False,
    workers: int | None = None,
) -> Array:
    """Return every `step`-th output of convolutions, of each line with one of the filters.

    ``own`` is the filter of each line, in the order of their axes. All are real numbers; ``y``
    may be an array of integers, which are rounded, and clipped or wrapped.
    """
    sums, taps = filters.dtype, filters.shape[1]
    key = (
        "bank", loader.native, x.shape, axis, sums, taps, start, count, step, outside.boundary,
        own.tobytes(),
    )  # fmt: skip
    reads = Taps(step, (start - taps + 1,), (taps,))
    loop = kept(key, loop_of, x.shape, axis, count, sums, reads, outside.boundary, own)
    if y is None:
        y = empty((*x.shape[:axis], count, *x.shape[axis + 1 :]), sums)
    seconds = PRODUCT_SECONDS * math.prod(y.shape) * taps
    most = threads.resolve(workers, MACHINE.threads_for(seconds))
    w, fill = np.ascontiguousarray(filters[:, ::-1]), np.array([outside.fill], sums)
    x = _readable(x, axis, sums)
    if most == 1:
        loop.run(x, w, y, fill, clip, 1)
        return y
    with threads.running():
        loop.run(x, w, y, fill, clip, most)
    return y


def _readable(x: Array, axis: int, sums: np.dtype) -> Array:
    """Return an array as the loop reads it: of real numbers, contiguous behind the axis."""
    if not x.dtype.isnative or x.dtype == np.float16:
        x = x.astype(sums)
    elif not x.flags.aligned:
        x = x.copy()
    if math.prod(x.shape[axis + 1 :]) > 1:
        return np.ascontiguousarray(x)
    return x
