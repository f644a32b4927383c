"""Plain arrays of what astropy's functions take: lists, kernels, quantities, masked arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyconv._astropy.theirs import Kernel

#: Characters of dtypes whose samples the loops read as they are, in either order of bytes.
READ = frozenset("?bBhHiIlLqQefd")


def check_kernel(kernel: Any) -> None:
    """Raise ValueError for a kernel with masked weights."""
    if np.ma.is_masked(kernel):
        raise ValueError(
            "the kernel has masked weights: fill them first, kernel.filled(value) does"
        )


def check_treatment(nan_treatment: object) -> None:
    """Raise ValueError for an unknown word."""
    if nan_treatment not in ("interpolate", "fill"):
        raise ValueError(f"nan_treatment={nan_treatment!r}: must be 'interpolate' or 'fill'")


def bare(values: Any) -> Any:
    """Return the values of a kernel or of a quantity, and anything else as it is."""
    if isinstance(values, Kernel):
        values = values.array
    return values.value if hasattr(values, "unit") else values


def samples_of(values: Any, mask: Any = None) -> np.ndarray:
    """Return a real array with NaN where samples are masked; without a copy where none is needed.

    Raises
    ------
    TypeError
        For what is no array of numbers.
    IndexError
        For a mask of another shape.
    """
    values = bare(values)
    try:
        x = np.asanyarray(values)
        if x.dtype.kind == "c" and not isinstance(values, np.ndarray):
            raise TypeError(f"array has dtype {x.dtype}")  # astropy takes the real parts of arrays
        if x.dtype.char not in READ:
            x = x.astype(np.float64)
        if np.ma.is_masked(x):
            x = x.astype(np.result_type(x.dtype, np.float16), copy=False).filled(np.nan)
            if mask is None:
                return np.asarray(x)
        x = np.asarray(x)
        if mask is None:
            return x
        x = x.astype(np.float64 if x.dtype.kind != "f" else x.dtype.newbyteorder("="))
    except (TypeError, ValueError) as error:
        raise TypeError(f"an array of real numbers is needed, or what can be one: {error}") from (
            error
        )
    x[np.asarray(mask) != 0] = np.nan
    return x


def weights_of(kernel: Any) -> np.ndarray:
    """Return the weights in double precision; TypeError for what are no numbers."""
    try:
        return np.asarray(bare(kernel), np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise TypeError(f"a kernel of real numbers is needed, or what can be one: {error}") from (
            error
        )


def is_complex(values: Any) -> bool:
    """Return whether values are complex numbers, in an array or in lists."""
    try:
        return np.asarray(bare(values)).dtype.kind == "c"
    except (TypeError, ValueError):
        return False


def filled(x: np.ndarray, missing: np.ndarray, value: float) -> np.ndarray:
    """Return a copy with a value where samples are missing, in the native order of bytes."""
    x = x.astype(x.dtype.newbyteorder("="))
    with np.errstate(over="ignore"):
        x[missing] = value
    return x


def number(value: Any, name: str, refusal: type[Exception] = TypeError) -> float:
    """Return a value as a number; an error of that type for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise refusal(f"{name}={value!r}: a number is needed") from error
