"""Second derivatives: Laplacians, edges and blobs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, filtered
from pyconv._engine.docstrings import documented
from pyconv._filters.arguments import SHARED
from pyconv.kernels import ALL_NDIMS, Number


@documented(SHARED)
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
    $x
    $diagonals
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive where samples curve upwards.

    $raises

    $see_also

    $examples
    >>> filters.laplace([0, 1, 4, 9, 16])
    array([ 1,  2,  2,  2, -7])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_laplace, x, axes, ALL_NDIMS, options, diagonals, 1)


@documented(SHARED)
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
    $x
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive where a sample is brighter than its neighbours.

    $raises

    $see_also

    $examples
    >>> filters.edge([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    array([[-1, -1, -1],
           [-1,  8, -1],
           [-1, -1, -1]])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_laplace, x, axes, ALL_NDIMS, options, True, -1)


@documented(SHARED)
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
    $x
    sigma : float or sequence of float
        Standard deviation in samples, for all axes or each.
    truncate : float, optional
        Where the kernel ends, in standard deviations.
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive in dark blobs and 0 in flat areas.

    $raises

    $see_also

    $examples
    >>> filters.log([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
    array([  4.,  16.,   0., -40.,   0.,  16.,   4.])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_log, x, axes, ALL_NDIMS, options, sigma, truncate)


@documented(SHARED)
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
    $x
    sigma : float or sequence of float
        Standard deviation of the narrow Gaussian in samples, for all axes or each.
    wider : float or sequence of float, optional
        Standard deviation of the wide one; by default 1.6 times as much.
    truncate : float, optional
        Where the kernel ends, in standard deviations of the wide Gaussian.
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns
        It is positive in bright blobs.

    $raises

    $see_also

    $examples
    >>> filters.dog([0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 0.0], sigma=1).round()
    array([-5., -6.,  4., 15.,  4., -6., -5.])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_dog, x, axes, ALL_NDIMS, options, sigma, wider, truncate)


def _laplace(call: Call, diagonals: bool, sign: int) -> Array:
    return call.products(kernels.laplace_terms(call.n, diagonals=diagonals, sign=sign))


def _log(call: Call, sigma: Number, truncate: float) -> Array:
    return call.products(kernels.log_terms(sigma, call.n, truncate))


def _dog(call: Call, sigma: Number, wider: Number | None, truncate: float) -> Array:
    return call.products(kernels.dog_terms(sigma, wider, call.n, truncate))
