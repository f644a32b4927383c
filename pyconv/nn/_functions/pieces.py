"""Layers and pools of arrays that are made a piece at a time.

The batch and the spatial axes are cut. All channels are read for a result of a layer; a pool has
those that the chunk has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from pyconv._dask.door import answered, is_chunked
from pyconv._engine.dtypes import native_dtype
from pyconv._engine.layer_problem import Options, make_layer_problem
from pyconv._engine.problem import flag, memory_limit
from pyconv._pieces.layers import layer_method, layer_reaches, part_of_layer
from pyconv._pieces.plan import Array, PiecePlan, Source
from pyconv._pieces.reach import Reach, Run
from pyconv.nn._functions import arguments, convolution_calls, pooling
from pyconv.nn._functions.windows import Windows, out_shape, pool_windows


def layer_pieces(kind: str, x: Any, *call: Any) -> Any:
    """Return the plan, or the dask array, of a layer or a pool."""
    return CALLS[kind](x, *call)


# ---- convolutions -----------------------------------------------------------------------------


def _conv(
    x: Any,
    n: int,
    weights: tuple[Any, Any],
    options: Options,
    out: object,
    how: convolution_calls.Execution,
) -> Any:
    w, bias = (v if v is None or is_chunked(v) else np.array(v) for v in weights)
    method, max_memory, workers = how
    planned = partial(ConvPiecePlan, n, w, bias, options, method, max_memory)
    others = (("weight", w), ("bias", bias))
    return answered(planned, x, out=out, workers=workers, argument="input", others=others)


class ConvPiecePlan(PiecePlan):
    """A convolution layer."""

    def __init__(
        self,
        n: int,
        w: Array,
        bias: Array | None,
        options: Options,
        method: str,
        max_memory: int | None,
        source: Source,
    ) -> None:
        call = convolution_calls.LayerCall(n, source.zeros(), w, bias)
        problem = make_layer_problem(call.x.shape, call.w.shape, call.part, options)
        call.check_bias()
        if max_memory is not None:
            problem = problem.within(memory_limit(max_memory), 0)
        self._n, self._w, self._bias, self._max_memory = n, w, bias, max_memory
        self._problem = problem.within(math.inf, 0)
        self._method = layer_method(problem, method)
        before = len(source.shape) - n - 1
        reaches = layer_reaches(self._problem, self._method, before)
        super().__init__(f"conv{n}d-{self._method}", source, reaches, call.dtype)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        call = convolution_calls.LayerCall(self._n, block, self._w, self._bias)
        part = part_of_layer(self._problem, call.x.shape, runs[-self._n :])
        return convolution_calls.solved(call, part, None, (self._method, self._max_memory, workers))


# ---- pools ------------------------------------------------------------------------------------


def _max_pool(
    x: Any, n: int, given: tuple[Any, ...], return_indices: object, workers: int | None
) -> Any:
    plans = [partial(MaxPoolPlan, n, given, False)]
    if flag(return_indices, "return_indices"):
        plans.append(partial(MaxPoolPlan, n, given, True))
    parts = [answered(plan, x, workers=workers, argument="input") for plan in plans]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _avg_pool(
    x: Any, n: int, given: tuple[Any, ...], divisor_override: object, workers: int | None
) -> Any:
    planned = partial(AvgPoolPlan, n, given, pooling.divisor_of(divisor_override))
    return answered(planned, x, workers=workers, argument="input")


class _PoolPlan(PiecePlan):
    """A pool."""

    #: The dtypes of samples.
    allowed: Sequence[np.dtype] = arguments.FLOATS

    def __init__(
        self, verb: str, n: int, given: tuple[Any, ...], dtype: Any, source: Source
    ) -> None:
        x, sizes = pooling.spatial(source.zeros(), n, self.allowed)
        self._windows = windows = pool_windows(sizes, *given)
        before = x.ndim - n
        arguments.check_addressable((*x.shape[:before], *out_shape(windows)), 8)
        reaches = [self._reach(before + i, w, windows) for i, w in enumerate(windows)]
        dtype = native_dtype(x.dtype) if dtype is None else dtype
        super().__init__(f"{verb}{n}d", source, reaches, dtype)

    def _reach(self, axis: int, w: Windows, windows: list[Windows]) -> Reach:
        span = (w.taps - 1) * w.dilation + 1
        return Reach(axis, w.size, w.out, w.low, span, w.stride, place=span // 2 - w.low)

    def _part(self, runs: list[Run]) -> list[Windows]:
        """Return the windows of a piece."""
        runs = runs[-len(self._windows) :]
        # A window that sticks out of a piece sticks out of the array: what counts is the same.
        return [
            w._replace(size=run.read.size, out=run.out, low=w.low - run.first)
            for w, run in zip(self._windows, runs, strict=True)
        ]


class MaxPoolPlan(_PoolPlan):
    """The largest samples of windows, or where they are."""

    allowed = pooling.SAMPLES

    def __init__(self, n: int, given: tuple[Any, ...], where: bool, source: Source) -> None:
        self._where = where
        verb = "max-pool-indices" if where else "max-pool"
        super().__init__(verb, n, given, np.dtype(np.int64) if where else None, source)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        y = pooling.largest(block, self._part(runs), self._where, workers, self._windows)
        if not isinstance(y, tuple):
            return y
        indices = y[1]
        n = len(self._windows)
        places = np.unravel_index(np.maximum(indices, 0), block.shape[-n:])
        starts = [run.read.start for run in runs[-n:]]
        moved = [place + start for place, start in zip(places, starts, strict=True)]
        plane = np.ravel_multi_index(moved, [w.size for w in self._windows])
        return np.where(indices < 0, -1, plane)


class AvgPoolPlan(_PoolPlan):
    """Averages of windows."""

    def __init__(self, n: int, given: tuple[Any, ...], divisor: float, source: Source) -> None:
        self._divisor = divisor
        super().__init__("avg-pool", n, given, None, source)

    def _reach(self, axis: int, w: Windows, windows: list[Windows]) -> Reach:
        reach = super()._reach(axis, w, windows)
        return Neighbours(**{f.name: getattr(reach, f.name) for f in fields(reach)}, taps=w.taps)

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        return pooling.average(block, self._part(runs), self._divisor, workers, self._windows)


@dataclass(frozen=True, slots=True)
class Neighbours(Reach):
    """The reach of averages: as many windows as one has samples are added side by side.

    Fewer are added one by one, in another order, so that a piece has no fewer of those that lie
    inside the array if that has as many.
    """

    taps: int = 1

    def run(self, start: int, stop: int) -> Run:
        """Return how some results are made, with others beside them."""
        first = -(-self.low // self.stride) if self.low > 0 else 0
        last = min(self.out, (self.size + self.low - self.span) // self.stride + 1)
        inside = min(stop, last) - max(start, first)
        if not 0 < inside < self.taps <= last - first:
            return Reach.run(self, start, stop)
        begin = max(first, max(start, first) - (self.taps - inside))
        end = max(stop, begin + self.taps)
        run = Reach.run(self, min(start, begin), end)
        return run._replace(skipped=start - run.start)


CALLS: dict[str, Callable[..., Any]] = {
    "conv": _conv,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
}
