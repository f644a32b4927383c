"""correlate and convolve: from the caller's arguments to a running plan."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.missing.call import omit
from pyconv._calls.missing.mask import leaves_out
from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.output_arrays import check_out, plain_array, writable_in_place
from pyconv._engine.planning import check_nan, prepare
from pyconv._engine.problem import CallOptions


def correlate(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    fill_value: complex = 0,
    axes: int | Sequence[int] | None = None,
    stride: int | Fraction | Sequence[int | Fraction] = 1,
    dilation: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Cross-correlate an array with a kernel along one, two or three axes.

    .. math:: y[i] = \sum_u x[i \cdot s + u \cdot d - p] \; \overline{w[u]}

    with stride `s`, dilation `d` and low pad `p` on each axis. Axes of `x` that the kernel
    does not act on are batch axes.

    Parameters
    ----------
    x : array_like
        Source array of any shape; bool, integer, float16/32/64 or complex64/128. Any memory
        layout is taken.
    w : array_like
        Kernel of 1, 2 or 3 dimensions, one for each spatial axis.
    mode : {'valid', 'same', 'full'}, int or sequence of (low, high), optional
        Extent: which outputs exist. With `K` the samples that the dilated kernel spans,
        ``valid`` pads nothing, ``same`` pads ``K // 2`` before and ``(K - 1) // 2`` after,
        ``full`` pads ``K - 1`` on both sides; or the pads of each kernel axis, where a negative
        one crops, in any form that `numpy.pad` takes: an integer or one ``(low, high)`` pair is
        for all of them.
    boundary : str or sequence of str, optional
        What is read outside `x`, for all kernel axes or one each (for samples ``a b c d``):

        - ``constant``: ``k k k | a b c d | k k k`` with `k` = `fill_value`; also called ``fill``,
          and ``zero`` or ``zeros`` where `k` = 0
        - ``nearest``: ``a a a | a b c d | d d d``; also ``edge``, ``replicate``, ``extend``
        - ``symmetric``: ``c b a | a b c d | d c b``; also ``grid-mirror``, ``symm``
        - ``mirror``: ``d c b | a b c d | c b a``
        - ``wrap``: ``b c d | a b c d | a b c``; also ``circular``, ``periodic``, ``grid-wrap``
    fill_value : scalar, optional
        The value that ``boundary='constant'`` reads outside. For integer results it must be a
        value of `x`'s dtype.
    axes : int or sequence of int, optional
        Axis of `x` that each kernel axis acts on; by default the last ``w.ndim``.
    stride : int, Fraction or sequence, optional
        Keep every `stride`-th output, exactly as slicing the result of stride 1. A
        `fractions.Fraction` ``down/up``, for a kernel of one dimension, changes the rate: `x` is
        read with ``up - 1`` zeros between its samples, inside and outside, which are never
        multiplied, and every `down`-th output of that grid is kept. Taps, dilation, extents and
        pads count its places, ``(n - 1) * up + 1`` for `n` samples; ``full`` is
        `scipy.signal.upfirdn`. Such calls take no `mask`, `nan_policy` ``omit`` and `rounding`.
        See :doc:`/signals`.
    dilation : int or sequence of int, optional
        Distance in samples between neighbouring weights.
    dtype : dtype, optional
        Dtype of the result. The default is ``np.result_type(x, w)`` for floating-point and
        complex data; integer (or bool) data give exact int64, or uint64 if one is unsigned and the
        other unsigned or bool. float16 is summed in float32. A float result becomes an integer by
        rounding half to even, or as `rounding` says.
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens where an integer result cannot hold the exact sum. ``raise`` decides
        before any work, from the bound that the ranges of `x` and `w` give.
    rounding : {'half_even', 'towards_zero'}, optional
        How sums of fractional weights or samples become integers. A word defines the result to
        the bit: each product is rounded to float64, products are added in the order of the taps,
        those of zero weights left out, and the sum is rounded. All algorithms and processors give
        these integers; ``towards_zero`` gives those of `scipy.ndimage.correlate`. By default the
        sum of any algorithm, with the error that `rtol` allows, is rounded half to even. See
        :doc:`/dtypes`.
    nan_policy : {'propagate', 'raise', 'omit'}, optional
        ``propagate`` follows IEEE: a NaN reaches exactly the outputs whose window holds it.
        ``raise`` refuses data with NaN. ``omit`` leaves NaN out, as `mask` does, and divides by
        the sum of the weights of the valid samples. With a `fill_value` of NaN it also leaves out
        the samples outside. See :doc:`/missing`.
    mask : array_like of bool, optional
        True for samples to leave out, broadcast to the shape of `x`. A masked array brings its
        own. With :math:`m` = 0 for samples that are left out and 1 for the others, the result is

        .. math:: y[i] = \sum_u \overline{w[u]} \cdot
                  \frac{\sum_u m \, x[i \cdot s + u \cdot d - p] \; \overline{w[u]}}
                       {\sum_u m[i \cdot s + u \cdot d - p] \; \overline{w[u]}}

        and NaN where too few samples are valid. That of integers is float64 unless `dtype` asks
        for another dtype.
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x` and `w`.
    method : {'auto', 'direct', 'fft', 'separable', 'box', 'recursive', 'im2col', 'reference'}
        Algorithm. ``auto``, the default, takes the one with the least predicted time. Sums with
        a `rounding` have other algorithms: ``rounded_mean``, ``fixed_point``,
        ``rounded_sum`` and ``reference``.
        A stride that is a fraction has ``polyphase``, ``direct``, ``fft`` and ``reference``.
    rtol : float, optional
        Error that is allowed, as a part of ``max|x| * sum|w|``. A number is compared with the
        proven bound of each algorithm, and 0 allows only plain sums of products. By default a
        kernel may also be factored into passes along rows and columns, within the bound of a
        plain sum, or a Fourier transform may be used: its error is expected to stay within 64
        units of rounding of ``sum|w|`` times the largest sample of the window. A number of 1e-4
        for each axis, or a third of that, allows recursive Gaussians. Integer results are always
        exact, and NaN and infinity reach only the outputs that read them.
    max_memory : int, optional
        Limit of the workspace in bytes, besides `x`, `w` and the result, which is made beside an
        `out` that overlaps `x`. The default is 256 MiB.
    workers : int, optional
        Largest number of threads; -1 means all CPUs that this process may use. The default is that
        of `set_workers`, and less for small problems. Results are the same bits for any number.

    Returns
    -------
    ndarray
        The result, with the axes of `x`; `out` if that was given.

    Raises
    ------
    ValueError
        For shapes, modes, boundaries, axes, strides, dilations and sizes that are not allowed;
        where samples may be left out, for weights that cancel, whatever the data.
    TypeError
        For dtypes and argument types that are not allowed.
    OverflowError
        Under ``overflow='raise'``, if an integer result might not hold the exact sum.
    MemoryError
        If the result or the workspace cannot be allocated, or `max_memory` is too little for
        any algorithm; the message names the least that would do, or a bound from below where
        samples are left out.

    See Also
    --------
    convolve : the same with a flipped kernel.
    coverage : the part of the weights that met valid samples.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = np.arange(9).reshape(3, 3)
    >>> pyconv.correlate(x, [[0, 1], [2, 3]])
    array([[19, 25],
           [37, 43]])

    A horizontal difference, with the edge sample repeated outside:

    >>> pyconv.correlate([1.0, 4.0, 9.0], [-1.0, 0.0, 1.0], "same", "nearest")
    array([3., 8., 5.])

    Along the first axis only, every second result:

    >>> pyconv.correlate(x, [1, 1], axes=0, stride=2)
    array([[3, 5, 7]])

    At twice the rate, with means between the samples:

    >>> from fractions import Fraction
    >>> pyconv.correlate([1.0, 3.0, 7.0], [0.5, 1.0, 0.5], "same", stride=Fraction(1, 2))
    array([1., 2., 3., 5., 7.])

    A smoothed picture of 8 bits, with the same integers by every algorithm:

    >>> picture = np.array([[10, 20, 35], [40, 50, 60], [70, 80, 91]], "uint8")
    >>> w = np.full((3, 3), 1 / 9)
    >>> pyconv.correlate(picture, w, "same", "nearest", dtype="uint8", rounding="half_even")
    array([[23, 31, 39],
           [43, 51, 58],
           [63, 70, 77]], dtype=uint8)

    A mean of the valid samples:

    >>> pyconv.correlate([1.0, np.nan, 3.0, 5.0], np.full(3, 1 / 3), nan_policy="omit")
    array([2., 4.])
    """
    return _run(
        x, w, nan_policy, mask, out, workers, False, mode, boundary, fill_value, axes, stride,
        dilation, dtype, overflow, rounding, rtol, max_memory, method,
    )  # fmt: skip


def convolve(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    fill_value: complex = 0,
    axes: int | Sequence[int] | None = None,
    stride: int | Fraction | Sequence[int | Fraction] = 1,
    dilation: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Convolve an array with a kernel along one, two or three axes.

    .. math:: y[i] = \sum_u x[i \cdot s + u \cdot d - p] \; w[K - 1 - u]

    This is `correlate` with the kernel flipped along every axis and not conjugated; extents
    and pads mean the same in both.

    Parameters
    ----------
    x : array_like
        Source array; see `correlate`.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary, fill_value, axes, stride, dilation, dtype, overflow, rounding
        As for `correlate`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `correlate`.

    Returns
    -------
    ndarray
        The result, with the axes of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `correlate`.

    See Also
    --------
    correlate : the same without the flip.

    Examples
    --------
    >>> import pyconv
    >>> pyconv.convolve([1, 2, 3], [0, 1, 2], "full")
    array([0, 1, 4, 7, 6])
    """
    return _run(
        x, w, nan_policy, mask, out, workers, True, mode, boundary, fill_value, axes, stride,
        dilation, dtype, overflow, rounding, rtol, max_memory, method,
    )  # fmt: skip


def _run(
    x: Any,
    w: Any,
    nan_policy: object,
    mask: npt.ArrayLike | None,
    out: np.ndarray | None,
    workers: int | None,
    *options: object,
) -> np.ndarray:
    """Return the result of a call with `CallOptions`, of which only the tuple is made yet.

    It is the cache's key, and a named tuple takes a tenth of the time of a small call.
    """
    usual = type(x) is np.ndarray and type(w) is np.ndarray and mask is None
    usual = usual and type(nan_policy) is str and nan_policy == "propagate"
    if not usual:  # what follows would take as long as the rest of a small call
        if is_planned(x, mask):
            return in_pieces(
                "correlate", x, w, nan_policy, mask, out, workers, CallOptions._make(options)
            )
        if leaves_out(x, nan_policy, mask):
            return omit(x, w, options, nan_policy, mask, out, workers)
        x, w = plain_array(x, "x"), plain_array(w, "w")
    prepared = prepare(x, w, options)
    problem = prepared.problem
    if out is not None:
        check_out(out, problem.y_shape, problem.dtype, "; pass dtype= for another result")
    if not usual and not (isinstance(nan_policy, str) and nan_policy == "propagate"):
        check_nan(nan_policy, "x", x)
        check_nan(nan_policy, "w", w)
    plan = prepared.settled or prepared.solver(x, w)
    if out is None:
        return plan.solve(x, w, None, workers)
    y = plan.solve(x, w, out if writable_in_place(out, x, w) else None, workers)
    if y is not out:
        out[...] = y
    return out
