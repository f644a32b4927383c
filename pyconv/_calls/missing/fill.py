"""Straight lines over gaps, for kernels whose weights cancel: those may leave nothing out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.missing.mask import split_mask
from pyconv._engine.dtypes import is_integer, supported
from pyconv._engine.problem import integer


def fill_gaps(
    x: npt.ArrayLike,
    *,
    axis: int = -1,
    mask: npt.ArrayLike | None = None,
    longest: int | None = None,
) -> npt.NDArray[Any]:
    """Fill missing samples by straight lines between the valid ones beside them.

    A kernel whose weights cancel, such as a band-pass, cannot leave samples out: what it measures
    are differences of samples. A straight line adds least to it. `coverage` says which results
    have seen enough besides.

    Parameters
    ----------
    x : array_like
        Array of any shape, whose NaN are missing.
    axis : int, optional
        The axis along which gaps are filled, by default the last.
    mask : array_like of bool, optional
        True for samples that are missing, too; it is broadcast to the shape of `x`. A masked array
        brings its own.
    longest : int, optional
        Gaps of more samples along the axis stay: they are NaN. By default all are filled.

    Returns
    -------
    ndarray
        A filled copy; float64 of integers. A gap at an end has the value of the sample beside it.
        Lines without a valid sample are NaN.

    Raises
    ------
    ValueError
        For an axis that `x` has not, a mask of another shape, and `longest` below 0.
    TypeError
        For dtypes that `correlate` has not, and a mask that is not of bool.

    See Also
    --------
    correlate : with ``nan_policy='omit'``, for weights that do not cancel.
    coverage : how much of the weights met valid samples.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = [1.0, np.nan, 3.0, np.nan, np.nan, np.nan, 7.0, np.nan]
    >>> pyconv.fill_gaps(x)
    array([1., 2., 3., 4., 5., 6., 7., 7.])
    >>> pyconv.fill_gaps(x, longest=2)
    array([ 1.,  2.,  3., nan, nan, nan,  7.,  7.])
    """
    samples, missing = split_mask(x, mask)
    dtype = supported(samples.dtype, "x")
    where = integer(axis, "axis")
    if not -samples.ndim <= where < samples.ndim:
        raise ValueError(f"axis={axis!r}, but x has shape {samples.shape}")
    most = None if longest is None else integer(longest, "longest")
    if most is not None and most < 0:
        raise ValueError(f"longest={longest!r}: an integer of at least 0 is allowed")
    filled = samples.astype(np.float64 if is_integer(dtype) else dtype)
    gaps = np.isnan(filled) if missing is None else np.isnan(filled) | missing
    if gaps.any():
        lines, holes = np.moveaxis(filled, where, -1), np.moveaxis(gaps, where, -1)
        for line in np.ndindex(lines.shape[:-1]):  # a line at a time: places take 8 bytes each
            if holes[line].any():
                _fill(lines[line], holes[line], most)
    return filled


def _fill(line: np.ndarray, gaps: np.ndarray, longest: int | None) -> None:
    """Fill the gaps of a line."""
    places, seen = np.flatnonzero(gaps), np.flatnonzero(~gaps)
    if not seen.size:
        line[...] = np.nan
        return
    behind = np.searchsorted(seen, places)
    low = np.where(behind > 0, seen[behind - 1], -1)
    high = np.where(behind < seen.size, seen[np.minimum(behind, seen.size - 1)], gaps.size)
    wide = np.complex128 if line.dtype.kind == "c" else np.float64
    left, right = (
        line[np.where((end < 0) | (end == gaps.size), other, end)].astype(wide)
        for end, other in ((low, high), (high, low))
    )
    part = (places - low) / (high - low)
    with np.errstate(all="ignore"):
        values = np.where(left == right, left, left * (1 - part) + right * part)
    if longest is not None:
        values[high - low - 1 > longest] = np.nan
    line[places] = values
