"""correlate_each and convolve_each: one filter for each line along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._dask.door import is_planned
from pyconv._engine.banks import Bank, prepare, reaches
from pyconv._engine.output_arrays import check_out, plain_array, writable_in_place
from pyconv._engine.planner import kept
from pyconv._engine.planning import exact_key
from pyconv._engine.problem import CallOptions, integer
from pyconv._native import loader


def correlate_each(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str = "constant",
    *,
    axis: int = -1,
    fill_value: complex = 0,
    stride: int | Fraction = 1,
    dilation: int = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
    out: npt.NDArray[Any] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Cross-correlate each line along an axis with a kernel of its own.

    .. math:: y[c, i] = \sum_u x[c, i \cdot s + u \cdot d - p] \; \overline{w[c, u]}

    with stride `s`, dilation `d` and low pad `p`, and a channel `c` for each place of the other
    axes: delays that differ from channel to channel, an equaliser for each microphone.

    Parameters
    ----------
    x : array_like
        Source array of any shape; dtypes and layouts are those of `correlate`.
    w : array_like
        The kernels, taps along the last axis. Without it `w` is broadcast to `x` without `axis`:
        of channels × samples it has the shape (channels, taps), of samples × channels, with
        ``axis=0``, too.
    mode : {'valid', 'same', 'full'}, int or (low, high), optional
        Extent, as for `correlate`.
    boundary : str, optional
        What is read outside `x`: 'constant', 'nearest', 'symmetric', 'mirror' or 'wrap', as for
        `correlate`.
    axis : int, optional
        The axis of `x` that is summed along.
    fill_value : scalar, optional
        The value that ``boundary='constant'`` reads outside.
    stride : int or Fraction, optional
        As for `correlate`: a `fractions.Fraction` changes the rate of each line.
    dilation : int, optional
        As for `correlate`.
    dtype, overflow, rounding
        As for `correlate`: the dtype of the result, what becomes of integers that it cannot hold,
        and how sums become integers. ``overflow='raise'`` decides for all kernels together, from
        the bound of the one that reaches farthest.
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x` and `w`.
    method : str, optional
        Algorithm of a line: a word of `correlate` for an algorithm that takes any weights.
    rtol : float, optional
        Error that is allowed, as for `correlate`.
    workers : int, optional
        Largest number of threads, as for `correlate`.

    Returns
    -------
    ndarray
        The result, with the axes of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `correlate`; `ValueError` for a `w` that is not broadcast to the lines.

    See Also
    --------
    correlate : the same with one kernel.
    pyconv.signal.lfilter : a causal filter for each channel, with a state.

    Notes
    -----
    Along the last axis a line has the bits of ``correlate(x[c], w[c], …)`` where the same
    algorithm runs (`direct` or `fft`), however many lines there are. Along other axes many
    neighbours are summed side by side, each output in the order of its taps, so that floats may
    differ from those by roundings. Integers, and sums with a `rounding`, are the same either way.
    Kernels whose weights are all equal are summed as others are.

    Arrays of dask and missing samples are not taken.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = np.array([[0, 10, 20, 30], [0, 10, 20, 30]], np.int16)
    >>> pyconv.correlate_each(x, [[1, 0, 0], [-1, 0, 1]], "same", "nearest")
    array([[ 0,  0, 10, 20],
           [10, 20, 20, 10]])

    Delays by parts of a sample, from 16 bits to 16 bits:

    >>> delays = np.array([0.25, 0.5])
    >>> w = np.stack([delays, 1 - delays], axis=-1)
    >>> pyconv.correlate_each(
    ...     x, w, ((1, 0),), "nearest", dtype="int16", overflow="saturate", rounding="half_even"
    ... )
    array([[ 0,  8, 18, 28],
           [ 0,  5, 15, 25]], dtype=int16)
    """
    return run_bank(x, w, mode, boundary, axis, fill_value, stride, dilation, dtype, overflow,
                    rounding, out, method, rtol, workers, flip=False)  # fmt: skip


def convolve_each(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str = "constant",
    *,
    axis: int = -1,
    fill_value: complex = 0,
    stride: int | Fraction = 1,
    dilation: int = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
    out: npt.NDArray[Any] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Convolve each line along an axis with a kernel of its own.

    .. math:: y[c, i] = \sum_u x[c, i \cdot s + u \cdot d - p] \; w[c, K - 1 - u]

    This is `correlate_each` with the kernels flipped along their taps and not conjugated; extents
    and pads mean the same in both.

    Parameters
    ----------
    x : array_like
        Source array; see `correlate_each`.
    w : array_like
        The kernels, taps along the last axis, the others broadcast to `x` without `axis`.
    mode, boundary, axis, fill_value, stride, dilation, dtype, overflow, rounding
        As for `correlate_each`.
    out, method, rtol, workers
        As for `correlate_each`.

    Returns
    -------
    ndarray
        The result, with the axes of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `correlate_each`.

    See Also
    --------
    correlate_each : the same without the flip.
    convolve : the same with one kernel.

    Examples
    --------
    >>> import pyconv
    >>> pyconv.convolve_each([[1, 2, 3], [1, 2, 3]], [[1, 0], [0, 1]], "full")
    array([[1, 2, 3, 0],
           [0, 1, 2, 3]])
    """
    return run_bank(x, w, mode, boundary, axis, fill_value, stride, dilation, dtype, overflow,
                    rounding, out, method, rtol, workers, flip=True)  # fmt: skip


def run_bank(
    x: Any,
    w: Any,
    mode: Any,
    boundary: Any,
    axis: Any,
    fill_value: Any,
    stride: Any,
    dilation: Any,
    dtype: Any,
    overflow: Any,
    rounding: Any,
    out: np.ndarray | None,
    method: Any,
    rtol: Any,
    workers: int | None,
    *,
    flip: bool,
) -> np.ndarray:
    """Return the result of a bank, in ``out`` if that is given."""
    for argument, value in (("x", x), ("w", w)):
        if is_planned(value):
            raise TypeError(
                f"{argument} is an array of chunks, or one that is only planned for: a bank is "
                f"summed of arrays in memory; pass {argument}.compute(), or the chunks by "
                "dask.array.map_overlap"
            )
    x, w = plain_array(x, "x"), plain_array(w, "w")
    if w.ndim and not w.shape[-1]:
        raise ValueError(f"w is empty (shape {w.shape}); each line needs at least one weight")
    options = CallOptions(
        flip=flip, mode=mode, boundary=boundary, fill_value=fill_value, stride=stride,
        dilation=dilation, dtype=dtype, overflow=overflow, rounding=rounding, rtol=rtol,
        method=method,
    )  # fmt: skip
    exact = exact_key((axis, *options))
    key = "bank call", loader.native, x.shape, x.dtype, w.shape, w.dtype, exact
    if exact is None:
        bank = _prepared(x, w, axis, options)
    else:
        bank = kept(key, _prepared, x, w, axis, options)
    if out is None:
        return bank.run(x, w, None, workers)
    check_out(out, bank.y_shape, bank.problem.dtype, "; pass dtype= for another result")
    if writable_in_place(out, x, w):
        return bank.run(x, w, out, workers)
    out[...] = bank.run(x, w, None, workers)
    return out


def _prepared(x: np.ndarray, w: np.ndarray, axis: object, options: CallOptions) -> Bank:
    """Validate a call."""
    if w.ndim == 0 or x.ndim == 0:
        raise ValueError(
            f"x has shape {x.shape} and w shape {w.shape}: an axis of samples and, as the last one "
            "of w, one of taps are needed"
        )
    where = integer(axis, "axis")
    if not -x.ndim <= where < x.ndim:
        raise ValueError(f"axis={axis!r}: x has axes {-x.ndim} to {x.ndim - 1}")
    where %= x.ndim
    lines = (*x.shape[:where], *x.shape[where + 1 :])
    if not reaches(w.shape[:-1], lines):
        raise ValueError(
            f"w has shape {w.shape}, kernels of {w.shape[-1]} taps: without its last axis it has "
            f"to be broadcast to {lines}, the shape of x without axis={axis}"
        )
    return prepare(x, w, where, options)
