"""Outputs that NaN and infinities decide, whatever the other samples are.

An output is NaN if its window holds a NaN, an infinity under a weight of zero, or infinities whose
products differ in sign; otherwise an infinity in the window makes it one. The windows that hold a
NaN are found by Boolean passes along the axes. Where weights differ in sign, the signs of the
infinities are correlated with the signs of the weights: the products have one sign if that sum is,
but for its sign, the number of infinities in the window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyconv._engine.algorithms.windows import over_windows
from pyconv._engine.problem import Axis

#: Correlates samples with weights, both of -1, 0 and 1, within less than a half.
Signs = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: Bytes of temporary arrays for each sample that a box reads, and seconds.
DECIDING_BYTES = 56
DECIDING_SECONDS = 2e-8


def decided(
    samples: np.ndarray,
    first: Sequence[int],
    w: np.ndarray,
    axes: Sequence[Axis],
    shape: Sequence[int],
    signs: Signs,
) -> np.ndarray:
    """Return NaN and infinities where they are decided, zeros elsewhere.

    ``samples`` is what outputs of that shape read, ``first`` as `over_windows` takes it.
    """

    def held(where: np.ndarray) -> np.ndarray:
        return over_windows(where, first, axes, shape, np.logical_or, False)

    result = np.zeros(shape, w.dtype)
    infinite = np.isinf(samples)
    if infinite.any():
        if (w > 0).all() or (w < 0).all():
            sign = np.sign(w.flat[0])
            np.copyto(result, np.inf, where=held(samples == sign * np.inf))
            low = held(samples == -sign * np.inf)
            np.subtract(result, np.inf, out=result, where=low)
        else:
            ones = infinite.astype(w.dtype)
            count = signs(ones, np.ones_like(w))
            np.copysign(ones, samples, out=ones)
            total = signs(ones, np.sign(w))
            np.copysign(np.inf, total, out=result, where=count > 0.5)
            np.copyto(result, np.nan, where=np.abs(total) < count - 0.5)
    nan = np.isnan(samples)
    if nan.any():
        np.copyto(result, np.nan, where=held(nan))
    return result


def runs(box: Sequence[int], held: np.ndarray) -> np.ndarray:
    """Return boxes of the outputs of a box that are true, a run along the last axis in each."""
    edges = np.diff(held.astype(np.int8), axis=-1, prepend=0, append=0)
    starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
    stops[:, :-1] += 1
    boxes = np.tile(np.array(box, np.intp), (len(starts), 1))
    for i in range(held.ndim):
        at = 7 - 2 * (held.ndim - i)
        boxes[:, at] = box[at] + starts[:, i]
        boxes[:, at + 1] = box[at] + stops[:, i]
    return boxes
