"""The arrays of a layer, of one dtype and as the compiled loops take them."""

from __future__ import annotations

import numpy as np

from pyconv._engine.dtypes import native_dtype
from pyconv.nn._functions import blocks
from pyconv.nn._functions.arguments import check_spatial

#: Dtypes of results → the dtype of the sums.
SUMS: dict[np.dtype, np.dtype] = {
    np.dtype(np.float16): np.dtype(np.float32),
    np.dtype(np.float32): np.dtype(np.float32),
    np.dtype(np.float64): np.dtype(np.float64),
    np.dtype(np.complex64): np.dtype(np.complex64),
    np.dtype(np.complex128): np.dtype(np.complex128),
}

#: Dtypes of sums → those of their real and imaginary parts, or their own.
PARTS: dict[np.dtype, np.dtype] = {s: np.empty(0, s).real.dtype for s in SUMS.values()}


def result_dtype(arrays: list[np.ndarray]) -> np.dtype:
    """Return the dtype of what is computed from ``arrays``, in native byte order."""
    dtype = arrays[0].dtype
    if dtype.isnative and all(a.dtype is dtype for a in arrays):
        return dtype  # promotion would take as long as the rest of a small call
    return native_dtype(np.result_type(*arrays))


def native(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` in ``dtype``, aligned and in native byte order."""
    if array.dtype == dtype and array.flags.aligned and array.dtype.isnative:
        return array
    return blocks.converted(array, dtype, copy=True)


def contiguous(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` in ``dtype``, C-contiguous, aligned and in native byte order."""
    given = native(array, dtype)
    if given.size > blocks.MAX_SAMPLES and not given.flags.c_contiguous:
        return blocks.converted(given, dtype, copy=True)
    return np.ascontiguousarray(given)


def batched(x: np.ndarray, n: int, argument: str) -> tuple[np.ndarray, bool]:
    """Return (N, C, spatial…) of an array whose batch axis may be missing, and whether it was."""
    check_spatial(x, n, argument)
    return (x, False) if x.ndim == n + 2 else (x[np.newaxis], True)
