"""Filters between two rates of samples, and banks of one filter a line: planned, bound, run.

    y[n] = Σ_j h[p + j·up] · x[m − j]   with   n·down + start = m·up + p,  0 ≤ p < up

One loop goes through the phases p in turn, on as many lines side by side as vectors hold. Whatever
the threads, and however lines are cut into pieces, an output adds its products in the order of its
samples, the oldest first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import kept
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Samples or outputs of a piece of a line, whichever are more, that stay in the cache with those of
#: the lines beside it.
ROWS = 1024
#: Samples or outputs of a period, and taps, up to which a piece of one period is worth it.
MOST = 8192
#: Neighbouring lines from which no line is transposed, as a part of those of a panel.
SHARE = 2
#: Seconds of a product on one thread. Measured on a Xeon (AVX-512), 2026-11-30.
PRODUCT_SECONDS = 5e-11


class Rate(NamedTuple):
    """Where the outputs of a filter lie between the samples."""

    up: int
    down: int
    #: The first output, counted at `up` times the rate of the samples.
    start: int
    outputs: int

    @property
    def phases(self) -> int:
        """Outputs after which the weights of one are those of another again."""
        return self.up // math.gcd(self.up, self.down)

    @property
    def step(self) -> int:
        """Samples between two such outputs."""
        return self.down // math.gcd(self.up, self.down)


class Outside(NamedTuple):
    """What is read outside an axis."""

    boundary: str = "constant"
    fill: float = 0


OUTSIDE = Outside()


def takes(rate: Rate, taps: int) -> bool:
    """Return whether the loop is made for a filter of so many taps."""
    return max(rate.phases, rate.step, -(-taps // rate.up)) <= MOST


class Bound:
    """A filter bound to shapes: it holds no workspace, and threads may share it."""

    __slots__ = ("_length", "_own", "_places", "_rate", "_sums", "loop", "seconds", "y_shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        axis: int,
        sums: np.dtype,
        taps: int,
        rate: Rate,
        outside: Outside,
        own: Array | None,
    ) -> None:
        self._sums, self._rate, self._length, self._own = sums, rate, taps, own
        size = shape[axis]
        inner = math.prod(shape[axis + 1 :])
        lines = math.prod(shape) // size
        self.y_shape = (*shape[:axis], rate.outputs, *shape[axis + 1 :])
        phases = [divmod(rate.start + r * rate.down, rate.up) for r in range(rate.phases)]
        #: The first weight of each phase, and the sample that it is multiplied to.
        self._places = phases
        counts = [len(range(p, taps, rate.up)) for _, p in phases]
        common = min(counts)
        lows = [m - count + 1 for (m, _), count in zip(phases, counts, strict=True)]
        origin = min(lows)
        first = [m - common + 1 - origin for m, _ in phases]
        more = [count - common for count in counts]
        m, _ = divmod(rate.start + (rate.outputs - 1) * rate.down, rate.up)
        low, high = max(0, -origin), max(0, max(m, *(m for m, _ in phases)) - (size - 1))
        width = loader.native.recursive_width(sums)
        abreast = are_abreast(shape, axis, sums)
        periods = -(-rate.outputs // rate.phases)
        fair = periods if abreast else -(-periods * lines // width)
        whole = max(1, min(ROWS // max(rate.phases, rate.step), fair))
        batch = tuple(a for a in range(len(shape)) if a != axis and (not abreast or a < axis))
        n_lines = math.prod(shape[a] for a in batch)
        index = BOUNDARIES[outside.boundary].index
        before = index(np.arange(-low, 0, dtype=np.intp), size)
        after = index(np.arange(size, size + high, dtype=np.intp), size)
        row = axis, size, rate.outputs, low, 1, 1, 1, before, after
        self.loop = loader.native.PolyphaseLoop(
            sums, row, batch, n_lines, inner if abreast else 1, abreast, rate.step, first, more,
            common, origin, size + high, whole * rate.phases, own,
        )  # fmt: skip
        self.seconds = PRODUCT_SECONDS * math.prod(self.y_shape) * max(counts)

    def weights(self, h: Array) -> Array:
        """Return the weights of each phase as the loop reads them."""
        if self._own is not None:
            return np.ascontiguousarray(h[:, ::-1], self._sums)
        common = min(len(range(p, self._length, self._rate.up)) for _, p in self._places)
        w = np.zeros((len(self._places), common + 1), self._sums)
        for row, (_, p) in zip(w, self._places, strict=True):
            taps = h[p :: self._rate.up]
            row[:common] = taps[:common][::-1]
            row[common:] = taps[common : common + 1] if taps.size > common else 0
        return w

    def run(
        self,
        x: Array,
        h: Array,
        y: Array,
        fill: float,
        clip: bool = False,
        workers: int | None = None,
    ) -> None:
        """Write the results of an array to another, which shares no memory with it.

        Integers are rounded, and clipped or wrapped.
        """
        count = threads.resolve(workers, MACHINE.threads_for(self.seconds))
        w, outside = self.weights(h), np.array([fill], self._sums)
        if count == 1:
            self.loop.run(x, w, y, outside, clip, 1)
            return
        with threads.running():
            self.loop.run(x, w, y, outside, clip, count)


def resampled(
    x: Array, h: Array, axis: int, rate: Rate, dtype: np.dtype, outside: Outside
) -> Array:
    """Return the results of a filter of real weights, of a dtype of floats."""
    sums = np.empty(0, dtype).real.dtype
    is_complex = x.dtype.kind == "c"
    key = (
        "polyphase", loader.native, x.shape, axis, dtype, is_complex, h.size, rate,
        outside.boundary,
    )  # fmt: skip
    if is_complex:
        source = np.ascontiguousarray(x, dtype)
        y = empty((*x.shape[:axis], rate.outputs, *x.shape[axis + 1 :]), dtype)
        parts = (*x.shape, 2)
        bound = kept(key, Bound, parts, axis, sums, h.size, rate, outside, None)
        bound.run(
            source.view(sums).reshape(parts), h, y.view(sums).reshape((*y.shape, 2)), outside.fill
        )
        return y
    bound = kept(key, Bound, x.shape, axis, sums, h.size, rate, outside, None)
    y = empty(bound.y_shape, sums)
    bound.run(readable(x, axis, sums), h, y, outside.fill)
    return y


def filtered_each(
    x: Array,
    filters: Array,
    own: Array,
    axis: int,
    start: int,
    count: int,
    step: int = 1,
    outside: Outside = OUTSIDE,
    y: Array | None = None,
    clip: bool = False,
    workers: int | None = None,
) -> Array:
    """Return every `step`-th output of convolutions, of each line with one of the filters.

    ``own`` is the filter of each line, in the order of their axes. All are real numbers; ``y``
    may be an array of integers, which are rounded, and clipped or wrapped.
    """
    sums = filters.dtype
    rate, taps = Rate(1, step, start, count), filters.shape[1]
    key = "bank", loader.native, x.shape, axis, sums, taps, rate, outside.boundary, own.tobytes()
    bound = kept(key, Bound, x.shape, axis, sums, taps, rate, outside, own)
    y = empty(bound.y_shape, sums) if y is None else y
    bound.run(readable(x, axis, sums), filters, y, outside.fill, clip, workers)
    return y


def are_abreast(shape: tuple[int, ...], axis: int, sums: np.dtype) -> bool:
    """Return whether lines along an axis are neighbours, so many that no line is transposed."""
    inner = math.prod(shape[axis + 1 :])
    return inner > 1 and SHARE * inner >= loader.native.recursive_width(sums)


def readable(x: Array, axis: int, sums: np.dtype) -> Array:
    """Return an array as the loop reads it: of real numbers, contiguous behind the axis."""
    if not x.dtype.isnative or x.dtype == np.float16:
        x = x.astype(sums)
    if math.prod(x.shape[axis + 1 :]) > 1:
        return np.ascontiguousarray(x)
    return x
