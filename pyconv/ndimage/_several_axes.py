"""One kernel along each axis: several axes in one go, where that means the same.

Real sums of several axes are made in the cache, rows first, then columns (`passes`). That is the
same as one pass after the other unless the passes in between are cut to integers, or read a fill
value that those before them would have changed. Samples of 8 bits are cut in the cache (`fixed`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.planner import kept
from pyconv._engine.problem import MAX_SPATIAL
from pyconv._native import loader
from pyconv.ndimage._weighted_sums import (
    BYTE,
    FEW_SAMPLES,
    Step,
    Window,
    as_truth,
    copied,
    cut_sums,
    factored,
    in_turn,
    line_sums,
    mean_sums,
    weighted_sums,
    write,
)
from pyconv.ndimage._whole import WHOLE, deciding

Array = npt.NDArray[Any]


class Pass(NamedTuple):
    """The weights of a correlation along one axis, and where they read."""

    axis: int
    weights: Array
    low: int
    boundary: str

    def window(self, fill: complex) -> Window:
        """Return the window of this pass."""
        return Window((self.axis,), self.weights.shape, (self.low,), (self.boundary,), fill)

    def key(self) -> tuple[int, bytes, int, str]:
        """Return what tells this pass from others."""
        return self.axis, self.weights.tobytes(), self.low, self.boundary


def smooth(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    passes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan the correlation along each axis in turn."""
    if not passes:
        return copied
    if dtype.kind not in "fc" or 0 in shape:
        return one_by_one(shape, x_dtype, passes, fill, dtype)
    keys = tuple(each.key() for each in passes)
    if WHOLE.windows is not None:
        return _planned(shape, x_dtype, passes, fill, dtype)
    whole = WHOLE.shape, WHOLE.crop
    key = ("smooth", loader.native, shape, x_dtype, dtype, keys, fill, type(fill), whole)
    return kept(key, _planned, shape, x_dtype, passes, fill, dtype)


def _planned(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    passes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan all passes to an array of floats."""
    steps: list[Step] = []
    if math.prod(deciding(shape)) < FEW_SAMPLES or order_matters(passes, fill):
        for each in passes:
            what, window = (shape, x_dtype, each.weights), each.window(fill)
            run = line_sums(*what, window, dtype)
            if run is None:
                steps.append(weighted_sums(*what, window, dtype, line=True))
            else:
                steps.append(partial(write, run))
            x_dtype = dtype
    rest = [] if steps else list(passes)
    while rest:  # in any order: the last axes first
        some = rest[-MAX_SPATIAL:]
        del rest[-MAX_SPATIAL:]
        terms = [[each.weights for each in some]]
        steps.append(
            partial(write, factored(shape, x_dtype, terms, joint_window(some, fill), dtype))
        )
        fill = fill * float(np.prod([each.weights.sum() for each in some])) if rest else fill
        x_dtype = dtype
    return in_turn(steps)


def average(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    boxes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan the means of boxes, which are floats."""
    keys = tuple((each.axis, len(each.weights), each.low, each.boundary) for each in boxes)
    if WHOLE.windows is not None:
        return _planned_average(shape, x_dtype, boxes, fill, dtype)
    whole = WHOLE.shape, WHOLE.crop
    key = ("average", loader.native, shape, x_dtype, dtype, keys, fill, type(fill), whole)
    return kept(key, _planned_average, shape, x_dtype, boxes, fill, dtype)


def _planned_average(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    boxes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    steps: list[Step] = []
    at_once = 1 if math.prod(deciding(shape)) < FEW_SAMPLES else MAX_SPATIAL
    for first in range(0, len(boxes), at_once):
        some = boxes[first : first + at_once]
        size = [len(box.weights) for box in some]
        run = mean_sums(shape, x_dtype, size, joint_window(some, fill), dtype)
        steps.append(partial(write, run))
        x_dtype = dtype
    return in_turn(steps)


def joint_window(passes: Sequence[Pass], fill: complex) -> Window:
    """Return the window of several passes."""
    return Window(
        [each.axis for each in passes],
        [len(each.weights) for each in passes],
        [each.low for each in passes],
        [each.boundary for each in passes],
        fill,
    )


def one_by_one(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    passes: Sequence[Pass],
    fill: complex,
    dtype: np.dtype,
) -> Step:
    """Plan the passes, each stored in the dtype of the result; for one of bool, in its bytes."""
    if dtype.kind == "b":
        return as_truth(one_by_one(shape, x_dtype, passes, fill, BYTE))
    if 1 < len(passes) <= MAX_SPATIAL and dtype.kind in "iu" and 0 not in shape:
        w = np.concatenate([each.weights for each in passes])
        w_shape = tuple(len(each.weights) for each in passes)
        step = cut_sums(shape, x_dtype, w, w_shape, joint_window(passes, fill), dtype)
        if step is not None:
            return step
    steps = []
    for each in passes:
        window = each.window(fill)
        steps.append(weighted_sums(shape, x_dtype, each.weights, window, dtype, line=True))
        x_dtype = dtype
    return in_turn(steps)


def joint(
    shape: tuple[int, ...], terms: Sequence[Sequence[Pass]], fill: complex, dtype: np.dtype
) -> tuple[list[list[Array]], Window] | None:
    """Return some filters as product kernels that read alike, and where; None if they do not."""
    if dtype.kind not in "fc" or math.prod(deciding(shape)) < FEW_SAMPLES or 0 in shape:
        return None
    where = {tuple((each.axis, each.low, each.boundary) for each in term) for term in terms}
    if len(terms) == 1 or len(where) > 1 or not 1 < len(terms[0]) <= MAX_SPATIAL:
        return None
    # Zeros at the ends of factors would not be read, and SciPy multiplies NaN by them.
    if not all(each.weights[0] and each.weights[-1] for term in terms for each in term):
        return None
    if any(order_matters(term, fill) for term in terms):
        return None
    return [[each.weights for each in term] for term in terms], joint_window(terms[0], fill)


def order_matters(passes: Sequence[Pass], fill: complex) -> bool:
    """Return whether a pass reads fill values that those before it change."""
    if fill == 0:
        return False
    changed = False
    for each in passes:
        if each.boundary == "constant" and changed:
            return True
        changed = changed or abs(each.weights.sum() - 1) > 2.0**-40
    return False
