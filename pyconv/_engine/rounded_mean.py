"""Means of boxes of 8-bit samples as integers: exact sums, divided and rounded half to even."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms.arranged import view_of, write
from pyconv._engine.algorithms.correlation.direct import WIDE_GROUP, Direct, form_of
from pyconv._engine.algorithms.loop_adapters import CONVERTED, axis_rows
from pyconv._engine.dtypes import LIMITS
from pyconv._engine.problem import Problem, make_problem
from pyconv._native import layout, loader

Array = npt.NDArray[Any]

#: What the loop's sums of a row hold, and those of a box, which are exact in float32.
MAX_ROW, MAX_BOX = 2**15 - 1, 2**24 - 1


def rounded_means(
    x: Array,
    size: tuple[int, ...],
    axes: tuple[int, ...],
    boundary: str | Sequence[str],
    fill_value: complex,
    y: Array,
    *,
    clip: bool,
    strides: tuple[int, ...] = (),
    max_memory: int | None = None,
    workers: int | None,
) -> bool:
    """Write the mean of a box around every sample that is kept to ``y``, which wraps or clips.

    Return whether it was done: boxes along one or two axes whose sums are not too large are, if
    ``max_memory`` bytes are enough.
    """
    if x.dtype.itemsize != 1 or x.size == 0 or len(size) > 2 or y.dtype in CONVERTED:
        return False
    # Copies of the source and of the results may be made.
    room = math.inf if max_memory is None else max_memory - x.nbytes - 2 * x.size * y.itemsize
    if strides:
        every = np.empty(x.shape, y.dtype)
        done = rounded_means(
            x, size, axes, boundary, fill_value, every,
            clip=clip, max_memory=max_memory, workers=workers,
        )  # fmt: skip
        if done:
            kept = [slice(None)] * x.ndim
            for axis, stride in zip(axes, strides, strict=True):
                kept[axis] = slice(None, None, stride)
            y[...] = every[tuple(kept)]
        return done
    view = view_of(x.shape, axes)
    if view is not None:
        seen = np.empty(view.shape, y.dtype)
        where = tuple(view.axis(a) for a in axes)
        if _rounded(view.source(x), size, where, boundary, fill_value, seen, clip, room, workers):
            write(seen, y.transpose(view.order))
            return True
    return _rounded(x, size, axes, boundary, fill_value, y, clip, room, workers)


def _rounded(
    x: Array,
    size: tuple[int, ...],
    axes: tuple[int, ...],
    boundary: str | Sequence[str],
    fill_value: complex,
    y: Array,
    clip: bool,
    room: float,
    workers: int | None,
) -> bool:
    """Write the means as the arrays lie; return whether it was done."""
    problem = make_problem(
        x.shape, x.dtype, size, np.dtype(np.float32), mode="same", boundary=boundary,
        fill_value=fill_value, axes=axes,
    )  # fmt: skip
    fill: Any = problem.fill_value if problem.reads_fill else 0
    if not abs(fill) <= MAX_ROW or fill != int(fill):
        return False
    loop = _loop(loader.native, problem, max(map(abs, (*LIMITS[x.dtype], int(fill)))))
    if loop is None:
        return False
    count = threads.resolve(workers, Direct().threads(problem))
    if room < loop.workspace():
        return False
    count = int(min(count, room // loop.workspace()))
    source = layout.settled(np.ascontiguousarray(x))
    loop.run(source, layout.settled(y), int(fill), clip, count)
    return True


@functools.lru_cache(maxsize=64)
def _loop(native: ModuleType, problem: Problem, reach: int) -> Any:
    """Return the compiled loop, None where sums of samples of such magnitude would not fit."""
    # Along two axes what follows them are samples of a pixel, however many.
    form = form_of(problem, wide=WIDE_GROUP if len(problem.spatial) == 1 else sys.maxsize)
    z, y, x = form.axes
    if z.taps > 1 or reach * x.taps > MAX_ROW or reach * x.taps * y.taps > MAX_BOX:
        return None
    batch = form.batch if z.axis < 0 else (*form.batch, z.axis)
    return native.MeansLoop(
        axis_rows([y, x]), batch, math.prod(problem.x_shape[a] for a in batch), form.group
    )
