"""convolve: sums of windows, with kernels of odd sizes and results in the dtype of the samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from pyconv._astropy.samples import (
    check_kernel,
    check_treatment,
    filled,
    number,
    samples_of,
    weights_of,
)
from pyconv._astropy.theirs import (
    Kernel,
    Kernel1D,
    Kernel2D,
    KernelSizeError,
    NDData,
    support_nddata,
    warn_of_gaps,
    warn_of_two_kernels,
)
from pyconv._astropy.windows import Windows
from pyconv._calls.missing.mask import holds_nan
from pyconv._engine.boundaries import boundary_name
from pyconv._engine.problem import MAX_SPATIAL, boundary_names, flag, spatial_axes

#: The least sum of a kernel that is divided by it.
LEAST_SUM = 0.01


def convolve(
    array: Any,
    kernel: Any,
    boundary: str | Sequence[str] | None = "fill",
    fill_value: float = 0.0,
    nan_treatment: str = "interpolate",
    normalize_kernel: Any = True,
    mask: Any = None,
    preserve_nan: bool = False,
    normalization_zero_tol: float = 1e-8,
    *,
    axes: int | Sequence[int] | None = None,
    allow_even: bool = False,
    single: bool = False,
    workers: int | None = None,
) -> Any:
    """Return what `pyconv.astropy.convolve` does, for anything but `NDData`."""
    check_boundary(boundary, fill_value)
    check_treatment(nan_treatment)
    check_kernel(kernel)
    x, w = samples_of(array, mask), weights_of(kernel)
    if not flag(allow_even, "allow_even") and any(k % 2 == 0 for k in w.shape):
        raise KernelSizeError("kernel size must be odd along all axes, or allow_even=True")
    if isinstance(array, Kernel) and isinstance(kernel, Kernel):
        warn_of_two_kernels()
        boundary, fill_value, normalize_kernel, nan_treatment = "fill", 0.0, True, "interpolate"
    where = check_dimensions(x, w, axes)
    inside = boundary is None
    if inside:
        check_inside(x, w, where)
    names = boundary_names("constant" if boundary is None else boundary, w.ndim, fill_value)
    reads_fill = not inside and "constant" in names
    fill = number(fill_value, "fill_value") if reads_fill or nan_treatment == "fill" else 0.0
    windows_of = partial(
        Windows, axes=where, boundaries=names, fill_value=fill, inside=inside, workers=workers
    )
    is_missing_outside = reads_fill and fill != fill
    y = smoothed(
        x, w, windows_of, fill, is_missing_outside, nan_treatment == "interpolate",
        bool(normalize_kernel), preserve_nan, normalization_zero_tol, single,
    )  # fmt: skip
    return repacked(y, array, kernel)


def smoothed(
    x: np.ndarray,
    w: np.ndarray,
    windows_of: Callable[[np.ndarray], Windows],
    fill: float,
    is_missing_outside: bool,
    interpolates: bool,
    normalizes: bool,
    preserves: bool,
    tolerance: float,
    single: bool,
) -> np.ndarray:
    """Return the results of windows, with what is NaN left out or filled."""
    has_nan, missing = holds_nan(x), None
    fills = has_nan and not interpolates
    interpolates &= has_nan or is_missing_outside
    total = float(w.sum())
    if normalizes or interpolates:
        check_sum(total, tolerance, interpolates)
    if fills or (has_nan and preserves):
        missing = np.isnan(x)
        x = filled(x, missing, fill) if fills else x
    if normalizes:
        w, total = scaled(w, total)
    windows = windows_of(sums_of(w, x, single))
    y = windows.means(x, has_nan, keep=True) if interpolates else windows.plain(x)
    if normalizes and total != 1:
        with np.errstate(all="ignore"):
            y /= total
    if windows.inside:
        y = embedded(y, x.shape, windows.axes, w.shape)
    if interpolates and not preserves and holds_nan(y):
        warn_of_gaps()
    if preserves and missing is not None:
        y[missing] = np.nan
    return y


@cache
def unpacking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes `NDData`, as astropy's own decorator makes it."""
    return support_nddata(function, data="array")


def called(function: Callable[..., Any], array: Any, *args: Any, **keywords: Any) -> Any:
    """Return the result of a function for an array that may be `NDData`."""
    if isinstance(array, NDData):
        function = unpacking(function)
    return function(array, *args, **keywords)


def check_boundary(boundary: Any, fill_value: Any) -> None:
    """Raise ValueError for a boundary that neither astropy nor pyconv has."""
    if boundary is None:
        return
    several = isinstance(boundary, tuple | list)
    try:
        for word in boundary if several else (boundary,):
            boundary_name(word, fill_value)
    except ValueError as error:
        if several or "; allowed are " not in str(error):
            raise
        raise ValueError(f"{error}, and None") from None


def check_dimensions(x: np.ndarray, w: np.ndarray, axes: Any) -> tuple[int, ...]:
    """Return the axes of the samples that the kernel acts on; an error for other dimensions."""
    if x.ndim == 0:
        raise ValueError("cannot convolve an array of 0 dimensions")
    if axes is None:
        if x.ndim > MAX_SPATIAL:
            raise NotImplementedError(
                f"array has {x.ndim} dimensions: convolve takes 1, 2 or 3, and more with axes="
            )
        if x.ndim != w.ndim:
            raise ValueError(
                f"array and kernel differ in their number of dimensions, {x.ndim} and {w.ndim}; "
                "axes= takes a kernel of fewer"
            )
    elif not 1 <= w.ndim <= MAX_SPATIAL:
        raise ValueError(f"the kernel has {w.ndim} dimensions: 1, 2 or 3 are allowed")
    if x.size == 0:
        raise ValueError("cannot convolve an empty array")
    return spatial_axes(axes, w.ndim, x.shape)


def check_inside(x: np.ndarray, w: np.ndarray, axes: tuple[int, ...]) -> None:
    """Raise KernelSizeError for an array without a window that lies within it."""
    if any(x.shape[a] <= 2 * (k // 2) for a, k in zip(axes, w.shape, strict=True)):
        raise KernelSizeError(
            "boundary=None takes kernels that are smaller than the array along all axes; others "
            "take boundary='fill', 'extend' or 'wrap'"
        )


def check_sum(total: float, tolerance: float, interpolates: bool) -> None:
    """Raise ValueError for a kernel that cannot be normalised."""
    if total < LEAST_SUM or abs(total) <= tolerance:
        raise ValueError(
            f"the kernel sums to {total:.3g}, which is too little to divide by: "
            + (
                "nan_treatment='interpolate' does so where samples are NaN; "
                "nan_treatment='fill' does not"
                if interpolates
                else "normalize_kernel=False leaves it as it is"
            )
        )


def scaled(w: np.ndarray, total: float) -> tuple[np.ndarray, float]:
    """Return weights that sum to 1, and 1; whole ones as they are, as their sums may be exact."""
    if total == 1 or not np.isfinite(total) or np.array_equal(w, np.rint(w)):
        return w, total
    return w / total, 1.0


def sums_of(w: np.ndarray, x: np.ndarray, single: object) -> np.ndarray:
    """Return the weights in the dtype of the sums: single precision for samples that have less."""
    narrow = flag(single, "single") and x.dtype.kind == "f" and x.dtype.itemsize <= 4
    return w.astype(np.float32) if narrow else w


def embedded(
    y: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...], kernel: tuple[int, ...]
) -> np.ndarray:
    """Return the results of windows within the array, with zeros around them."""
    whole = np.zeros(shape, y.dtype)
    at = [slice(None)] * len(shape)
    for axis, k in zip(axes, kernel, strict=True):
        at[axis] = slice((k - 1) // 2, shape[axis] - k // 2)
    whole[tuple(at)] = y
    return whole


def repacked(y: np.ndarray, array: Any, kernel: Any) -> Any:
    """Return a result as astropy does: with the unit, as a kernel, in the array's own dtype."""
    unit = getattr(array, "unit", None)
    result: Any = y
    if isinstance(array, Kernel):
        if isinstance(array, Kernel1D):
            result = Kernel1D(array=y)
        elif isinstance(array, Kernel2D):
            result = Kernel2D(array=y)
        else:
            raise TypeError("kernels of 1 and 2 dimensions can be convolved, no others")
        result._is_bool = False
        both = not isinstance(kernel, Kernel) or kernel._separable
        result._separable = array._separable and both
        return result
    if unit is not None:
        result = result << unit
    dtype = getattr(array, "dtype", None)
    return result if dtype is None or dtype.kind != "f" else result.astype(dtype, copy=False)
