"""Filters that people know by name, as calls on arrays: the kernels of `kernels`, applied.

    y[i] = Σ_u x[i + u] · w[u]

along the axes that are filtered; all others (channels, time, batches) are left alone. The result
has the shape of the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, Options
from pyconv._engine.problem import flag, integer, several
from pyconv.kernels import ALL_NDIMS, KERNELS, Number

__all__ = [
    "ball",
    "box",
    "disk",
    "dog",
    "edge",
    "emboss",
    "gabor",
    "gabor_bank",
    "gaussian",
    "gradient_magnitude",
    "laplace",
    "log",
    "motion",
    "prewitt",
    "roberts",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]

#: More directions are told apart by no picture.
MAX_ORIENTATIONS = 2**12

_kept_rows = lru_cache(maxsize=64, typed=True)(kernels.gaussian_rows)

OPERATORS = ("gaussian", *(name for name, row in KERNELS.items() if row.direction))


# ---- smoothing ------------------------------------------------------------------------------


def gaussian(
    x: npt.ArrayLike,
    sigma: Number,
    order: int | Sequence[int] = 0,
    *,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    r"""Smooth with a Gaussian, or take a derivative of what is smoothed.

    Parameters
    ----------
    x : array_like
        Source array of any shape; bool, integer, floating-point or complex.
    sigma : float or sequence of float
        Standard deviation in samples, for all filtered axes or each.
    order : int or sequence of int, optional
        Which derivative, for all axes or each; see `kernels.gaussian`.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    radius : int or sequence of int, optional
        Taps on either side of the centre, instead of `truncate`.
    axes : int or sequence of int, optional
        Axes of `x` to filter along. By default all of a signal or an image of one or two
        dimensions; arrays of more say which, because a third may hold colours.
    boundary : str or sequence of str, optional
        What is read outside `x`, for all axes or each, as for `pyconv.correlate`; by default
        the samples mirrored at the edge.
    fill_value : scalar, optional
        The value that ``boundary='constant'`` reads outside.
    stride : int or sequence of int, optional
        Keep every `stride`-th sample of the result along all filtered axes or each, as slicing
        it does.
    dtype : dtype, optional
        Dtype of the result. Floating-point and complex data keep theirs. Weights that are no
        whole numbers make float32 of bool and of 8- and 16-bit integers, float64 of wider ones;
        whole weights (`sobel`, `laplace`, `sharpen`, …) keep integers exact, as int64. An
        integer dtype is rounded half to even from such a result.
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens where an integer `dtype` cannot hold the result, as for `pyconv.correlate`.
    nan_policy : {'propagate', 'raise', 'omit'}, optional
        ``propagate`` follows IEEE: a NaN reaches the results whose window holds it. ``raise``
        refuses data with NaN. ``omit`` leaves NaN out, as `mask` does; with a `fill_value` that
        is NaN, what is outside is left out too.
    mask : array_like of bool, optional
        True for samples to leave out, whatever they hold; it is broadcast to the shape of `x`. A
        masked array brings its own. Results are divided by the part of the weights that was seen,
        as those of `pyconv.correlate` with the same kernel: a mean of what is there, and NaN
        where too little is. Kernels whose weights cancel are refused, whatever the data: those of
        derivatives and waves, of `laplace`, `edge`, `log`, `dog`, `sharpen` and `emboss`. See
        :doc:`/missing`.
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x`.
    method : str, optional
        Algorithm, as for `pyconv.correlate`; one that is named makes one kernel of all axes.
    rtol : float, optional
        Error that is granted, as for `pyconv.correlate`; it makes one kernel of all axes.
    max_memory : int, optional
        Bytes of workspace that the call may take at most, as for `pyconv.correlate`. By default
        what goes along one axis after the other may take some arrays of the size of `x`; where
        that is more than is granted, it is one kernel of all axes.
    workers : int, optional
        Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
        number.

    Returns
    -------
    ndarray
        The result, in the shape of `x`, of which `stride` leaves a part; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `pyconv.correlate`; the message names the argument, its value and what is allowed.

    See Also
    --------
    pyconv.kernels.gaussian : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.gaussian([0.0, 0.0, 1.0, 0.0, 0.0], sigma=1).round(2)
    array([0.06, 0.24, 0.4 , 0.24, 0.06])

    The slope of a picture along its columns, colours left alone:

    >>> import numpy as np
    >>> picture = np.zeros((6, 8, 3), np.uint8)
    >>> picture[3:] = 100
    >>> slope = filters.gaussian(picture, 1, order=(1, 0), axes=(0, 1))
    >>> slope.dtype, slope[:, 0, 0].round().astype(int).tolist()
    (dtype('float32'), [1, 12, 36, 36, 12, 1])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    given = (sigma, order, call.n, truncate, radius)
    # Of plain numbers alone, for 1 == 1.0 == True.
    plain = type(sigma) in (int, float) and type(order) is int and type(truncate) in (int, float)
    rows = (_kept_rows if plain and radius is None else kernels.gaussian_rows)(*given)
    return call.products([rows], mean=order == 0 if plain else not np.any(order))


def box(
    x: npt.ArrayLike,
    size: int | Sequence[int],
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take the mean of a window.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    size : int or sequence of int
        Samples of the window along all axes or each. An even one has its odd sample before the
        centre.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.box : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.box([0.0, 3.0, 0.0, 6.0], size=3)
    array([1., 1., 3., 4.])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.means(kernels.box_rows(size, call.n))


def disk(
    x: npt.ArrayLike,
    radius: float,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take the mean of a disk along two axes, as a lens out of focus does.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    radius : float
        Radius in samples.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.disk : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 5
    >>> filters.disk(spot, radius=1)
    array([[0., 1., 0.],
           [1., 1., 1.],
           [0., 1., 0.]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (2,), options)
    return call.once(kernels.disk(radius), mean=True)


def ball(
    x: npt.ArrayLike,
    radius: float,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take the mean of a ball along three axes.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    radius : float
        Radius in samples.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.ball : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> spot = np.zeros((3, 3, 3))
    >>> spot[1, 1, 1] = 7
    >>> filters.ball(spot, radius=1)[1]
    array([[0., 1., 0.],
           [1., 1., 1.],
           [0., 1., 0.]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (3,), options)
    return call.once(kernels.ball(radius), mean=True)


def motion(
    x: npt.ArrayLike,
    length: float,
    orientation: float = 0.0,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Blur along two axes by a straight and steady motion.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    length : float
        How far a point moves, in samples.
    orientation : float, optional
        Angle of the line in radians, from the second of `axes` (0) towards the first (π/2).
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.motion : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> filters.motion(np.eye(3), length=3)[1]
    array([0.33333333, 0.33333333, 0.33333333])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (2,), options)
    return call.once(kernels.motion(length, orientation), mean=True)


# ---- first derivatives -----------------------------------------------------------------------


def sobel(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take Sobel's derivative along one axis.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axis : int, optional
        Axis of `x` along which samples are compared, one of `axes`; along the others they are
        smoothed.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive where samples grow
        along `axis`, 8 times the slope of an image.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.sobel : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.sobel(image)[1]
    array([40, 40,  0])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("sobel", call.position(axis), call.n)])


def prewitt(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take Prewitt's derivative along one axis.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axis : int, optional
        Axis of `x` along which samples are compared, one of `axes`; along the others they are
        smoothed.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive where samples grow
        along `axis`, 6 times the slope of an image.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.prewitt : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.prewitt(image)[1]
    array([30, 30,  0])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("prewitt", call.position(axis), call.n)])


def scharr(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take Scharr's derivative along one axis.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axis : int, optional
        Axis of `x` along which samples are compared, one of `axes`; along the others they are
        smoothed.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive where samples grow
        along `axis`, 32 times the slope of an image.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.scharr : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.scharr(image)[1]
    array([160, 160,   0])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("scharr", call.position(axis), call.n)])


def roberts(
    x: npt.ArrayLike,
    diagonal: int = 0,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take Roberts's difference along a diagonal of two axes.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    diagonal : int, optional
        0: samples are compared towards higher indices of both axes; 1: towards higher ones of the
        first axis and lower ones of the second.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. Its samples lie half a sample
        before those of `x`.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.roberts : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> filters.roberts(np.array([[0, 0], [0, 7]], np.uint8))
    array([[0, 0],
           [0, 7]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (2,), options)
    return call.once(kernels.roberts(diagonal))


def gradient_magnitude(
    x: npt.ArrayLike,
    operator: str = "sobel",
    *,
    sigma: Number | None = None,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: float = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    r"""Return the length of the gradient.

    .. math:: y[i] = \sqrt{\textstyle \sum_a y_a[i]^2}

    with a derivative :math:`y_a` for each filtered axis; for ``roberts``, for each diagonal.

    Parameters
    ----------
    x : array_like
        Source array of real numbers; see `gaussian`.
    operator : {'gaussian', 'prewitt', 'roberts', 'scharr', 'sobel'}, optional
        Which derivatives; their factors are those of `pyconv.kernels`.
    sigma : float or sequence of float, optional
        Standard deviation in samples of ``gaussian``, for all axes or each.
    axes, boundary, fill_value, stride
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.
    dtype : dtype, optional
        A floating-point dtype. By default that of `x`, for bool and 8- and 16-bit integers
        float32, for wider ones float64.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `gaussian`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> corner = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]], np.uint8)
    >>> filters.gradient_magnitude(corner).round(1)
    array([[1.4, 3.2, 4. ],
           [3.2, 4.2, 4. ],
           [4. , 4. , 0. ]], dtype=float32)
    """
    word: object = operator
    if not isinstance(word, str) or word not in OPERATORS:
        raise ValueError(f"operator={operator!r} is unknown; allowed are {', '.join(OPERATORS)}")
    if (operator == "gaussian") != (sigma is not None):
        raise ValueError(f"sigma={sigma!r}: operator='gaussian' needs it, and no other has it")
    options = Options(
        boundary, fill_value, stride, dtype, "raise", nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS if sigma is not None else KERNELS[operator].ndims, options)
    result = call.real_dtype()
    if sigma is None:
        parts = (
            [partial(Call.once, w=kernels.roberts(diagonal)) for diagonal in range(2)]
            if operator == "roberts"
            else [
                partial(Call.products, terms=[kernels.difference_rows(operator, axis, call.n)])
                for axis in range(call.n)
            ]
        )
    else:
        orders = np.eye(call.n, dtype=int).tolist()
        factors = [kernels.gaussian_rows(sigma, order, call.n) for order in orders]
        parts = [partial(Call.products, terms=[rows]) for rows in factors]
    y = call.destination(call.shape, result)
    return call.returned(call.root_of_squares(parts, y))


# ---- second derivatives ----------------------------------------------------------------------


def laplace(
    x: npt.ArrayLike,
    *,
    diagonals: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Sum the second differences along all axes.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    diagonals : bool, optional
        Whether diagonal neighbours count too, as for `kernels.laplace`.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive where samples curve
        upwards.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.laplace : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.laplace([0, 1, 4, 9, 16])
    array([ 1,  2,  2,  2, -7])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.laplace_terms(call.n, diagonals=diagonals))


def edge(
    x: npt.ArrayLike,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Compare every sample with all its neighbours (−1 around 8 on images).

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive where a sample is
        brighter than its neighbours.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.edge : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.edge([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    array([[-1, -1, -1],
           [-1,  8, -1],
           [-1, -1, -1]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.laplace_terms(call.n, diagonals=True, sign=-1))


def log(
    x: npt.ArrayLike,
    sigma: Number,
    *,
    truncate: float = 4.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take the Laplacian of what a Gaussian has smoothed.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples, for all axes or each.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive in dark blobs and
        0 in flat areas.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.log : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.log([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
    array([  4.,  16.,   0., -40.,   0.,  16.,   4.])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.log_terms(sigma, call.n, truncate))


def dog(
    x: npt.ArrayLike,
    sigma: Number,
    wider: Number | None = None,
    *,
    truncate: float = 4.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Subtract what a wide Gaussian has smoothed from what a narrow one has.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    sigma : float or sequence of float
        Standard deviation of the narrow Gaussian in samples, for all axes or each.
    wider : float or sequence of float, optional
        Standard deviation of the wide one; by default 1.6 times as much.
    truncate : float, optional
        Where the kernel ends, in standard deviations of the wide Gaussian.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given. It is positive in bright blobs.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.dog : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.dog([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
    array([-5., -6.,  4., 15.,  4., -6., -5.])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.dog_terms(sigma, wider, call.n, truncate))


# ---- sharpening ------------------------------------------------------------------------------


def sharpen(
    x: npt.ArrayLike,
    *,
    diagonals: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Take the Laplacian off the samples.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    diagonals : bool, optional
        Whether diagonal neighbours count too, as for `kernels.laplace`.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.sharpen : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> step = np.array([100, 100, 200, 200], np.uint8)
    >>> filters.sharpen(step)
    array([100,   0, 300, 200])
    >>> filters.sharpen(step, dtype=np.uint8, overflow="saturate")
    array([100,   0, 255, 200], dtype=uint8)
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.sharpen_terms(call.n, diagonals=diagonals))


def unsharp(
    x: npt.ArrayLike,
    sigma: Number,
    amount: float = 1.0,
    *,
    truncate: float = 4.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Sharpen by unsharp masking: add what a Gaussian takes away.

    Where samples are left out, the Gaussian is that of `gaussian`, and a sample that is missing is
    what the Gaussian makes of the others.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    sigma : float or sequence of float
        Standard deviation of the Gaussian in samples, for all axes or each.
    amount : float, optional
        How much is added.
    truncate : float, optional
        Where the Gaussian ends, in standard deviations.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.unsharp : the weights.

    Examples
    --------
    >>> from pyconv import filters
    >>> filters.unsharp([1.0, 1.0, 2.0, 2.0], sigma=1, amount=1.0).round(2)
    array([0.94, 0.7 , 2.3 , 2.06])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, ALL_NDIMS, options)
    terms = kernels.unsharp_terms(sigma, amount, call.n, truncate)
    if call.leaves_out:
        rows = kernels.gaussian_rows(sigma, 0, call.n, truncate)
        return call.unsharp(rows, float(amount), terms)
    return call.products(terms)


def emboss(
    x: npt.ArrayLike,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Show an image as a relief, lit from where both indices are low.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.emboss : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> filters.emboss(np.array([[0, 0, 0], [0, 9, 9], [0, 9, 9]], np.uint8))
    array([[18, 27, 27],
           [27, 45, 36],
           [27, 36,  9]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (2,), options)
    return call.once(kernels.emboss())


# ---- waves -----------------------------------------------------------------------------------


def gabor(
    x: npt.ArrayLike,
    wavelength: float,
    orientation: float = 0.0,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
    *,
    zero_mean: bool = True,
    truncate: float = 3.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    """Answer to stripes of one wavelength and direction.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    wavelength : float
        Distance of the crests in samples, 2 or more.
    orientation : float, optional
        Direction in which the wave goes, in radians from the last of `axes` towards the first.
    sigma, aspect, phase, zero_mean, truncate
        The Gaussian and the wave, as for `kernels.gabor`.
    axes, boundary, fill_value, stride, dtype, overflow
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As for `gaussian`.

    See Also
    --------
    pyconv.kernels.gabor : the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> stripes = np.cos(2 * np.pi * np.arange(24) / 6)
    >>> filters.gabor(stripes, wavelength=6)[6:12].round(2)
    array([ 0.5 ,  0.24, -0.25, -0.5 , -0.25,  0.25])
    """
    options = Options(
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (1, 2), options)
    w = kernels.gabor(
        wavelength, orientation, sigma, aspect, phase,
        zero_mean=zero_mean, ndim=call.n, truncate=truncate,
    )  # fmt: skip
    return call.once(w)


def gabor_bank(
    x: npt.ArrayLike,
    wavelengths: Number,
    orientations: int | Sequence[float] = 8,
    aspect: float = 1.0,
    phase: float = 0.0,
    *,
    energy: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: float = 0,
    stride: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: Array | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Array:
    r"""Answer to stripes of several wavelengths and directions along two axes.

    Parameters
    ----------
    x : array_like
        Source array of real numbers; see `gaussian`.
    wavelengths : float or sequence of float
        Distances of the crests in samples. The Gaussians pass one octave, so that doubled
        wavelengths cover a range.
    orientations : int or sequence of float, optional
        Directions of the waves in radians, as for `gabor`, or how many divide the half circle.
    aspect, phase : float, optional
        As for `gabor`.
    energy : bool, optional
        Return the root of the sum of the squares for the phases ψ and ψ − π/2. It says how much
        of a wave there is, wherever its crests are.
    axes, boundary, fill_value, stride
        As for `gaussian`.
    nan_policy, mask, out, method, rtol, max_memory, workers
        As for `gaussian`.
    dtype : dtype, optional
        A floating-point dtype, as for `gradient_magnitude`.

    Returns
    -------
    ndarray
        Shape (wavelengths, orientations, and the shape of `x`); `out` if that was given.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `gaussian`.

    See Also
    --------
    gabor : one of the answers.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import filters
    >>> columns = np.tile([1.0, 1.0, 0.0, 0.0], (16, 8))
    >>> bank = filters.gabor_bank(columns, [4, 8], orientations=2, energy=True)
    >>> bank.shape
    (2, 2, 16, 32)
    >>> bank.mean(axis=(2, 3)).round(1)
    array([[0.3, 0. ],
           [0. , 0. ]])
    """
    options = Options(
        boundary, fill_value, stride, dtype, "raise", nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    call = Call(x, axes, (2,), options)
    result = call.real_dtype()
    waves = [kernels.wave_length(w, "wavelengths") for w in _sequence(wavelengths, "wavelengths")]
    angles = [kernels.number_of(a, "orientations") for a in _half_circle(orientations)]
    kernels.number_of(phase, "phase")
    energy = flag(energy, "energy")
    phases = (phase, phase - np.pi / 2) if energy else (phase,)
    bank = [
        [partial(Call.once, w=kernels.gabor(wave, angle, None, aspect, p)) for p in phases]
        for wave in waves
        for angle in angles
    ]
    shape = (len(waves), len(angles), *call.shape)
    y = call.destination(shape, result)
    for parts, answer in zip(bank, y.reshape(len(bank), *call.shape), strict=True):
        if energy:
            call.root_of_squares(parts, answer)
        else:
            parts[0](call.into(answer))
    return call.returned(y)


def _sequence(value: Any, argument: str) -> tuple[Any, ...]:
    given = several(value)
    if given is None:
        return (value,)
    if not given:
        raise ValueError(f"{argument}={value!r}: at least one is needed")
    return given


def _half_circle(orientations: Any) -> tuple[Any, ...]:
    """Return the directions that are given, or as many as are asked for."""
    if several(orientations) is not None:
        return _sequence(orientations, "orientations")
    count = integer(orientations, "orientations")
    if not 1 <= count <= MAX_ORIENTATIONS:
        raise ValueError(f"orientations={orientations!r}: from 1 to {MAX_ORIENTATIONS} are allowed")
    return tuple((np.pi * np.arange(count) / count).tolist())
