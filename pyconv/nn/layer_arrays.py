"""The arrays of a layer's call: checked, of one dtype, as the compiled loops take them."""

import numpy as np
import numpy.typing as npt

#: Dtypes of results → the dtype of the sums.
SUMS = {
    np.dtype(np.float16): np.dtype(np.float32),
    np.dtype(np.float32): np.dtype(np.float32),
    np.dtype(np.float64): np.dtype(np.float64),
    np.dtype(np.complex64): np.dtype(np.complex64),
    np.dtype(np.complex128): np.dtype(np.complex128),
}


def float_array(value: npt.ArrayLike, argument: str) -> np.ndarray:
    """Return ``value`` as an array of a floating-point or complex dtype, or raise TypeError."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{argument} is a masked array, whose mask would be ignored; "
            f"pass {argument}.filled(value)"
        )
    array = np.asarray(value)
    if array.dtype.newbyteorder("=") not in SUMS:
        raise TypeError(
            f"{argument} has dtype {array.dtype}; allowed are {', '.join(map(str, SUMS))} "
            f"({argument}.astype(np.float32) converts it)"
        )
    return array


def native(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` in ``dtype``, aligned and in native byte order."""
    if array.dtype == dtype and array.flags.aligned and array.dtype.isnative:
        return array
    return array.astype(dtype)


def contiguous(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``array`` in ``dtype``, C-contiguous, aligned and in native byte order."""
    return np.ascontiguousarray(native(array, dtype))


def batched(x: np.ndarray, n: int, argument: str) -> tuple[np.ndarray, bool]:
    """Return (N, C, spatial…) of an array whose batch axis may be missing, and whether it was."""
    if x.ndim == n + 2:
        return x, False
    if x.ndim == n + 1:
        return x[np.newaxis], True
    raise ValueError(
        f"{argument} has {x.ndim} dimensions (shape {x.shape}); allowed are {n + 2}, (N, C, and "
        f"{n} spatial axes), or {n + 1} without the batch axis"
    )
