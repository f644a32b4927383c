"""Integer results of weights that are not whole: sums in double, cut towards zero.

Where a sum is a whole number but for its last bits (255 · Σ w of a grey area), rounding decides
between 254 and 255. So products are rounded before they are added, in the order of
`scipy.ndimage`, and the results are its own to the bit.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv.boundaries import BOUNDARIES, FILL

Array = npt.NDArray[Any]

#: Outputs summed at a time: three buffers of doubles that stay in the cache.
CHUNK = 1 << 14


class Term(NamedTuple):
    """One product: (x[first] + sign · x[second]) · weight, in taps from the low end."""

    first: tuple[int, ...]
    second: tuple[int, ...] | None
    sign: int
    weight: float


def line_terms(w: Array) -> list[Term]:
    """Return the products of a kernel along one axis, as SciPy adds them.

    An odd kernel that is its own mirror image, or the negative of it, is folded: the sample in
    the middle first, then pairs from the ends inwards. Other kernels begin with the last weight.
    """
    taps, middle = len(w), len(w) // 2
    values = w.tolist()
    sign = 0
    if taps % 2:
        left, right = w[:middle], w[:middle:-1]
        eps = np.finfo(np.float64).eps  # what SciPy calls equal
        if np.all(np.abs(left - right) <= eps):
            sign = 1
        elif np.all(np.abs(left + right) <= eps):
            sign = -1
    if sign == 0:
        return [Term((u,), None, 0, values[u]) for u in (taps - 1, *range(taps - 1))]
    pairs = [Term((u,), (taps - 1 - u,), sign, values[u]) for u in range(middle)]
    return [Term((middle,), None, 0, values[middle]), *pairs]


def kernel_terms(w: Array) -> list[Term]:
    """Return the products of a kernel of any dimension, row by row; zeros are left out."""
    taps = itertools.product(*map(range, w.shape))
    return [Term(u, None, 0, v) for u, v in zip(taps, w.ravel().tolist(), strict=True) if v != 0]


def box_terms(taps: int) -> list[Term]:
    """Return the samples of a running mean, to be divided by their number."""
    return [Term((u,), None, 0, 1.0) for u in range(taps)]


def truncated_sums(
    x: Array,
    terms: Sequence[Term],
    divisor: int,
    axes: Sequence[int],
    pads: Sequence[tuple[int, int]],
    boundaries: Sequence[str],
    fill: float,
    output: Array,
) -> None:
    """Write the sums of ``terms``, divided and cut towards zero, to ``output``."""
    padded = x.astype(np.float64)
    for axis, (low, high), rule in zip(axes, pads, boundaries, strict=True):
        padded = _padded(padded, axis, low, high, rule, fill)
    rows = max(1, CHUNK * x.shape[0] // x.size)
    for at in range(0, x.shape[0], rows):
        to = min(at + rows, x.shape[0])

        def samples(tap: tuple[int, ...], at: int = at, to: int = to) -> Array:
            window = [slice(0, n) for n in x.shape]
            window[0] = slice(at, to)
            for axis, u in zip(axes, tap, strict=True):
                window[axis] = slice(window[axis].start + u, window[axis].stop + u)
            return padded[tuple(window)]

        total = np.zeros((to - at, *x.shape[1:]))
        product = np.empty_like(total)
        for number, term in enumerate(terms):
            if term.second is None:
                factor = samples(term.first)
            else:
                fold = np.add if term.sign > 0 else np.subtract
                factor = fold(samples(term.first), samples(term.second), out=product)
            np.multiply(factor, term.weight, out=total if number == 0 else product)
            if number:
                np.add(total, product, out=total)
        if divisor != 1:
            np.divide(total, divisor, out=total)
        output[at:to] = cut(total, output.dtype)


def _padded(x: Array, axis: int, low: int, high: int, rule: str, fill: float) -> Array:
    """Return ``x`` with what is read outside one axis."""
    size = x.shape[axis]
    index = BOUNDARIES[rule].index(np.arange(-low, size + high), size)
    padded = np.take(x, index, axis=axis)
    outside: list[Any] = [slice(None)] * x.ndim
    outside[axis] = index == FILL
    padded[tuple(outside)] = fill
    return padded


def cut(sums: Array, dtype: np.dtype) -> Array:
    """Return ``sums`` without their fractions, wrapped into an integer dtype.

    What no 64-bit integer holds becomes 0; of a bool, everything but 0 is True.
    """
    whole = np.trunc(sums)
    if dtype.kind == "b":
        return whole != 0
    least, beyond = (0.0, 2.0**64) if dtype == np.uint64 else (-(2.0**63), 2.0**63)
    fits = (whole >= least) & (whole < beyond)
    if dtype == np.uint64 and not fits.all():
        negative = cut(np.where(whole < 0, whole, 0.0), np.dtype(np.int64))
        return np.where(fits, whole, 0.0).astype(dtype) + negative.astype(dtype)
    wide = np.where(fits, whole, 0.0).astype(dtype if dtype == np.uint64 else np.int64)
    return wide.astype(dtype)
