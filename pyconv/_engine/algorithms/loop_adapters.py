"""Cast problems and arrays into what the compiled loops take, and their sums into results.

The loops sum float32, float64 and 64-bit integers, along axes z, y and x given as numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import Copies, Run, UnfitDataError
from pyconv._engine.dtypes import narrow
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.problem import Axis, Problem
from pyconv._native import layout, loader

#: Runs a compiled loop: x, w in the dtype of the sums, y, whether to clip, threads.
Loop = Callable[[np.ndarray, np.ndarray, np.ndarray, bool, int], None]
#: Binds a loop to a real problem with one fill value for each part of a sample.
BindLoop = Callable[[Problem, np.ndarray], Loop]

#: Stands for an axis that the problem does not have.
ABSENT = Axis(-1, 1, 1, 0, 0, 1, 1, "constant", 1)
#: A trailing batch axis at least this long becomes the columns of the tile.
WIDE_GROUP = 64
#: A single row at least this long is worth a line tile (the longest has 320 outputs).
LONG_LINE = 320
#: Rows of more bytes each are worth it though there are several; a tile of several rows reads what
#: the one above reads too, and where a line tile sums in the same order either may run. Measured on
#: Zen 4 with AVX-512: 3 to 16 taps took up to 2.1 times as long by lines below it, 0.8 above it.
LONG_ROW = 2**13
#: Rows of a tile.
TILE_ROWS = 8
#: Rows that read so many samples each are packed one at a time.
LONG_SPAN = 2**14
_NONE_OUTSIDE = (np.empty(0, np.intp), np.empty(0, np.intp))


def plain_axis(axis: int, size: int) -> Axis:
    """Return a batch axis as a spatial axis on which the kernel has one tap."""
    return Axis(axis, size, 1, 0, 0, 1, 1, "constant", size)


def axis_rows(axes: Sequence[Axis]) -> list[tuple[object, ...]]:
    """Return the numbers of each axis in the order of the loops' `read_axis`."""
    return [
        (
            a.axis,
            a.size,
            a.out,
            a.low,
            a.taps,
            a.stride,
            a.dilation,
            *(_NONE_OUTSIDE if a is ABSENT else a.outside()),
        )
        for a in axes
    ]


class Form(NamedTuple):
    """A problem as the loops of tiles and of rows want it.

    Axes z, y, x are in the order of ``x``'s axes, batch axes in front, and trailing batch axes
    folded into the columns as *groups*: along a row of pixels of C samples, taps are C samples
    apart.
    """

    axes: tuple[Axis, Axis, Axis]
    #: The kernel axis of each of them, −1 where there is none.
    w_axes: tuple[int, int, int]
    #: Axes of ``x`` that are looped over.
    batch: tuple[int, ...]
    #: Samples of a pixel: the product of the axes behind the last spatial one.
    group: int
    line: bool
    #: Whether the taps of a line are summed in the order in which vectors share what they load.
    shared: bool


def form_of(problem: Problem, wide: int = WIDE_GROUP) -> Form:
    """Cast ``problem``; only shapes decide, so that every memory layout sums in one order."""
    ndim = len(problem.x_shape)
    order = sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)
    spatial = [(problem.spatial[i], i) for i in order]
    last = spatial[-1][0].axis
    batch = [a for a in range(last) if all(s.axis != a for s, _ in spatial)]
    group = math.prod(problem.x_shape[last + 1 :])
    wholly = math.prod(problem.deciding.x_shape[last + 1 :])
    line = shared = False
    if wholly >= wide and len(spatial) < 3:  # columns are the trailing axes themselves
        spatial.append((plain_axis(ndim - 1, group), -1))
        group = 1
    elif len(spatial) == 1:
        x = spatial[0][0]
        shared = _is_shared(problem)
        rows = max(batch, key=lambda a: (min(problem.x_shape[a], TILE_ROWS), a), default=-1)
        line = rows < 0 or problem.x_shape[rows] == 1
        line = line or (shared and _are_lines(problem, x, group))
        if not line:  # rows: another batch axis
            batch.remove(rows)
            spatial.insert(0, (plain_axis(rows, problem.x_shape[rows]), -1))
    spatial = [(ABSENT, -1)] * (3 - len(spatial)) + spatial
    (z, zw), (y, yw), (x, xw) = spatial
    return Form((z, y, x), (zw, yw, xw), tuple(batch), max(group, 1), line, shared)


def line_form(problem: Problem) -> Form:
    """Cast a problem of one axis as lines, each by itself; what follows is parts of a sample."""
    (x,) = problem.spatial
    group = math.prod(problem.x_shape[x.axis + 1 :])
    axes = (ABSENT, ABSENT, x)
    return Form(axes, (-1, -1, 0), tuple(range(x.axis)), group, True, _is_shared(problem))


def _is_shared(problem: Problem) -> bool:
    """Return whether taps along an axis are summed in the order in which vectors share loads.

    An item is summed in one order, alone and in a batch.
    """
    deciding = problem.deciding
    (x,) = deciding.spatial
    group = math.prod(deciding.x_shape[x.axis + 1 :])
    return x.out * group >= LONG_LINE or x.span * group >= LONG_SPAN


def _are_lines(problem: Problem, x: Axis, group: int) -> bool:
    """Return whether long rows of a batch are summed one by one.

    They have to be where the order of their taps is not that of several rows at once.
    """
    item = 8 if problem.compute is None else max(4, problem.compute.itemsize)
    if x.taps * x.dilation * group > loader.native.vector_bytes() // item:
        return True
    return x.out * group * item > LONG_ROW or x.span * group >= LONG_SPAN


def longest_reach(axes: Sequence[Axis]) -> int:
    """Return the longest span or pad of any axis."""
    return max(max(a.span, a.low, a.high) for a in axes)


class LayerCut(NamedTuple):
    """How the loop of a layer cuts its work and its sums: numbers that the loop trusts."""

    #: Pixels are the rows of the tile, else output channels.
    by_pixel: bool = False
    #: Pixels are read from the copy, not from panels.
    unpacked: bool = False
    #: The last pixels, which are summed by dot products.
    dots: int = 0
    #: Output channels of a panel of weights, if pixels are the rows.
    k_panel: int = 0
    #: Channels of a chunk.
    chunk: int = 1
    #: The weights are packed.
    packed: bool = True
    #: Columns of a panel of pixels.
    width: int = 1
    #: Pixels of a unit.
    unit: int = 1
    #: Shares of the output channels, each a unit of its own.
    shares: int = 1
    #: Terms that are summed in one go.
    block: int = 1
    #: Blocks of a gradient's pixels that are summed in one go.
    summed: int = 1


def layer_axes(problem: LayerProblem) -> list[tuple[object, ...]]:
    """Return the numbers of the axes z, y and x of a layer."""
    return axis_rows([ABSENT] * (3 - len(problem.spatial)) + list(problem.spatial))


def layer_loop(
    problem: LayerProblem, axes: list[tuple[object, ...]], cut: LayerCut, native: Any
) -> Any:
    """Return the compiled loop of a layer whose axes are those of `layer_axes`."""
    return native.LayerLoop(
        problem.dtype,
        problem.batch,
        problem.groups,
        problem.in_channels // problem.groups,
        problem.out_channels // problem.groups,
        axes,
        cut,
    )


def copies(problem: Problem, folded: int | None = None) -> Copies:
    """Return what `bind_loop` copies.

    Where ``folded`` or more axes follow the spatial ones the loop needs them contiguous.
    """
    sums = problem.compute
    assert sums is not None
    trailing = len(problem.x_shape) - 1 - max(a.axis for a in problem.spatial)
    if sums.kind != "c":
        sample = 4 if problem.x_dtype == np.float16 else 0
        result = 0
        if problem.dtype in CONVERTED:
            result = ROUNDED * sums.itemsize + problem.dtype.itemsize
        return Copies(sample, result, folded is not None and trailing >= folded)
    sample = 0 if problem.x_dtype == sums else sums.itemsize
    result = 0 if problem.dtype == sums else sums.itemsize
    if problem.w_dtype.kind == "c":
        result += 2 * sums.itemsize
    return Copies(sample, result, packed=True)


def bind_loop(problem: Problem, bind: BindLoop) -> Run:
    """Bind a compiled loop to a problem of any dtype that its sums can hold."""
    if problem.compute is not None and problem.compute.kind == "c":
        return _bind_parts(problem, bind)
    return _bind_real(problem, bind, np.array([problem.fill_value]))


def _bind_real(problem: Problem, bind: BindLoop, fill: np.ndarray) -> Run:
    sums, result = problem.compute, problem.dtype
    assert sums is not None
    with np.errstate(all="ignore"):  # IEEE: too large for the sums is infinite
        loop = bind(problem, fill.astype(sums))
    clip = problem.overflow == "saturate"
    converted = result in CONVERTED

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        if not converted and layout.usual(x, w, y, sums, result):
            loop(x, w, y, clip, workers)
            return
        x = addressable(x)
        w = loadable(w, sums)
        y = layout.settled(y)
        if not (converted if y.dtype == result else y.dtype in CONVERTED):
            loop(x, w, y, clip, workers)
            return
        total = np.empty(y.shape, sums)
        loop(x, w, total, False, workers)
        with np.errstate(all="ignore"):
            y[...] = narrow(total, y.dtype, problem.overflow)

    return run


#: The loops write every type but these.
CONVERTED = (np.float16, np.bool, np.complex64, np.complex128)
#: Copies of the sums that there are while `narrow` makes such of them, at most.
ROUNDED = 3


def addressable(x: np.ndarray) -> np.ndarray:
    """Return ``x`` as the loops read it: aligned, in native byte order, its strides settled."""
    if layout.readable(x):
        return layout.settled(x)
    native = x.dtype.newbyteorder("=")
    return x.astype(np.float32 if native == np.float16 else native, order="C")


def loadable(w: np.ndarray, sums: np.dtype) -> np.ndarray:
    """Return weights in the dtype of the sums, aligned, their strides settled."""
    return layout.settled(w if w.dtype == sums and layout.readable(w) else w.astype(sums))


class Patches:
    """Plain sums of boxes of outputs, which an algorithm that is no plain sum leaves out.

    For a real problem that is not exact, or one part of its samples; the loop is made when there is
    a box.
    """

    def __init__(self, real: Problem, parts: int) -> None:
        self._real, self._parts = real, parts
        self._loop: Any = None

    def run(
        self,
        boxes: np.ndarray,
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray,
        fill: np.generic,
        clip: bool,
        workers: int,
    ) -> None:
        """Write the results of ``boxes``: the item of all batch axes, from and to along z, y, x."""
        if self._loop is None:
            self._loop = self._made()
        least = self._loop.workspace()
        if least > self._real.max_memory:
            raise UnfitDataError
        workers = min(workers, self._real.max_memory // least)
        value = np.array([fill], self._real.compute)
        self._loop.run_boxes(x, w, y, value, clip, workers, np.asarray(boxes, np.intp))

    def _made(self) -> Any:
        real = self._real
        order = sorted(range(len(real.spatial)), key=lambda i: real.spatial[i].axis)
        axes = [real.spatial[i] for i in order]
        absent = 3 - len(axes)
        shape = real.x_shape[: len(real.x_shape) - (self._parts - 1)]
        spatial = {a.axis for a in axes}
        batch = [a for a in range(len(shape)) if a not in spatial]
        return loader.native.DirectLoop(
            real.compute,
            axis_rows([ABSENT] * absent + axes),
            [-1] * absent + order,
            batch,
            math.prod(shape[a] for a in batch),
            1,
            len(axes) == 1,
            True,
            real.flip,
        )


def on_real_parts(problem: Problem) -> tuple[Problem, int]:
    """Return the real problem that a loop solves, and the parts of a sample: 1, or 2."""
    if problem.compute is None or problem.compute.kind != "c":
        return problem, 1
    part = np.dtype(np.float32 if problem.compute == np.complex64 else np.float64)
    return problem.on_parts(part), 2


def _bind_parts(problem: Problem, bind: BindLoop) -> Run:
    """Sum Re w and Im w over the parts of x:  (a + ib)(c + id) = (a + ib)c + i(a + ib)d."""
    sums = problem.compute
    real, _ = on_real_parts(problem)
    value = complex(problem.fill_value)
    run_part = _bind_real(real, bind, np.array([value.real, value.imag]))
    w_complex = problem.w_dtype.kind == "c"
    sign = 1 if problem.flip else -1  # correlation conjugates the weights

    def parts(a: np.ndarray) -> np.ndarray:
        return a[..., np.newaxis].view(real.compute)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        x = np.ascontiguousarray(x, dtype=sums)
        w = w.astype(sums)
        total = y if y.dtype == sums else np.empty(y.shape, sums)
        run_part(parts(x), w.real, parts(total), workers)
        if w_complex:
            turned = np.empty(y.shape, sums)
            run_part(parts(x), w.imag, parts(turned), workers)
        with np.errstate(all="ignore"):  # as compiled loops have it
            if w_complex:
                total.real -= sign * turned.imag
                total.imag += sign * turned.real
            if total is not y:
                y[...] = total

    return run
