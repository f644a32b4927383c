"""One kernel along each axis: several axes in one go, where that means the same.

Real sums of several axes are made in the cache, rows first, then columns (`passes`). That is the
same as one pass after the other unless the passes in between are cut to integers, or read a fill
value that those before them would have changed. Samples of 8 bits are cut in the cache (`fixed`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.planner import kept
from pyconv._engine.problem import MAX_SPATIAL
from pyconv._native import loader
from pyconv.ndimage._weighted_sums import (
    FEW_SAMPLES,
    Window,
    bytes_of,
    cut_sums,
    factored,
    line_sums,
    mean_sums,
    to_truth,
    weighted_sums,
    write,
)

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


#: Writes the passes of ``x`` to an array that may be ``x``.
Smoother = Callable[[Array, Array], None]


def smooth(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write ``x``, correlated along each axis in turn, to ``output``, which may be ``x``."""
    if not passes:
        output[...] = x
    elif output.dtype.kind not in "fc" or x.size == 0:
        one_by_one(x, passes, fill, output)
    else:
        keys = tuple(each.key() for each in passes)
        key = ("smooth", loader.native, x.shape, x.dtype, output.dtype, keys, fill, type(fill))
        kept(key, _planned, x.shape, x.dtype, output.dtype, passes, fill)(x, output)


def _planned(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    dtype: np.dtype,
    passes: Sequence[Pass],
    fill: complex,
) -> Smoother:
    """Plan all passes to an array of floats."""
    steps: list[Smoother] = []
    if math.prod(shape) < FEW_SAMPLES or order_matters(passes, fill):
        for each in passes:
            run = line_sums(shape, x_dtype, each.weights, each.window(fill), dtype)
            plainly = partial(_one_line, each, fill)
            steps.append(plainly if run is None else partial(write, run))
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
    return _in_turn(steps)


def _one_line(each: Pass, fill: complex, x: Array, output: Array) -> None:
    weighted_sums(x, each.weights, each.window(fill), output, line=True)


def _in_turn(steps: Sequence[Smoother]) -> Smoother:
    def run(x: Array, output: Array) -> None:
        for step in steps:
            step(x, output)
            x = output

    return run


def average(x: Array, boxes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write the means of boxes to ``output``, of floats, which may be ``x``."""
    keys = tuple((each.axis, len(each.weights), each.low, each.boundary) for each in boxes)
    key = ("average", loader.native, x.shape, x.dtype, output.dtype, keys, fill, type(fill))
    kept(key, _planned_average, x.shape, x.dtype, output.dtype, boxes, fill)(x, output)


def _planned_average(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    dtype: np.dtype,
    boxes: Sequence[Pass],
    fill: complex,
) -> Smoother:
    steps: list[Smoother] = []
    at_once = 1 if math.prod(shape) < FEW_SAMPLES else MAX_SPATIAL
    for first in range(0, len(boxes), at_once):
        some = boxes[first : first + at_once]
        size = [len(box.weights) for box in some]
        run = mean_sums(shape, x_dtype, size, joint_window(some, fill), dtype)
        steps.append(partial(write, run))
        x_dtype = dtype
    return _in_turn(steps)


def joint_window(passes: Sequence[Pass], fill: complex) -> Window:
    """Return the window of several passes."""
    return Window(
        [each.axis for each in passes],
        [len(each.weights) for each in passes],
        [each.low for each in passes],
        [each.boundary for each in passes],
        fill,
    )


def one_by_one(x: Array, passes: Sequence[Pass], fill: complex, output: Array) -> None:
    """Write the passes, each stored in the dtype of ``output``; for one of bool, in its bytes."""
    if output.dtype.kind == "b":
        one_by_one(x, passes, fill, bytes_of(output))
        to_truth(output)
        return
    if 1 < len(passes) <= MAX_SPATIAL and output.dtype.kind in "iu" and x.size:
        w = np.concatenate([each.weights for each in passes])
        shape = tuple(len(each.weights) for each in passes)
        if cut_sums(x, w, shape, joint_window(passes, fill), output):
            return
    for each in passes:
        weighted_sums(x, each.weights, each.window(fill), output, line=True)
        x = output


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
