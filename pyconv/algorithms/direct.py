"""direct: sums of products by register tiles, borders padded a strip at a time.

This file casts a problem into the form of the compiled loop: axes z, y, x in the order of
``x``'s axes, batch axes in front, and trailing batch axes folded into the columns as *groups*:
along a row of pixels of C samples, taps are C samples apart.
"""

import math
from typing import NamedTuple

import numpy as np

from pyconv._native import loader
from pyconv.algorithms.base import Run, summation_bound
from pyconv.dtypes import narrow
from pyconv.machine import MACHINE, Machine
from pyconv.problem import Axis, Problem

#: Kernels that span more samples than this, or need longer pads, would need large buffers.
MAX_SPAN = 2**22
MAX_WORKSPACE = 64 << 20
#: A trailing batch axis at least this long becomes the columns of the tile.
WIDE_GROUP = 64
#: A single row at least this long is worth a line tile (the longest has 320 outputs).
LONG_LINE = 320

_ABSENT = Axis(-1, 1, 1, 0, 0, 1, 1, "constant", 1)
_EMPTY = np.empty(0, np.intp)


class Form(NamedTuple):
    """A problem as the compiled loop wants it."""

    axes: tuple[Axis, Axis, Axis]
    #: The kernel axis of each of them, −1 where there is none.
    w_axes: tuple[int, int, int]
    #: Axes of ``x`` that are looped over.
    batch: tuple[int, ...]
    #: Samples of a pixel: the product of the axes behind the last spatial one.
    group: int
    line: bool


def _plain(axis: int, size: int) -> Axis:
    """Return a batch axis as a spatial axis on which the kernel has one tap."""
    return Axis(axis, size, 1, 0, 0, 1, 1, "constant", size)


def form_of(problem: Problem, wide: int = WIDE_GROUP) -> Form:
    """Cast ``problem``; only shapes decide, so that every memory layout sums in one order."""
    ndim = len(problem.x_shape)
    order = sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)
    spatial = [(problem.spatial[i], i) for i in order]
    last = spatial[-1][0].axis
    batch = [a for a in range(last) if all(s.axis != a for s, _ in spatial)]
    group = math.prod(problem.x_shape[last + 1 :])
    line = False
    if group >= wide and len(spatial) < 3:  # columns are the trailing axes themselves
        spatial.append((_plain(ndim - 1, group), -1))
        group = 1
    elif len(spatial) == 1:
        line = spatial[0][0].out * group >= LONG_LINE
        if not line and batch:  # rows of a short line: another batch axis
            rows = batch.pop()
            spatial.insert(0, (_plain(rows, problem.x_shape[rows]), -1))
    spatial = [(_ABSENT, -1)] * (3 - len(spatial)) + spatial
    (z, zw), (y, yw), (x, xw) = spatial
    return Form((z, y, x), (zw, yw, xw), tuple(batch), max(group, 1), line)


class Direct:
    """Register tiles over the valid region."""

    name = "direct"

    def rejects(self, problem: Problem) -> str | None:
        """Return why the compiled loop cannot take the problem."""
        if problem.compute == object:
            return "the exact sums need integers wider than 64 bits"
        longest = max(max(a.span, a.low, a.high) for a in problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if problem.y_shape and self.workspace(problem) > MAX_WORKSPACE:
            return f"the dilated kernel needs a buffer of more than {MAX_WORKSPACE} bytes"
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        item = max(4, problem.compute.itemsize)
        if problem.compute.kind in "iu":
            item *= 4  # 64-bit integer products take several instructions
        work = problem.products * item / machine.direct_bytes_per_second
        samples = math.prod(problem.x_shape) + math.prod(problem.y_shape)
        return max(work, samples * item / machine.copy_bytes_per_second)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the padded buffer and the tables."""
        form = form_of(problem)
        z, y, x = form.axes
        item = max(4, problem.compute.itemsize)
        span = (x.span - 1) // x.stride + 1
        rows = 16 + -(-y.taps // math.gcd(y.stride, y.dilation))
        return z.taps * rows * (256 + span * form.group) * item

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        if problem.compute.kind == "c":
            return _bind_complex(problem)
        fill = np.array([problem.fill_value])
        return _bind_real(problem, form_of(problem), fill)


def _bind_real(problem: Problem, form: Form, fill: np.ndarray) -> Run:
    sums, result = problem.compute, problem.dtype
    tables = [(a.outside() if a is not _ABSENT else (_EMPTY, _EMPTY)) for a in form.axes]
    loop = loader.native.DirectLoop(
        sums,
        [
            (a.axis, a.size, a.out, a.low, a.taps, a.stride, a.dilation, *table)
            for a, table in zip(form.axes, tables, strict=True)
        ],
        form.w_axes,
        form.batch,
        math.prod(problem.x_shape[a] for a in form.batch),
        form.group,
        form.line,
        problem.flip,
    )
    fill = fill.astype(sums)
    folded = len(problem.x_shape) - 1 - max(a.axis for a in problem.spatial)
    clip = problem.overflow == "saturate"
    # The loop emits every type but these; a rounded or a half-precision result is converted.
    rounded = sums.kind == "f" and not problem.exact and result.kind in "iu"
    detour = rounded or result in (np.float16, np.bool, np.complex64, np.complex128)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        x = _readable(x, folded)
        if w.dtype != sums:
            w = w.astype(sums)
        if not detour:
            loop.run(x, w, y, fill, clip, workers)
            return
        total = np.empty(y.shape, sums)
        loop.run(x, w, total, fill, False, workers)
        with np.errstate(invalid="ignore"):
            y[...] = narrow(total, result, problem.overflow)

    return run


def _readable(x: np.ndarray, folded: int) -> np.ndarray:
    """Return ``x`` as the loop can address it: native, aligned, its folded axes one run."""
    flags = x.flags
    if not (flags.aligned and x.dtype.isnative) or x.dtype == np.float16:
        native = x.dtype.newbyteorder("=")
        return x.astype(np.float32 if native == np.float16 else native, order="C")
    if folded > 1 and not flags.c_contiguous:
        trailing = zip(x.shape[: -folded - 1 : -1], x.strides[: -folded - 1 : -1], strict=True)
        run = 0
        for length, stride in trailing:
            if length > 1:
                if run and stride != run:
                    return np.ascontiguousarray(x)
                run = stride * length
    return x


def _bind_complex(problem: Problem) -> Run:
    """Sum Re w and Im w over the parts of x:  (a + ib)(c + id) = (a + ib)c + i(a + ib)d."""
    sums = problem.compute
    part = problem.on_parts(np.dtype(np.float32 if sums == np.complex64 else np.float64))
    form = form_of(part, wide=2**62)  # a fill value of two parts needs them in one pixel
    value = complex(problem.fill_value)
    run_part = _bind_real(part, form, np.tile([value.real, value.imag], form.group // 2))
    w_complex = problem.w_dtype.kind == "c"
    sign = 1 if problem.flip else -1  # correlation conjugates the weights

    def parts(a: np.ndarray) -> np.ndarray:
        return a[..., np.newaxis].view(part.compute)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
        x = np.ascontiguousarray(x, dtype=sums)
        w = w.astype(sums)
        total = y if y.dtype == sums else np.empty(y.shape, sums)
        run_part(parts(x), w.real, parts(total), workers)
        if w_complex:
            turned = np.empty(y.shape, sums)
            run_part(parts(x), w.imag, parts(turned), workers)
            total.real -= sign * turned.imag
            total.imag += sign * turned.real
        if total is not y:
            y[...] = total

    return run
