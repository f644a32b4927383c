"""Convolutions of arrays that hold NaN or infinity, which spoil the sums that read them.

What is outside an array is not read. A sum of zeros there would make NaN of weights that are NaN or
infinite, and a transform makes NaN of everything. So such values are taken out, and what is finite
is summed by any algorithm. Then the products that they are factors of are added: one by one where
the values are few. Where they are many, the products that are NaN, or infinite, are counted at each
output, and one convolution of zeros and ones counts all of a kind; those with NaN are found by
passes along the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.windows import over_windows
from pyconv._engine.problem import Axis

Array = npt.NDArray[Any]
#: Returns the convolution of two finite arrays.
Sums = Callable[[Array, Array], Array]

#: Values that are not finite, up to which the products of each are added one by one.
FEW = 8
#: Weights up to which the engine takes little time to sum again what samples spoil.
SHORT = 1000


def unsound(x: Array, w: Array) -> bool:
    """Return whether weights are not finite, or samples that long kernels read."""
    read = (w, x) if w.size > SHORT else (w,)
    return any(a.dtype.kind in "fc" and not np.isfinite(a).all() for a in read)


def convolve(
    x: Array, w: Array, axes: Sequence[int], starts: Sequence[int], sums: Sums, counts: Sums
) -> Array:
    """Return Σ_u x[i + start − u] · w[u] over the samples that there are.

    ``sums`` returns it for finite arrays. So does ``counts``, to within a half, for zeros and ones
    in float64. ``w`` has one sample on the axes that are not among ``axes``.
    """
    at = np.zeros(x.ndim, np.intp)
    at[list(axes)] = starts
    spoilt = [~np.isfinite(a) for a in (x, w)]
    y = sums(*(np.where(bad, a.dtype.type(0), a) for a, bad in zip((x, w), spoilt, strict=True)))
    with np.errstate(all="ignore"):
        if sum(map(np.count_nonzero, spoilt)) > FEW:
            lengths = [y.shape[a] for a in axes]

            def met(x: Array, w: Array) -> Array:
                if w.all() or x.all():  # sums of ones
                    a, other = (x, w) if w.all() else (w, x)
                    return _reached(a, axes, starts, [other.shape[i] for i in axes], lengths)
                return counts(x.astype(np.float64), w.astype(np.float64)) > 0.5

            return (y + _counted(x, w, met)).astype(y.dtype, copy=False)
        for (a, other), bad in zip(((x, w), (w, x)), spoilt, strict=True):
            for index in np.argwhere(bad):
                read, into = zip(*_met(index - at, other.shape, y.shape), strict=True)
                y[into] += (other[read] * a[tuple(index)]).astype(y.dtype, copy=False)
    return y


def _met(
    moved: Array, shape: Sequence[int], outputs: Sequence[int]
) -> Iterator[tuple[slice, slice]]:
    """Yield what is multiplied by one value of an array of the other, and which outputs add it."""
    for by, size, length in zip(moved.tolist(), shape, outputs, strict=True):
        low, high = max(0, -by), min(size, length - by)
        high = max(low, high)
        yield slice(low, high), slice(low + by, high + by)


def _reached(
    held: Array,
    axes: Sequence[int],
    starts: Sequence[int],
    others: Sequence[int],
    lengths: Sequence[int],
) -> Array:
    """Return which outputs add the product of a value that is true and any of another array."""
    shape, first = list(held.shape), [0] * held.ndim
    windows = [Axis(i, size, 1, 0, 0, 1, 1, "constant", size) for i, size in enumerate(shape)]
    for axis, start, n, length in zip(axes, starts, others, lengths, strict=True):
        begin = start + 1 - n  # the first output reads the other's values up to here
        held = held.take(np.arange(max(0, begin), min(shape[axis], start + length)), axis)
        first[axis], shape[axis] = max(0, -begin), length
        windows[axis] = Axis(axis, held.shape[axis], n, 0, 0, 1, 1, "constant", length)
    return over_windows(held, first, windows, shape, np.logical_or, False)


def _counted(x: Array, w: Array, met: Sums) -> Array:
    """Return the sums of the products of which a factor is not finite: 0, NaN or infinity."""
    if np.iscomplexobj(x) or np.iscomplexobj(w):
        real = _counted(x.real, w.real, met) - _counted(x.imag, w.imag, met)
        y = np.empty(real.shape, np.complex128)
        y.real = real
        y.imag = _counted(x.imag, w.real, met) + _counted(x.real, w.imag, met)
        return y
    every = np.ones(x.shape, np.bool), np.ones(w.shape, np.bool)
    above, below = (x > 0, w > 0), (x < 0, w < 0)
    most, least = (x == np.inf, w == np.inf), (x == -np.inf, w == -np.inf)
    pairs = (
        # of which the product is NaN, infinity, and minus infinity
        ((every[0], np.isnan(w)), (np.isnan(x), every[1]), (x == 0, most[1] | least[1]),
         (most[0] | least[0], w == 0)),
        ((above[0], most[1]), (below[0], least[1]), (most[0], above[1]), (least[0], below[1])),
        ((above[0], least[1]), (below[0], most[1]), (most[0], below[1]), (least[0], above[1])),
    )  # fmt: skip
    total: Array = np.zeros(())
    for value, products in zip((np.nan, np.inf, -np.inf), pairs, strict=True):
        for samples, weights in products:
            if samples.any() and weights.any():
                total = total + np.where(met(samples, weights), value, 0)
    return total
