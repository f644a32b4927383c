"""FIR filters along one axis, planned: what `lfilter` and its relatives sum.

A filter is a convolution whose outputs are counted from some sample of the full one. What is read
outside the array is a boundary of the engine's, or samples that are put beside the array.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import DTYPES
from pyconv._engine.output_arrays import empty, writable_in_place
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
#: lines of 100,000 float32: as they lie 34 ms for 301 taps and 53 for 501, turned 30 and 30; 384
#: lines of 20,000 float64 108 and 170, turned 114 and 111.
PLAIN_ACROSS = 400
BLOCK, BLOCK_TAPS = 8192, 8
#: Bytes of the samples of a block that are turned at once.
TURNED_BYTES = 4 << 20


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

    Blocks of some of them are turned, which stay in the cache; how many outputs they have depends
    on the filter alone, and so do the bits of results.
    """
    n, low, reach = x.shape[axis], pads[0], w.size - 1
    shape = list(x.shape)
    shape[axis] = count = n + sum(pads) - reach
    y = empty(tuple(shape), dtype)
    step = max(BLOCK, BLOCK_TAPS * w.size)
    groups = [*_groups(x.shape[:axis] + x.shape[axis + 1 :], step + reach, x.itemsize)]
    memory = _Memory(x.dtype), _Memory(dtype)
    for first in range(0, count, step):
        after = min(first + step, count)
        start, stop = first - low, after - low + reach  # of the samples that are read
        part = x[along(axis, x.ndim, min(max(start, 0), n - 1), max(min(stop, n), 1))]
        beside = (max(0, -start) if start < n else n - 1 - start, max(0, stop - n))
        if stop < 1:
            beside = (-start, stop - 1)
        sources = np.moveaxis(part, axis, -1)
        results = np.moveaxis(y[along(axis, x.ndim, first, after)], axis, -1)
        for group in groups:
            source, result = sources[group], results[group]
            lines = memory[0].array(source.shape)
            if source.dtype.isnative and source.flags.aligned:
                layout.turn_rows(source, lines)
            else:
                lines[...] = source
            sums = memory[1].array(result.shape)
            convolved(
                lines, w, x.ndim - 1, beside, dtype=dtype, boundary=boundary, fill=fill, flip=flip,
                out=sums,
            )  # fmt: skip
            layout.turn_rows(np.moveaxis(sums, -1, axis), np.moveaxis(result, -1, axis))
    return y


def _groups(lead: tuple[int, ...], samples: int, item: int) -> Iterator[tuple[slice, ...]]:
    """Yield indices of lines of so many samples each, as many as are turned at once."""
    rest = math.prod(lead[1:]) * samples * item
    count = max(1, TURNED_BYTES // rest)
    if not lead or count >= lead[0]:
        yield ()
        return
    for first in range(0, lead[0], count):
        part = slice(first, first + count)
        if rest <= TURNED_BYTES:
            yield (part,)
        else:
            yield from ((part, *others) for others in _groups(lead[1:], samples, item))


class _Memory:
    """Memory for one array after the other: that of fresh ones would be cleared each time."""

    __slots__ = ("_room",)

    def __init__(self, dtype: np.dtype) -> None:
        self._room = np.empty(0, dtype)

    def array(self, shape: tuple[int, ...]) -> Array:
        """Return an array that holds anything, until the next one is asked for."""
        size = math.prod(shape)
        if size > self._room.size:
            self._room = empty((size,), self._room.dtype)
        return self._room[:size].reshape(shape)


def along(
    axis: int, ndim: int, start: int | None, stop: int | None, step: int | None = None
) -> Any:
    """Return the index of a part of an axis."""
    index: list[Any] = [slice(None)] * ndim
    index[axis] = slice(start, stop, step)
    return tuple(index)
