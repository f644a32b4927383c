"""DTYPES: which arrays are taken, in which type they are summed, and how exactly.

Floating-point results are summed in one fixed type. Integer results are exact: they are
summed in the cheapest type of ACCUMULATORS that holds every partial sum, which depends on
the values, and are narrowed to the result type under an ``overflow`` policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class DType(NamedTuple):
    """How one result dtype is computed."""

    #: The dtype of the sums; None for integers, where the values decide (ACCUMULATORS).
    compute: np.dtype | None
    #: Rounding of one operation, the ε of the error bounds; 0 for exact.
    epsilon: float


def _float_row(result: type, compute: type) -> DType:
    return DType(np.dtype(compute), float(np.finfo(result).eps))


_EXACT = DType(None, 0.0)


DTYPES: dict[np.dtype, DType] = {
    np.dtype(np.float16): _float_row(np.float16, np.float32),
    np.dtype(np.float32): _float_row(np.float32, np.float32),
    np.dtype(np.float64): _float_row(np.float64, np.float64),
    np.dtype(np.complex64): _float_row(np.complex64, np.complex64),
    np.dtype(np.complex128): _float_row(np.complex128, np.complex128),
    np.dtype(np.bool): _EXACT,
    np.dtype(np.int8): _EXACT,
    np.dtype(np.uint8): _EXACT,
    np.dtype(np.int16): _EXACT,
    np.dtype(np.uint16): _EXACT,
    np.dtype(np.int32): _EXACT,
    np.dtype(np.uint32): _EXACT,
    np.dtype(np.int64): _EXACT,
    np.dtype(np.uint64): _EXACT,
}

#: The least and the greatest value of each integer dtype.
LIMITS: dict[np.dtype, tuple[int, int]] = {np.dtype(bool): (0, 1)} | {
    dtype: (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    for dtype in DTYPES
    if dtype.kind in "iu"
}

OVERFLOWS = ("raise", "wrap", "saturate")
#: How sums between two integers become one: a word of ``rounding`` → NumPy's function.
ROUNDINGS: dict[str, Callable[..., Any]] = {"half_even": np.rint, "towards_zero": np.trunc}

#: Types that sum integers exactly, cheapest first, with the magnitude every partial sum must
#: stay within. ``object`` sums Python integers and is never wrong.
ACCUMULATORS: tuple[tuple[np.dtype, float], ...] = (
    (np.dtype(np.float32), 2**24),
    (np.dtype(np.float64), 2**53),
    (np.dtype(np.int64), 2**63 - 1),
    (np.dtype(object), math.inf),
)
#: Before all of these, where samples of 8 bits meet few weights.
SHORT_ACCUMULATOR = (np.dtype(np.int16), 2**15 - 1)


def any_dtype(dtype: npt.DTypeLike, argument: str) -> np.dtype:
    """Return the dtype that is meant, or raise TypeError naming ``argument``."""
    try:
        return np.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"{argument}: {dtype!r} is not a dtype") from error


def native_dtype(dtype: np.dtype) -> np.dtype:
    """Return ``dtype`` in native byte order; a dtype without one, as that of strings, as it is."""
    try:
        return dtype.newbyteorder("=")
    except TypeError:
        return dtype


def supported(dtype: npt.DTypeLike, argument: str) -> np.dtype:
    """Return ``dtype`` in native byte order, or raise TypeError naming ``argument``."""
    native = native_dtype(any_dtype(dtype, argument))
    if native not in DTYPES:
        raise TypeError(f"{argument} has dtype {native}; allowed are {', '.join(map(str, DTYPES))}")
    return native


def natural_dtype(x: np.dtype, w: np.dtype) -> np.dtype:
    """Return the result dtype of ``x`` and ``w``: exact 64-bit integers, else ``result_type``.

    Integers give the dtype of ``np.sum(x * w)``: uint64 if one is unsigned and neither is signed.
    Only with uint64 beside a signed dtype does NumPy give float64, where sums here stay integers.
    """
    kinds = {x.kind, w.kind}
    if kinds <= set("biu"):
        return np.dtype(np.uint64 if "u" in kinds and "i" not in kinds else np.int64)
    return np.result_type(x, w)


def is_integer(dtype: np.dtype) -> bool:
    """Return whether ``dtype`` holds integers or booleans."""
    return dtype.kind in "biu"


class Interval(NamedTuple):
    """What is known of a result before it is computed."""

    low: float  # an exact Python int for integer data
    high: float
    #: max|x| · Σ|w|, which every partial sum stays within.
    magnitude: float


def result_interval(x: np.ndarray, w: np.ndarray, fill_value: complex | None) -> Interval:
    """Bound every output of correlating ``x`` with ``w``, exactly for integers.

    Narrow integer types are bounded by their limits, without reading ``x``. ``fill_value`` is
    None where no output reads it.
    """
    low, high = _ends(x, fill_value)
    positive, negative = _signed_sums(w)
    return Interval(
        positive * low + negative * high,
        positive * high + negative * low,
        max(abs(low), abs(high)) * (positive - negative),
    )


def bank_interval(x: np.ndarray, w: np.ndarray, fill_value: complex | None) -> Interval:
    """Bound every output of correlating lines of ``x`` with rows of ``w``, as `result_interval`.

    A filter may meet any line.
    """
    low, high = _ends(x, fill_value)
    farthest = max(abs(low), abs(high))
    wide = w.astype(np.float64 if w.dtype.kind == "f" else object)
    if is_integer(w.dtype) and (w.dtype.itemsize < 8 or _are_small(w)):
        wide = w.astype(np.int64)
    with np.errstate(all="ignore"):  # a NaN spoils both sums
        positive, negative = np.maximum(wide, 0).sum(1), np.minimum(wide, 0).sum(1)
        total = (positive - negative).max()
        magnitude = farthest * (total.item() if isinstance(total, np.generic) else total)
        if positive.dtype == np.int64 and max(magnitude, farthest) >= 2**62:
            positive, negative = positive.astype(object), negative.astype(object)
        lows, highs = positive * low + negative * high, positive * high + negative * low
    return Interval(min(lows.tolist()), max(highs.tolist()), magnitude)


def _are_small(w: np.ndarray) -> bool:
    """Return whether sums along rows of integers are far from what 64 bits hold."""
    return max(abs(int(w.min())), abs(int(w.max()))) * w.shape[1] < 2**62


def _ends(x: np.ndarray, fill_value: complex | None) -> tuple[Any, Any]:
    """Return a least and a greatest value of the samples, and of what is read outside."""
    low: Any
    high: Any
    if is_integer(x.dtype) and x.dtype.itemsize <= 2:
        low, high = LIMITS[x.dtype.newbyteorder("=")]
    elif x.size == 0:
        low = high = 0
    else:
        low, high = x.min().item(), x.max().item()
    if fill_value is not None and fill_value == fill_value:
        low, high = min(low, fill_value), max(high, fill_value)
    elif fill_value is not None:  # NaN, which min and max would pass over
        low = high = fill_value
    return low, high


def _signed_sums(w: np.ndarray) -> tuple[float, float]:
    """Return the sum of the positive and of the negative weights, exactly for integers."""
    if w.size <= _FEW_WEIGHTS or (is_integer(w.dtype) and w.dtype.itemsize == 8):
        values = w.ravel().tolist()  # Python numbers: exact
        return sum(v for v in values if not v < 0), sum(v for v in values if v < 0)
    wide = w.astype(np.float64 if w.dtype.kind == "f" else np.int64)
    negative = wide < 0  # a NaN counts as positive and spoils that sum
    return wide[~negative].sum().item(), wide[negative].sum().item()


#: NumPy's calls cost more than a Python loop over as many weights.
_FEW_WEIGHTS = 64


def exact_accumulator(
    interval: Interval, result: np.dtype, overflow: str, *, short: bool = False
) -> np.dtype:
    """Return the cheapest type that gives the integer result exactly.

    Sums of 16 bits are considered if ``short`` says so.

    Raises
    ------
    OverflowError
        Under ``overflow="raise"``, when ``interval`` does not fit ``result``.
    """
    check_overflow(interval, result, overflow)
    for dtype, limit in (*((SHORT_ACCUMULATOR,) if short else ()), *ACCUMULATORS[:2]):
        if interval.magnitude <= limit:
            return dtype
    if overflow == "wrap" and is_integer(result):
        return np.dtype(np.int64)  # modular arithmetic: the bits are those of any wider sum
    if interval.low >= 0 and interval.high < 2**64:
        return np.dtype(np.uint64 if interval.high >= 2**63 else np.int64)
    if interval.low >= -(2**63) and interval.high < 2**63:
        return np.dtype(np.int64)
    return np.dtype(object)


def check_overflow(interval: Interval, result: np.dtype, overflow: str) -> None:
    """Raise OverflowError if the policy asks for it and ``interval`` leaves ``result``."""
    if overflow != "raise" or not is_integer(result):
        return
    low, high = LIMITS[result]
    if not math.isfinite(interval.magnitude):
        raise OverflowError(
            f"results may be NaN or infinite, which {result} cannot hold; "
            "overflow='saturate' clips them, NaN to zero"
        )
    if not (low <= interval.low and interval.high <= high):
        raise OverflowError(
            f"results may lie anywhere in [{interval.low}, {interval.high}], outside {result} "
            f"[{low}, {high}]; choose a wider dtype=, or overflow='wrap' or 'saturate'"
        )


def without_options(error: OverflowError) -> OverflowError:
    """Return the error of a call that has no option for the dtype of its results."""
    return OverflowError(f"{str(error).partition(';')[0]}; samples of floats are allowed")


def check_rounded(
    interval: Interval, terms: int, sums: np.dtype, result: np.dtype, overflow: str
) -> None:
    """Do as `check_overflow` for sums of so many products in floats, which are rounded.

    Weights that sum to a rounding more than 1 make integers that ``result`` has of its largest.
    """
    rounded = rounded_interval(interval, terms, "half_even", sums)
    within = Interval(
        max(interval.low, rounded.low), min(interval.high, rounded.high), interval.magnitude
    )
    check_overflow(within, result, overflow)


def rounded_interval(
    interval: Interval, terms: int, rounding: str, sums: np.dtype | None = None
) -> Interval:
    """Bound the integers that sums of so many products become, in any order.

    Sums are in double, unless ``sums`` is another dtype.
    """
    eps = float(np.finfo(np.float64 if sums is None else sums).eps)
    error = (terms + 2) * eps * interval.magnitude
    whole = ROUNDINGS[rounding]
    low, high = whole(interval.low - error).item(), whole(interval.high + error).item()
    return Interval(low, high, interval.magnitude)


def narrow(
    y: np.ndarray, dtype: np.dtype, overflow: str, rounding: str | None = None
) -> np.ndarray:
    """Convert sums ``y`` to ``dtype``: rounded, then wrapped or clipped where it overflows.

    Without a ``rounding`` it is half to even.
    """
    if y.dtype == dtype:
        return y
    if not is_integer(dtype):
        with np.errstate(all="ignore"):  # IEEE: too large for float16 is infinite
            return y.astype(dtype)
    if y.dtype.kind == "f":
        y = ROUNDINGS[rounding or "half_even"](y)
    if dtype.kind == "b":
        return (y > 0) if overflow != "wrap" else (y % 2 != 0)
    low, high = LIMITS[dtype]
    if overflow == "saturate":
        return _clip(y, low, high).astype(dtype)
    if y.dtype.kind == "f":
        y = np.fmod(np.where(np.isfinite(y), y, 0).astype(np.float64), 2.0**64)
        y = np.where(y >= 2.0**63, y - 2.0**64, np.where(y < -(2.0**63), y + 2.0**64, y))
        return y.astype(np.int64).astype(dtype)
    if y.dtype == object:
        return (y & (2**64 - 1)).astype(np.uint64).astype(dtype)
    return y.astype(dtype)


def _clip(y: np.ndarray, low: int, high: int) -> np.ndarray:
    """Clip ``y`` to [low, high], comparing as exact numbers; NaN becomes zero."""
    if y.dtype.kind == "f":
        unknown = np.isnan(y)
        if unknown.any():
            y = np.where(unknown, y.dtype.type(0), y)
        # The nearest float of 2^63 - 1 is 2^63, which does not fit: stop one float below.
        top = y.dtype.type(high)
        if int(top) > high:
            clipped = np.clip(y, y.dtype.type(low), np.nextafter(top, y.dtype.type(0)))
            whole = np.int64 if low < 0 else np.uint64
            return np.where(y >= top, whole(high), clipped.astype(whole))
        return np.clip(y, low, high)
    if y.dtype == object:
        return np.clip(y, low, high)
    kind = np.iinfo(y.dtype)
    return np.clip(y, max(low, kind.min), min(high, kind.max))
