"""NumPy's long calls in blocks: a signal waits for one of them at most, and sums round less."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.base import block_of

#: Samples that are copied, and products that are made, in one call of NumPy: a tenth of a second.
MAX_SAMPLES = 2**24
MOST_PRODUCTS = 2**31


def parts(shape: tuple[int, ...], most: int = MAX_SAMPLES) -> Iterator[tuple[slice, ...]]:
    """Yield indices of parts of an array, each of at most so many samples and contiguous."""
    behind, steps = 1, []
    for length in reversed(shape):
        steps.append(max(1, min(length, most // max(1, behind))))
        behind *= length
    steps.reverse()
    if math.prod(shape) <= most:
        yield (slice(None),) * len(shape)
        return
    ranges = [range(0, length, step) for length, step in zip(shape, steps, strict=True)]
    for first in itertools.product(*ranges):
        yield tuple(slice(f, f + step) for f, step in zip(first, steps, strict=True))


def converted(a: np.ndarray, dtype: npt.DTypeLike, copy: bool = False) -> np.ndarray:
    """Return ``a.astype(dtype, copy=copy)``, in C order if it is large."""
    if a.size <= MAX_SAMPLES or (a.dtype == dtype and not copy):
        return a.astype(dtype, copy=copy)
    result = np.empty(a.shape, dtype)
    for part in parts(a.shape):
        result[part] = a[part]
    return result


def combined(ufunc: np.ufunc, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``ufunc(a, b)`` of floating-point arrays of one dtype, which broadcast."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    if math.prod(shape) <= MAX_SAMPLES:
        return np.asarray(ufunc(a, b))
    a, b = np.broadcast_to(a, shape), np.broadcast_to(b, shape)
    result = np.empty(shape, np.result_type(a, b))
    for part in parts(shape):
        ufunc(a[part], b[part], out=result[part])
    return result


def total(a: np.ndarray) -> np.ndarray:
    """Return ``a.sum()``."""
    if a.size <= MAX_SAMPLES:
        return np.asarray(a.sum())
    return np.asarray(np.array([a[part].sum() for part in parts(a.shape)]).sum())


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``np.matmul(a, b)`` of an array of rows and a matrix."""
    n, columns = a.shape[-1], b.shape[-1]
    rows = math.prod(a.shape[:-1])
    if rows * n * columns <= MOST_PRODUCTS:
        return np.matmul(a, b)
    lines = a.reshape(rows, n)
    result = np.empty((rows, columns), np.result_type(a, b))
    terms = min(n, MOST_PRODUCTS // 2**14)
    down = min(rows, max(64, MOST_PRODUCTS // (terms * columns)))
    across = min(columns, max(64, MOST_PRODUCTS // (terms * down)))
    for row, column in itertools.product(range(0, rows, down), range(0, columns, across)):
        at = slice(row, row + down), slice(column, column + across)
        result[at] = lines[at[0], :terms] @ b[:terms, at[1]]
        for first in range(terms, n, terms):
            result[at] += lines[at[0], first : first + terms] @ b[first : first + terms, at[1]]
    return result.reshape(*a.shape[:-1], columns)


def column_sums(a: np.ndarray) -> np.ndarray:
    """Return ``a.sum(axis=0)`` of a matrix, of sums of blocks of rows."""
    rows = len(a)
    block = block_of(rows)
    if rows <= block:
        return a.sum(axis=0)
    starts = range(0, rows, block)
    sums = np.empty((len(starts), *a.shape[1:]), a.dtype)
    for i, first in enumerate(starts):
        a[first : first + block].sum(axis=0, out=sums[i])
    return column_sums(sums)
