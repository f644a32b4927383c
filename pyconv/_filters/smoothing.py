"""Filters that smooth: means of windows, and blurs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, filtered
from pyconv._engine.docstrings import documented
from pyconv._filters.arguments import SHARED
from pyconv.kernels import ALL_NDIMS, Number

_kept_rows = lru_cache(maxsize=64, typed=True)(kernels.gaussian_rows)


@documented(SHARED)
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
    $x
    sigma : float or sequence of float
        Standard deviation in samples, for all filtered axes or each.
    order : int or sequence of int, optional
        Which derivative, for all axes or each; see `kernels.gaussian`.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    radius : int or sequence of int, optional
        Taps on either side of the centre, instead of `truncate`.
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $examples
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
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_gaussian, x, axes, ALL_NDIMS, options, sigma, order, truncate, radius)


@documented(SHARED)
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
    $x
    size : int or sequence of int
        Samples of the window along all axes or each. An even one has its odd sample before the
        centre.
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $examples
    >>> filters.box([0.0, 3.0, 0.0, 6.0], size=3)
    array([1., 1., 3., 4.])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_box, x, axes, ALL_NDIMS, options, size)


@documented(SHARED)
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
    $x
    radius : float
        Radius in samples.
    $image_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> spot = np.zeros((3, 3))
    >>> spot[1, 1] = 5
    >>> filters.disk(spot, radius=1)
    array([[0., 1., 0.],
           [1., 1., 1.],
           [0., 1., 0.]])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_disk, x, axes, (2,), options, radius)


@documented(SHARED)
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
    $x
    radius : float
        Radius in samples.
    $volume_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> spot = np.zeros((3, 3, 3))
    >>> spot[1, 1, 1] = 7
    >>> filters.ball(spot, radius=1)[1]
    array([[0., 1., 0.],
           [1., 1., 1.],
           [0., 1., 0.]])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_ball, x, axes, (3,), options, radius)


@documented(SHARED)
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
    $x
    length : float
        How far a point moves, in samples.
    orientation : float, optional
        Angle of the line in radians, from the second of `axes` (0) towards the first (π/2).
    $image_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> filters.motion(np.eye(3), length=3)[1]
    array([0.33333333, 0.33333333, 0.33333333])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_motion, x, axes, (2,), options, length, orientation)


def _gaussian(
    call: Call,
    sigma: Number,
    order: int | Sequence[int],
    truncate: float,
    radius: int | Sequence[int] | None,
) -> Array:
    given = (sigma, order, call.n, truncate, radius)
    # Of plain numbers alone, for 1 == 1.0 == True.
    plain = type(sigma) in (int, float) and type(order) is int and type(truncate) in (int, float)
    rows = (_kept_rows if plain and radius is None else kernels.gaussian_rows)(*given)
    return call.products([rows], mean=order == 0 if plain else not np.any(order))


def _box(call: Call, size: int | Sequence[int]) -> Array:
    return call.means(kernels.box_rows(size, call.n))


def _disk(call: Call, radius: float) -> Array:
    return call.once(kernels.disk(radius), mean=True)


def _ball(call: Call, radius: float) -> Array:
    return call.once(kernels.ball(radius), mean=True)


def _motion(call: Call, length: float, orientation: float) -> Array:
    return call.once(kernels.motion(length, orientation), mean=True)
