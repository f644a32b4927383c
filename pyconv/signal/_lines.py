"""FIR filters along one axis, planned: what `lfilter` and its relatives sum.

A filter is a convolution whose outputs are counted from some sample of the full one. What is read
outside the array is a boundary of the engine's, or samples that are put beside the array.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import DTYPES
from pyconv._engine.output_arrays import empty, turned, writable_in_place
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import Prepared, prepare
from pyconv._engine.problem import CallOptions
from pyconv._native import layout, loader

Array = npt.NDArray[Any]

#: Taps up to which filters are summed plainly. More may go through a transform, whose error is a
#: part of the largest sample of a window, where that is faster.
PLAIN_TAPS = 128
#: The same along other axes than the last one, whose lines are turned for it, so many outputs at a
#: time or, of long filters, so many times their taps. Measured on a Xeon (AVX-512), 2026-11-30, 64
#: lines of 100,000 float32: as they lie 55 ms for 501 taps and 326 for 3000, turned 82 and 93.
PLAIN_ACROSS = 700
BLOCK, BLOCK_TAPS = 8192, 8


def taken(*arrays: Array) -> bool:
    """Return whether the engine has these dtypes, and there are samples; SciPy has the rest."""
    return all(a.size > 0 and a.dtype.newbyteorder("=") in DTYPES for a in arrays)


def is_axis(axis: object, ndim: int) -> bool:
    """Return whether an array has such an axis; what it raises where it has not is SciPy's."""
    if type(axis) is int:
        return -ndim <= axis < ndim
    try:
        return -ndim <= operator.index(axis) < ndim  # type: ignore[arg-type]
    except TypeError:
        return False


def is_finite(w: Array) -> bool:
    """Return whether all weights are numbers: zeros outside an array make NaN of others."""
    return bool(np.isfinite(w).all())


def convolved(
    x: Array,
    w: Array,
    axis: int,
    pads: tuple[int, int],
    *,
    dtype: np.dtype,
    stride: int = 1,
    boundary: str = "constant",
    fill: complex = 0,
    flip: bool = True,
    plain: bool = False,
    out: Array | None = None,
) -> Array:
    """Return the convolution along an axis with weights of one dimension that are finite.

    ``pads`` are those of `pyconv.convolve`. ``plain`` says that no weights, however many, may go
    through a transform. ``out`` receives the result, and may be any view.
    """
    across = axis != x.ndim - 1
    plain = plain or sums_plainly(w.size, stride, boundary, across=across)
    if across and not plain:
        y = _across(x, w, axis, pads, dtype, boundary, fill, flip=flip)
        if out is None:
            return y
        out[...] = y
        return out
    key = (
        "line", loader.native, x.shape, x.dtype, w.size, w.dtype, axis, pads, dtype, stride,
        boundary, fill, flip, plain,
    )  # fmt: skip
    prepared: Prepared | None = CALLS.found.get(key)
    if prepared is None:
        options = options_of(
            axis, pads, dtype=dtype, stride=stride, boundary=boundary, fill=fill, flip=flip,
            plain=plain,
        )  # fmt: skip
        prepared = CALLS.keep(key, prepare(x, w, options))
    if out is None:
        return prepared.run(x, w)
    if writable_in_place(out, x, w):
        return prepared.run(x, w, out)
    out[...] = prepared.run(x, w)
    return out


def sums_plainly(taps: int, stride: int, boundary: str, *, across: bool) -> bool:
    """Return whether a filter of so many taps may go through no transform."""
    if taps <= stride * (PLAIN_ACROSS if across else PLAIN_TAPS):
        return True
    return across and not (stride == 1 and boundary in ("constant", "nearest"))


def options_of(
    axis: int,
    pads: tuple[int, int],
    *,
    dtype: np.dtype,
    stride: int = 1,
    boundary: str = "constant",
    fill: complex = 0,
    flip: bool = True,
    plain: bool = False,
) -> CallOptions:
    """Return the options of a convolution along an axis."""
    return CallOptions(
        flip=flip,
        mode=(pads,),
        boundary=boundary,
        fill_value=fill,
        axes=axis,
        stride=stride,
        dtype=dtype,
        overflow="wrap",
        rtol=0.0 if plain else None,
    )


def _across(
    x: Array,
    w: Array,
    axis: int,
    pads: tuple[int, int],
    dtype: np.dtype,
    boundary: str,
    fill: complex,
    *,
    flip: bool,
) -> Array:
    """Do as `convolved` for long filters, of lines that lie across those of the memory.

    Blocks of them are turned, which stay in the cache; how many outputs they have depends on the
    filter alone, and so do the bits of results.
    """
    n, low, reach = x.shape[axis], pads[0], w.size - 1
    shape = list(x.shape)
    shape[axis] = count = n + sum(pads) - reach
    y = empty(tuple(shape), dtype)
    step = max(BLOCK, BLOCK_TAPS * w.size)
    for first in range(0, count, step):
        after = min(first + step, count)
        start, stop = first - low, after - low + reach  # of the samples that are read
        part = x[along(axis, x.ndim, min(max(start, 0), n - 1), max(min(stop, n), 1))]
        beside = (max(0, -start) if start < n else n - 1 - start, max(0, stop - n))
        if stop < 1:
            beside = (-start, stop - 1)
        lines = _turned(np.moveaxis(part, axis, -1))
        sums = convolved(
            lines, w, x.ndim - 1, beside, dtype=dtype, boundary=boundary, fill=fill, flip=flip
        )
        into = y[along(axis, x.ndim, first, after)]
        back = np.moveaxis(sums, -1, axis)
        if into.flags.c_contiguous:
            layout.turn_rows(back, into)
        else:
            into[...] = back
    return y


def _turned(lines: Array) -> Array:
    """Return lines one after the other."""
    if lines.dtype.isnative and lines.flags.aligned and lines.size:
        return turned(lines)
    return np.ascontiguousarray(lines)


def along(
    axis: int, ndim: int, start: int | None, stop: int | None, step: int | None = None
) -> Any:
    """Return the index of a part of an axis."""
    index: list[Any] = [slice(None)] * ndim
    index[axis] = slice(start, stop, step)
    return tuple(index)
