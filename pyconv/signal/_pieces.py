"""Convolutions with the signatures of `scipy.signal` of arrays that are made a piece at a time.

The first array may be one of chunks. The second is the kernel, and no larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyconv._calls import unsound
from pyconv._dask.door import answered, is_chunked
from pyconv._engine.problem import MAX_SPATIAL, CallOptions
from pyconv._pieces.plan import PiecePlan, Source
from pyconv._pieces.sums import SumPlan
from pyconv.signal import _planes, _transforms, _whole_arrays
from pyconv.signal._extents import Array, Part, call_of, known, part_of, swapped, taken


def convolve_pieces(solve: Callable[..., Any], in1: Any, in2: Any, options: Sequence[Any]) -> Any:
    """Return the plan, or the dask array, of a call that ``solve`` makes in memory."""
    w = in2 if is_chunked(in2) else np.array(in2)
    planned = partial(PLANS[solve.__name__], w, *options)
    return answered(planned, in1, argument="in1", others=(("in2", in2),))


def _check(x: Array, w: Array, turned: bool = False) -> None:
    """Raise for arrays that are not summed a piece at a time."""
    if not taken(x, w):
        raise TypeError(
            f"in1 has dtype {x.dtype} and shape {x.shape}, in2 {w.dtype} and {w.shape}: arrays of "
            "numbers that are not empty are convolved a chunk at a time"
        )
    if turned or w.size > x.size:
        raise ValueError(
            f"in2 of shape {w.shape} is larger than in1 of shape {x.shape}; the larger array is "
            "the one in chunks: pass it first"
        )
    if unsound.unsound(w, w):
        raise ValueError("in2 holds NaN or infinity, which is not convolved a chunk at a time")


def _of_parts(
    source: Source,
    w: Array,
    axes: Sequence[int],
    parts: Sequence[Part],
    rtol: float | None,
) -> PiecePlan:
    """Return the plan of parts of a full convolution."""
    if len(axes) > MAX_SPATIAL:
        raise ValueError(
            f"in2 of shape {w.shape} has {len(axes)} axes; a chunk at a time up to {MAX_SPATIAL} "
            "are convolved"
        )
    kernel, options = call_of(source.zeros(), w, axes, parts)
    return SumPlan(source, kernel, CallOptions(flip=True, rtol=rtol, **options))


def _convolve(w: Array, mode: str, method: str, source: Source) -> PiecePlan:
    x = source.zeros()
    if x.ndim != w.ndim:
        raise ValueError("volume and kernel should have the same dimensionality")
    _whole_arrays.check(mode, method)
    _check(x, w, swapped(mode, x.shape, w.shape, range(x.ndim)))
    granted = _whole_arrays.GRANTED[method]
    mixed = (x.dtype.kind in "fc") != (w.dtype.kind in "fc")
    # SciPy's choice depends on the data where integers are multiplied by floats.
    if method == "auto" and (mixed or _whole_arrays.sums_plainly(x, w, mode, method)):
        granted = 0.0
    _, kernel, axes, parts = _whole_arrays.arranged(x, w, mode)
    return _of_parts(source, kernel, axes, parts, granted)


def _correlate(w: Array, mode: str, method: str, source: Source) -> PiecePlan:
    if len(source.shape) != w.ndim:
        raise ValueError("volume and kernel should have the same dimensionality")
    return _convolve(_whole_arrays.turned(w), mode, method, source)


def _transformed(w: Array, mode: str, axes: Any, source: Source) -> PiecePlan:
    x = source.zeros()
    if x.ndim != w.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    along = sorted(
        a for a in _transforms.axes_of(axes, x.ndim) if x.shape[a] != 1 and w.shape[a] != 1
    )
    known(mode)
    _check(x, w, swapped(mode, x.shape, w.shape, along))
    others = [a for a in range(x.ndim) if a not in along]
    if any(w.shape[a] != 1 for a in others):
        raise ValueError(
            f"in2 of shape {w.shape} has a kernel for each item along axes {others}; one kernel "
            "for all is convolved a chunk at a time"
        )
    if not along:  # a product, whose dtype is that of both
        return _of_parts(source, w, [x.ndim - 1], [Part(0, x.shape[-1])], None)
    floats = source._replace(dtype=_transforms.as_floats(np.zeros(1, source.dtype)).dtype)
    parts = [part_of(mode, x.shape[a], w.shape[a]) for a in along]
    return _of_parts(floats, _transforms.as_floats(w), along, parts, None)


def _plane(flip: bool, w: Array, mode: str, boundary: str, fillvalue: Any, source: Source) -> Any:
    x = source.zeros()
    if not x.ndim == w.ndim == 2:
        word = "convolve2d" if flip else "correlate2d"
        raise ValueError(f"{word} inputs must both be 2-D arrays")
    _check(x, w, swapped(mode, x.shape, w.shape, (0, 1)))
    options = _planes.options_of(x, w, mode, boundary, fillvalue, flip=flip)
    return SumPlan(source, w, options)


#: The functions that solve calls in memory → the plans of their calls on pieces.
PLANS: dict[str, Callable[..., PiecePlan]] = {
    "_convolve": _convolve,
    "_correlate": _correlate,
    "_fftconvolve": _transformed,
    "_oaconvolve": _transformed,
    "_convolve2d": partial(_plane, True),
    "_correlate2d": partial(_plane, False),
}
