"""First derivatives, and the length of the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, filtered
from pyconv._engine.docstrings import documented
from pyconv._filters.arguments import SHARED
from pyconv.kernels import ALL_NDIMS, KERNELS, Number

OPERATORS = ("gaussian", *(name for name, row in KERNELS.items() if row.direction))


@documented(SHARED)
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
    $x
    $axis
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive where samples grow along `axis`, 8 times the slope of an image.

    $raises

    $see_also

    $array_examples
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.sobel(image)[1]
    array([40, 40,  0])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_difference, x, axes, ALL_NDIMS, options, "sobel", axis)


@documented(SHARED)
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
    $x
    $axis
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive where samples grow along `axis`, 6 times the slope of an image.

    $raises

    $see_also

    $array_examples
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.prewitt(image)[1]
    array([30, 30,  0])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_difference, x, axes, ALL_NDIMS, options, "prewitt", axis)


@documented(SHARED)
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
    $x
    $axis
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive where samples grow along `axis`, 32 times the slope of an image.

    $raises

    $see_also

    $array_examples
    >>> image = np.array([[0, 10, 10]] * 3, np.uint8)
    >>> filters.scharr(image)[1]
    array([160, 160,   0])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_difference, x, axes, ALL_NDIMS, options, "scharr", axis)


@documented(SHARED)
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
    $x
    diagonal : int, optional
        0: samples are compared towards higher indices of both axes; 1: towards higher ones of the
        first axis and lower ones of the second.
    $image_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        Its samples lie half a sample before those of `x`.

    $raises

    $see_also

    $array_examples
    >>> filters.roberts(np.array([[0, 0], [0, 7]], np.uint8))
    array([[0, 0],
           [0, 7]])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_roberts, x, axes, (2,), options, diagonal)


def _difference(call: Call, operator: str, axis: int) -> Array:
    return call.products([kernels.difference_rows(operator, call.position(axis), call.n)])


def _roberts(call: Call, diagonal: int) -> Array:
    return call.once(kernels.roberts(diagonal))


@documented(SHARED)
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
    $real_x
    operator : {'gaussian', 'prewitt', 'roberts', 'scharr', 'sobel'}, optional
        Which derivatives; their factors are those of `pyconv.kernels`. ``roberts`` takes two axes.
    sigma : float or sequence of float, optional
        Standard deviation in samples of ``gaussian``, for all axes or each.
    $axes $boundary $fill_value $stride $real_dtype
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $real_raises

    $array_examples
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
    options = (
        boundary, fill_value, stride, dtype, "raise", nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    ndims = ALL_NDIMS if sigma is not None else KERNELS[operator].ndims
    return filtered(_gradient_magnitude, x, axes, ndims, options, operator, sigma)


def _gradient_magnitude(call: Call, operator: str, sigma: Number | None) -> Array:
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
