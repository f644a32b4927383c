"""Items that lie side by side, a few at a time copied to rows of their own and back.

Where axes follow the last spatial one, the samples of a row lie apart: a line of the cache holds
one of them, and is read again for each of its neighbours. As many items as fill such a line are
copied instead, block by block, are solved as where each lies alone, and their results are copied
back. The bits of an item are the same either way.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np

from pyconv._engine.machine import Machine
from pyconv._engine.problem import Problem
from pyconv._native import layout

#: Bytes of a line of the cache: fewer neighbours are read together as they lie.
LINE_BYTES = 64
#: Samples of the items that are copied at once, from which on that takes less time than it spares.
LEAST_SAMPLES = 1 << 13
#: Room for them and their results.
MOST_BYTES = 64 << 20

#: A sample that is copied, and its result, pass through memory so many times more;
TIMES = 4
#: one that is read where it lies is read, and written, with the rest of its line of the cache and
#: with the line beside that: so many bytes at most,
APART_BYTES = 2 * LINE_BYTES
#: in this part of the time where the arrays stay in the cache.
NEAR = 0.25

#: What solves the problem of a few items.
T = TypeVar("T")


def part_of(real: Problem, parts: int) -> Problem:
    """Return the problem of one part of the samples, of a problem on all parts."""
    if parts == 1:
        return real
    return replace(real, x_shape=real.x_shape[:-1], y_shape=real.y_shape[:-1], whole=None)


def items_at_once(part: Problem) -> int:
    """Return how many items are copied at once; 0 where all are read as they lie.

    The problem is that of one part of the samples.
    """
    last = max(a.axis for a in part.spatial)
    count = LINE_BYTES // min(part.x_dtype.itemsize, part.dtype.itemsize)
    if math.prod(part.x_shape[last + 1 :]) < count:
        return 0
    if count * math.prod(a.size for a in part.spatial) < LEAST_SAMPLES:
        return 0
    return count if _bytes(part, count) <= min(MOST_BYTES, part.max_memory // 4) else 0


def copied_bytes(part: Problem) -> int:
    """Return the bytes of the copies of the items that are solved at once, and of their results."""
    return _bytes(part, items_at_once(part))


def apart_seconds(part: Problem, machine: Machine) -> float:
    """Return what rows whose samples lie apart take more than rows of neighbours."""
    assert part.compute is not None
    item = part.compute.itemsize
    beside = math.prod(part.x_shape[max(a.axis for a in part.spatial) + 1 :])
    if beside == 1:
        return 0.0
    bytes_ = (math.prod(part.x_shape) + math.prod(part.y_shape)) * item
    if items_at_once(part):
        return TIMES * bytes_ / machine.copy_bytes_per_second
    near = bytes_ <= machine.cache_bytes
    times = min(beside, APART_BYTES / item) * (NEAR if near else 1)
    return times * bytes_ / machine.copy_bytes_per_second


def _bytes(part: Problem, count: int) -> int:
    assert part.compute is not None
    samples = math.prod(a.size for a in part.spatial) * part.x_dtype.itemsize
    return count * (samples + math.prod(a.out for a in part.spatial) * part.compute.itemsize)


class Columns(Generic[T]):
    """A problem of so many items at once; ``bind`` makes what solves the problem of them alone."""

    def __init__(self, part: Problem, count: int, bind: Callable[[Problem], T]) -> None:
        self._part, self._count, self._bind = part, count, bind
        self._axes = sorted(a.axis for a in part.spatial)
        self._batch = [a for a in range(self._axes[-1]) if a not in self._axes]
        self._bound: dict[int, T] = {}

    def run(
        self, x: np.ndarray, y: np.ndarray, solve: Callable[[T, np.ndarray, np.ndarray], None]
    ) -> bool:
        """Solve the problem; False, and nothing done, if items do not lie evenly side by side."""
        source, target = self._side_by_side(x), self._side_by_side(y)
        if source is None or target is None:
            return False
        items = source.shape[-1]
        samples = np.empty((self._count, *source.shape[len(self._batch) : -1]), x.dtype)
        results = np.empty((self._count, *target.shape[len(self._batch) : -1]), y.dtype)
        for place in itertools.product(*(range(n) for n in source.shape[: len(self._batch)])):
            for first in range(0, items, self._count):
                taken = slice(first, min(items, first + self._count))
                count = taken.stop - first
                layout.turn_rows(np.moveaxis(source[place][..., taken], -1, 0), samples[:count])
                solve(self._of(count), samples[:count], results[:count])
                target[place][..., taken] = np.moveaxis(results[:count], 0, -1)
        return True

    def _side_by_side(self, a: np.ndarray) -> np.ndarray | None:
        """Return an array with its batch first, one axis of neighbours last, as a view."""
        last = self._axes[-1]
        stride = a.strides[-1]
        for n, step in zip(a.shape[:last:-1], a.strides[:last:-1], strict=True):
            if step != stride:
                return None
            stride *= n
        if a.strides[-1] > 2 * a.itemsize:
            return None
        moved = a.transpose(*self._batch, *self._axes, *range(last + 1, a.ndim))
        return moved.reshape(*moved.shape[: last + 1], -1)

    def _of(self, count: int) -> T:
        """Return what solves the problem of so many items."""
        bound = self._bound.get(count)
        if bound is None:
            spatial = tuple(
                replace(a, axis=1 + self._axes.index(a.axis)) for a in self._part.spatial
            )
            by_axis = sorted(spatial, key=lambda a: a.axis)
            bound = self._bind(
                replace(
                    self._part,
                    x_shape=(count, *(a.size for a in by_axis)),
                    y_shape=(count, *(a.out for a in by_axis)),
                    spatial=spatial,
                    whole=None,
                )
            )
            self._bound[count] = bound
        return bound
