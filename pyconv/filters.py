"""Filters that people know by name, as calls on arrays: the kernels of `kernels`, applied.

    y[i] = Σ_u x[i + u] · w[u]

along the axes that are filtered; all others (channels, time, batches) are left alone. The result
has the shape of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial, reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.correlation import correlate
from pyconv._engine.dtypes import (
    LIMITS,
    check_overflow,
    is_integer,
    result_interval,
    supported,
)
from pyconv._engine.output_arrays import check_out, empty, plain_array, writable_in_place
from pyconv._engine.planning import plan_for
from pyconv._engine.problem import boundary_names, integer, several, spatial_axes
from pyconv._engine.rounding_planning import rounded_run
from pyconv._engine.separable_passes import Filter, Wanted, filtered, narrowed
from pyconv._engine.separable_passes import means as box_means
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

Array = npt.NDArray[Any]
Axes = int | Sequence[int] | None
Boundary = str | Sequence[str]

#: Samples of a block that stays in the cache while it is rounded, or its squares are summed.
BLOCK = 2**15

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
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    dtype : dtype, optional
        Dtype of the result. Floating-point and complex data keep theirs. Weights that are no
        whole numbers make float32 of bool and of 8- and 16-bit integers, float64 of wider ones;
        whole weights (`sobel`, `laplace`, `sharpen`, …) keep integers exact, as int64. An
        integer dtype is rounded half to even from such a result.
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens where an integer `dtype` cannot hold the result, as for `pyconv.correlate`.
    out : ndarray, optional
        Array that receives the result: its shape and dtype must be those of the result. It
        may overlap `x`.
    rtol : float, optional
        Error that is granted, as for `pyconv.correlate`; it makes one kernel of all axes.
    workers : int, optional
        Threads to use at most, as for `pyconv.correlate`. Results are the same bits for any
        number.

    Returns
    -------
    ndarray
        The result, in the shape of `x`; `out` if that was given.

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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
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
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.means(kernels.box_rows(size, call.n))


def disk(
    x: npt.ArrayLike,
    radius: float,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Take the mean of a disk along two axes, as a lens out of focus does.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    radius : float
        Radius in samples.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (2,), options)
    return call.once(kernels.disk(radius), mean=True)


def ball(
    x: npt.ArrayLike,
    radius: float,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Take the mean of a ball along three axes.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    radius : float
        Radius in samples.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (3,), options)
    return call.once(kernels.ball(radius), mean=True)


def motion(
    x: npt.ArrayLike,
    length: float,
    orientation: float = 0.0,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (2,), options)
    return call.once(kernels.motion(length, orientation), mean=True)


# ---- first derivatives -----------------------------------------------------------------------


def sobel(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("sobel", call.position(axis), call.n)])


def prewitt(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("prewitt", call.position(axis), call.n)])


def scharr(
    x: npt.ArrayLike,
    axis: int = -1,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products([kernels.difference_rows("scharr", call.position(axis), call.n)])


def roberts(
    x: npt.ArrayLike,
    diagonal: int = 0,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (2,), options)
    return call.once(kernels.roberts(diagonal))


def gradient_magnitude(
    x: npt.ArrayLike,
    operator: str = "sobel",
    *,
    sigma: Number | None = None,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: float = 0,
    dtype: npt.DTypeLike | None = None,
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, "raise", out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS if sigma is not None else KERNELS[operator].ndims, options)
    result = call.real_dtype()
    if sigma is None:
        parts = (
            [partial(_Call.once, w=kernels.roberts(diagonal)) for diagonal in range(2)]
            if operator == "roberts"
            else [
                partial(_Call.products, terms=[kernels.difference_rows(operator, axis, call.n)])
                for axis in range(call.n)
            ]
        )
    else:
        orders = np.eye(call.n, dtype=int).tolist()
        factors = [kernels.gaussian_rows(sigma, order, call.n) for order in orders]
        parts = [partial(_Call.products, terms=[rows]) for rows in factors]
    y = call.destination(call.x.shape, result)
    return call.returned(call.root_of_squares(parts, y))


# ---- second derivatives ----------------------------------------------------------------------


def laplace(
    x: npt.ArrayLike,
    *,
    diagonals: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Sum the second differences along all axes.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    diagonals : bool, optional
        Whether diagonal neighbours count too, as for `kernels.laplace`.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.laplace_terms(call.n, diagonals=diagonals))


def edge(
    x: npt.ArrayLike,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Compare every sample with all its neighbours (−1 around 8 on images).

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.laplace_terms(call.n, diagonals=True, sign=-1))


def log(
    x: npt.ArrayLike,
    sigma: Number,
    *,
    truncate: float = 4.0,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
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
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.dog_terms(sigma, wider, call.n, truncate))


# ---- sharpening ------------------------------------------------------------------------------


def sharpen(
    x: npt.ArrayLike,
    *,
    diagonals: bool = False,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Take the Laplacian off the samples.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    diagonals : bool, optional
        Whether diagonal neighbours count too, as for `kernels.laplace`.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
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
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Sharpen by unsharp masking: add what a Gaussian takes away.

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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, ALL_NDIMS, options)
    return call.products(kernels.unsharp_terms(sigma, amount, call.n, truncate))


def emboss(
    x: npt.ArrayLike,
    *,
    axes: Axes = None,
    boundary: Boundary = "symmetric",
    fill_value: complex = 0,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
    workers: int | None = None,
) -> Array:
    """Show an image as a relief, lit from where both indices are low.

    Parameters
    ----------
    x : array_like
        Source array; see `gaussian`.
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (2,), options)
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
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, dtype, overflow, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, overflow, out, rtol, workers)
    call = _Call(x, axes, (1, 2), options)
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
    dtype: npt.DTypeLike | None = None,
    out: Array | None = None,
    rtol: float | None = None,
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
    axes, boundary, fill_value, out, rtol, workers
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
    options = Options(boundary, fill_value, dtype, "raise", out, rtol, workers)
    call = _Call(x, axes, (2,), options)
    result = call.real_dtype()
    waves = [kernels.wave_length(w, "wavelengths") for w in _sequence(wavelengths, "wavelengths")]
    angles = [kernels.number_of(a, "orientations") for a in _half_circle(orientations)]
    kernels.number_of(phase, "phase")
    phases = (phase, phase - np.pi / 2) if energy else (phase,)
    bank = [
        [partial(_Call.once, w=kernels.gabor(wave, angle, None, aspect, p)) for p in phases]
        for wave in waves
        for angle in angles
    ]
    shape = (len(waves), len(angles), *call.x.shape)
    y = call.destination(shape, result)
    for parts, answer in zip(bank, y.reshape(len(bank), *call.x.shape), strict=True):
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


# ---- the way of a call ------------------------------------------------------------------------


class Options(NamedTuple):
    """What every filter takes besides its array and its kernel."""

    boundary: Boundary
    fill_value: complex
    dtype: npt.DTypeLike | None
    overflow: str
    out: Array | None
    rtol: float | None
    workers: int | None


class _Call:
    """A source and the axes along which it is filtered."""

    def __init__(
        self, x: npt.ArrayLike, axes: Axes, ndims: tuple[int, ...], options: Options
    ) -> None:
        self.x = plain_array(x, "x")
        supported(self.x.dtype, "x")
        self.axes = _filtered_axes(axes, ndims, self.x.shape)
        if options.dtype is not None:
            options = options._replace(dtype=supported(options.dtype, "dtype"))
        self.options = options

    @property
    def n(self) -> int:
        """Return how many axes are filtered."""
        return len(self.axes)

    def position(self, axis: object) -> int:
        """Return the kernel axis that acts on an axis of ``x``."""
        number = integer(axis, "axis")
        counted = number + self.x.ndim if number < 0 else number
        if counted not in self.axes:
            raise ValueError(f"axis={axis!r}: one of axes={self.axes} is allowed")
        return self.axes.index(counted)

    def into(self, y: Array) -> _Call:
        """Return the call whose result is written to ``y``."""
        other = copy(self)
        other.options = self.options._replace(dtype=y.dtype, out=y)
        return other

    # ---- one kernel

    def products(self, terms: Sequence[Sequence[Array]], mean: bool = False) -> Array:
        """Return the result of a sum of product kernels, given by their factors along the axes.

        Real sums go along one axis after the other (`passes`). Exact ones, and an error that is
        granted, which is one of one call, are those of one kernel.
        """
        whole = all(is_integer(row.dtype) for rows in terms for row in rows)
        if self.options.rtol is not None or (whole and is_integer(self.x.dtype)):
            for rows in terms:
                kernels.check_all(rows, f"rtol={self.options.rtol!r}")
            if self.options.rtol is not None:
                terms = self._narrowed(terms)
            return self.once(kernels.summed(terms), mean)
        return self._result(partial(self._passes, terms), partial(kernels.summed, terms), mean)

    def _narrowed(self, terms: Sequence[Sequence[Array]]) -> Sequence[Sequence[Array]]:
        """Return factors that read each sample once, where all of an axis can be made such."""
        boundaries = boundary_names(self.options.boundary, self.n, self.options.fill_value)
        along = []
        for i, every in enumerate(zip(*terms, strict=True)):
            size, boundary, low = self.x.shape[self.axes[i]], boundaries[i], len(every[0]) // 2
            fewer = [narrowed(row, low, size, boundary) if size else (row, low) for row in every]
            if size == 1 and boundary != "constant" and all(row.min() >= 0 for row in every):
                along.append([row.sum(keepdims=True) for row in every])
            elif all(low == len(row) // 2 and len(row) == len(fewer[0][0]) for row, low in fewer):
                along.append([row for row, _ in fewer])
            else:
                along.append([*every])
        return list(zip(*along, strict=True))

    def means(self, rows: Sequence[Array]) -> Array:
        """Return the means of boxes that are given by their weights along the axes."""
        size = tuple(map(len, rows))
        run = partial(self._boxes, size)
        if self.options.rtol is not None:
            kernels.check_all(rows, f"rtol={self.options.rtol!r}")
            w = self._weights(kernels.outer(rows))
            run = partial(_correlated, self.x, w, self.axes)
        return self._result(
            partial(self._means, size, run), partial(kernels.outer, rows), mean=True
        )

    def _passes(
        self, terms: Sequence[Sequence[Array]], options: Options, rounded: Array | None = None
    ) -> Array:
        what = self._filter(terms, [len(row) // 2 for row in terms[0]], options)
        return self._filtered(partial(filtered, self.x, what), options, rounded)

    def _boxes(
        self, size: tuple[int, ...], options: Options, rounded: Array | None = None
    ) -> Array:
        what = self._filter([], [n // 2 for n in size], options)
        return self._filtered(partial(box_means, self.x, size, what), options, rounded)

    def _filter(
        self, terms: Sequence[Sequence[Array]], lows: Sequence[int], options: Options
    ) -> Filter:
        boundaries = boundary_names(options.boundary, self.n, options.fill_value)
        return Filter(
            tuple(tuple(row.astype(np.float64, copy=False) for row in rows) for rows in terms),
            self.axes,
            tuple(lows),
            boundaries,
            options.fill_value,
        )

    def _filtered(
        self, run: Callable[..., Array], options: Options, rounded: Array | None
    ) -> Array:
        """Return what ``run`` writes to an array that it may write to."""
        result = None if options.dtype is None else np.dtype(options.dtype)
        wanted = Wanted(self._sums_of_real_weights(), result, options.overflow)
        if rounded is not None:
            return run(wanted._replace(result=None), rounded, options.workers)
        out = options.out
        if out is None:
            return run(wanted, None, options.workers)
        check_out(
            out, self.x.shape, self._result_dtype(options), "; pass dtype= for another result"
        )
        in_place = writable_in_place(out, self.x)
        y = run(wanted, out if in_place else None, options.workers)
        if y is not out:
            out[...] = y
        return out

    def _result_dtype(self, options: Options) -> np.dtype:
        """Return the dtype of real sums."""
        if options.dtype is not None:
            return np.dtype(options.dtype)
        return np.result_type(self.x.dtype, np.float32)

    def _means(
        self,
        size: tuple[int, ...],
        run: Callable[..., Array],
        options: Options,
        rounded: Array | None = None,
    ) -> Array:
        """Return the means of boxes; those of 8 bits are rounded from exact sums."""
        if rounded is not None:
            exact = rounded_run(
                self.x.shape, self.x.dtype, size, None, "same", options.boundary,
                options.fill_value, self.axes, rounded.dtype, options.overflow,
            )  # fmt: skip
            if exact is not None:
                return exact(self.x, rounded, options.workers)
        return run(options, rounded)

    def once(self, w: Array, mean: bool = False) -> Array:
        """Return the result of one kernel; that of a ``mean`` lies among the samples."""
        w = self._weights(w)
        return self._result(partial(_correlated, self.x, w, self.axes), lambda: w, mean)

    def _weights(self, w: Array) -> Array:
        """Return ``w`` in the dtype in which products are summed: integers stay exact."""
        if is_integer(w.dtype) and is_integer(self.x.dtype):
            return w
        return w.astype(self._sums_of_real_weights())

    def _sums_of_real_weights(self) -> np.dtype:
        """Return the dtype of weights that are not whole, or of samples that are not."""
        sums = np.result_type(self.x.dtype, np.float32, self._real_part(self.options.dtype))
        return np.zeros((), sums).real.dtype

    @staticmethod
    def _real_part(dtype: Any) -> np.dtype:
        return np.dtype(np.float32) if dtype is None or is_integer(dtype) else dtype

    def _result(self, run: Callable[..., Array], kernel: Callable[[], Array], mean: bool) -> Array:
        """Return the result of ``run`` in the dtype that is asked for.

        Integer results of fractional weights are rounded from floating-point ones: those that
        are asked of `correlate` have to be plain sums.
        """
        options = self.options
        dtype: Any = options.dtype
        half = np.dtype(np.float16)
        if dtype is None and self.x.dtype.newbyteorder("=") == half:
            return run(options._replace(dtype=half))
        if dtype is None or not is_integer(dtype) or self.x.dtype.kind == "c":
            return run(options)
        if mean and options.overflow == "raise" and self._holds_samples(dtype):
            options = options._replace(overflow="saturate")  # only rounding could lead out
        if options.rtol is not None or (is_integer(self.x.dtype) and is_integer(kernel().dtype)):
            return run(options)
        if options.overflow == "raise":
            check_overflow(result_interval(self.x, kernel(), self._fill()), dtype, "raise")
        policy = "saturate" if options.overflow == "raise" else options.overflow
        y = self.destination(self.x.shape, dtype)
        run(options._replace(dtype=None, overflow=policy, out=None), y)
        return self.returned(y)

    def _fill(self) -> float | None:
        """Return the number that is read outside, if one is."""
        fill: Any = self.options.fill_value
        names = boundary_names(self.options.boundary, self.n, fill)
        return fill if "constant" in names and isinstance(fill, int | float) else None

    def _holds_samples(self, dtype: np.dtype) -> bool:
        """Return whether an integer dtype has a value for everything that is read."""
        low, high = LIMITS[dtype]
        fill = self._fill()
        return np.can_cast(self.x.dtype, dtype) and (fill is None or bool(low <= fill <= high))

    # ---- several kernels

    def real_dtype(self) -> np.dtype:
        """Return the dtype of a result whose parts are real, floating-point numbers."""
        if self.x.dtype.kind == "c":
            raise TypeError(f"x has dtype {self.x.dtype}; real dtypes are allowed")
        dtype: Any = self.options.dtype
        if dtype is None:
            half = self.x.dtype.newbyteorder("=") == np.float16
            return np.dtype(np.float16) if half else np.result_type(self.x.dtype, np.float32)
        if dtype.kind != "f":
            raise TypeError(f"dtype={dtype}: floating-point dtypes are allowed")
        return dtype

    def destination(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Return where a result of several kernels is made: ``out``, if it may be written to."""
        out = self.options.out
        if out is None:
            return empty(shape, dtype)
        check_out(out, shape, dtype, "; pass dtype= for another result")
        return out if writable_in_place(out, self.x) else empty(shape, dtype)

    def returned(self, y: Array) -> Array:
        """Return the result, in ``out`` if that was given."""
        out = self.options.out
        if out is None or y is out:
            return y
        out[...] = y
        return out

    def root_of_squares(self, parts: Sequence[Callable[[_Call], Array]], y: Array) -> Array:
        """Write √(Σ part²) to ``y``; each part is what a call of some kernel returns."""
        sums = np.promote_types(y.dtype, np.float32)
        others = len(parts) - (y.dtype == sums)
        results = [y] * (y.dtype == sums) + [empty(y.shape, sums) for _ in range(others)]
        for part, result in zip(parts, results, strict=True):
            part(self.into(result))
        _root_of_squares(results)
        if results[0] is not y:
            y[...] = results[0]
        return y


def _filtered_axes(axes: Axes, ndims: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that are filtered, where it is clear which."""
    words = " or ".join(map(str, ndims))
    if axes is None:
        n = len(shape)
        if n < min(ndims):
            return spatial_axes(None, min(ndims), shape)  # which says that it cannot be
        if n not in ndims or (n > 2 and len(ndims) > 1):
            raise ValueError(
                f"x has shape {shape}: axes= says along which {words} of its axes it is filtered, "
                "like (0, 1) for rows and columns, or (0, 1, 2) for a volume"
            )
        return tuple(range(n))
    given = several(axes)
    n = 1 if given is None else len(given)
    if n not in ndims:
        raise ValueError(f"axes={axes!r} names {n} axes; this filter acts on {words}")
    return spatial_axes(axes, n, shape)


def _correlated(
    x: Array,
    w: Array,
    axes: int | Sequence[int],
    options: Options,
    rounded: Array | None = None,
) -> Array:
    """Return the result of one kernel, or write it to an array of integers, rounded."""
    boundary, fill_value, dtype, overflow, out, rtol, workers = options
    if rounded is not None:
        plan = plan_for(
            x, w, mode="same", boundary=boundary, fill_value=fill_value, axes=axes,
            overflow=overflow,
        )  # fmt: skip
        return plan.solve(x, w, rounded, workers)
    return correlate(
        x,
        w,
        "same",
        boundary,
        fill_value=fill_value,
        axes=axes,
        dtype=dtype,
        overflow=overflow,
        out=out,
        rtol=rtol,
        workers=workers,
    )


def _root_of_squares(parts: Sequence[Array]) -> None:
    """Write the root of the sum of squares to the first of some contiguous arrays.

    A block at a time stays in the cache. Where a square is too large or too small for the dtype
    the slow ``np.hypot`` is taken.
    """
    flat = [part.reshape(-1) for part in parts]
    total, square = (np.empty(min(BLOCK, flat[0].size), flat[0].dtype) for _ in range(2))
    for start in range(0, flat[0].size, BLOCK):
        first, *rest = (part[start : start + BLOCK] for part in flat)
        t, s = total[: first.size], square[: first.size]
        try:
            with np.errstate(over="raise", under="raise", invalid="ignore"):
                np.multiply(first, first, out=t)
                for part in rest:
                    np.multiply(part, part, out=s)
                    np.add(t, s, out=t)
                np.sqrt(t, out=first)
        except FloatingPointError:
            with np.errstate(all="ignore"):
                first[...] = reduce(np.hypot, rest, np.abs(first))
