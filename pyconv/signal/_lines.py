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
from pyconv._engine.output_arrays import writable_in_place
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import Prepared, prepare
from pyconv._engine.problem import CallOptions
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Taps up to which filters are summed plainly. More may go through a transform, whose error is a
#: part of the largest sample of a window, where that is faster.
PLAIN_TAPS = 128


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
    key = (
        "line", loader.native, x.shape, x.dtype, w.size, w.dtype, axis, pads, dtype, stride,
        boundary, fill, flip, plain,
    )  # fmt: skip
    prepared: Prepared | None = CALLS.found.get(key)
    if prepared is None:
        options = CallOptions(
            flip=flip,
            mode=(pads,),
            boundary=boundary,
            fill_value=fill,
            axes=axis,
            stride=stride,
            dtype=dtype,
            overflow="wrap",
            rtol=0.0 if plain or w.size <= PLAIN_TAPS else None,
        )
        prepared = CALLS.keep(key, prepare(x, w, options))
    if out is None:
        return prepared.run(x, w)
    if writable_in_place(out, x, w):
        return prepared.run(x, w, out)
    out[...] = prepared.run(x, w)
    return out


def along(
    axis: int, ndim: int, start: int | None, stop: int | None, step: int | None = None
) -> Any:
    """Return the index of a part of an axis."""
    index: list[Any] = [slice(None)] * ndim
    index[axis] = slice(start, stop, step)
    return tuple(index)
