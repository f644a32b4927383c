"""Filters that sharpen, and reliefs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.filter_call import Array, Axes, Boundary, Call, filtered
from pyconv._engine.docstrings import documented
from pyconv._filters.arguments import SHARED
from pyconv.kernels import ALL_NDIMS, Number


@documented(SHARED)
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
    $x
    $diagonals
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> step = np.array([100, 100, 200, 200], np.uint8)
    >>> filters.sharpen(step)
    array([100,   0, 300, 200])
    >>> filters.sharpen(step, dtype=np.uint8, overflow="saturate")
    array([100,   0, 255, 200], dtype=uint8)
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_sharpen, x, axes, ALL_NDIMS, options, diagonals)


@documented(SHARED)
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
    $x
    sigma : float or sequence of float
        Standard deviation of the Gaussian in samples, for all axes or each.
    amount : float, optional
        How much is added.
    truncate : float, optional
        Where the Gaussian ends, in standard deviations.
    $axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $examples
    >>> filters.unsharp([1.0, 1.0, 2.0, 2.0], sigma=1, amount=1.0).round(2)
    array([0.94, 0.7 , 2.3 , 2.06])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_unsharp, x, axes, ALL_NDIMS, options, sigma, amount, truncate)


@documented(SHARED)
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
    $x
    $image_axes $boundary $fill_value $stride $dtype $overflow
    $nan_policy $mask $out $method $rtol $max_memory $workers

    $returns

    $raises

    $see_also

    $array_examples
    >>> filters.emboss(np.array([[0, 0, 0], [0, 9, 9], [0, 9, 9]], np.uint8))
    array([[18, 27, 27],
           [27, 45, 36],
           [27, 36,  9]])
    """
    options = (
        boundary, fill_value, stride, dtype, overflow, nan_policy, mask, out, method, rtol,
        max_memory, workers,
    )  # fmt: skip
    return filtered(_emboss, x, axes, (2,), options)


def _sharpen(call: Call, diagonals: bool) -> Array:
    return call.products(kernels.sharpen_terms(call.n, diagonals=diagonals))


def _unsharp(call: Call, sigma: Number, amount: float, truncate: float) -> Array:
    terms = kernels.unsharp_terms(sigma, amount, call.n, truncate)
    if call.leaves_out:
        rows = kernels.gaussian_rows(sigma, 0, call.n, truncate)
        return call.unsharp(rows, float(amount), terms)
    return call.products(terms)


def _emboss(call: Call) -> Array:
    return call.once(kernels.emboss())
