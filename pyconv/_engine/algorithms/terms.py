"""Products in the order in which `scipy.ndimage` adds them.

Where a sum is a whole number but for its last bits (255 · Σ w of a grey area), rounding decides
between 254 and 255 when it is cut. So products are rounded before they are added, in the order of
`scipy.ndimage`, and the results are its own to the bit.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.problem import Problem

Array = npt.NDArray[Any]


class Terms(NamedTuple):
    """Products in the order in which they are added: x[a] · w, then (x[a] ± x[b]) · w.

    Samples are named by the tap that reads them, one number for each axis of the kernel.
    """

    singles: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    #: Whether pairs are subtracted.
    difference: bool
    #: Of the singles, then of the pairs.
    weights: tuple[float, ...]
    divisor: int = 1


def line_terms(w: Array) -> Terms:
    """Return the products of a kernel along one axis, as SciPy adds them.

    An odd kernel that is its own mirror image, or the negative of it, is folded: the sample in
    the middle first, then pairs from the ends inwards. Other kernels begin with the last weight.
    """
    taps, middle = len(w), len(w) // 2
    left, right = w[:middle], w[: -middle - 1 : -1]
    eps = np.finfo(np.float64).eps  # what SciPy calls equal
    even = bool(np.all(np.abs(left - right) <= eps))
    if taps % 2 and (even or np.all(np.abs(left + right) <= eps)):
        pairs = tuple(((u,), (taps - 1 - u,)) for u in range(middle))
        return Terms(((middle,),), pairs, not even, (w[middle].item(), *left.tolist()))
    order = (taps - 1, *range(taps - 1))
    return Terms(tuple((u,) for u in order), (), False, tuple(w[list(order)].tolist()))


def kernel_terms(w: Array) -> Terms:
    """Return the products of a kernel of any dimension, row by row; zeros are left out."""
    every = itertools.product(*map(range, w.shape))
    kept = [(u, v) for u, v in zip(every, w.ravel().tolist(), strict=True) if v != 0]
    return Terms(tuple(u for u, _ in kept), (), False, tuple(v for _, v in kept))


def box_terms(taps: int) -> Terms:
    """Return the samples of a mean."""
    return Terms(tuple((u,) for u in range(taps)), (), False, (1.0,) * taps, taps)


def terms_of(problem: Problem, w: Array) -> list[Terms]:
    """Return the products of a problem: those along each axis if it goes by axis, or of all taps.

    The weights of a mean are not read.
    """
    w = np.flip(w) if problem.flip else w
    if problem.mean:
        return [box_terms(taps) for taps in problem.w_shape]
    if problem.by_axis:
        stops = list(itertools.accumulate(problem.w_shape))
        return [line_terms(w[b - n : b]) for n, b in zip(problem.w_shape, stops, strict=True)]
    return [kernel_terms(w)]
