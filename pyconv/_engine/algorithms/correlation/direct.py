"""direct: sums of products by register tiles, borders padded a strip at a time.

The `Form` of `loop_adapters` says what the axes of the compiled loop are.
"""

from __future__ import annotations

import functools
import math
import sys
from types import ModuleType
from typing import Any

import numpy as np

from pyconv._engine.algorithms.base import (
    NOTHING_LEFT,
    Copies,
    Left,
    Normalisation,
    Omit,
    Run,
    summation_bound,
    summation_cost,
)
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    LONG_LINE,
    WIDE_GROUP,
    Form,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    form_of,
    line_form,
    loadable,
    on_real_parts,
)
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import loader

#: Kernels that span more samples than this, or need longer pads, would need large buffers.
MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20


def _flat(form: Form) -> Form:
    """Return a form of lines for a kernel of two axes on one row of results.

    A tile of several rows would compute all but one of them in vain. The rows that it reads are
    planes of one row each.
    """
    z, y, x = form.axes
    if z is not ABSENT or min(form.w_axes[1:]) < 0 or y.out > 1 or x.out < LONG_LINE:
        return form
    _, yw, xw = form.w_axes
    return form._replace(axes=(y, ABSENT, x), w_axes=(yw, -1, xw), line=True)


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
        if _least_buffer(problem) > MAX_WORKSPACE:
            return f"the dilated kernel needs a buffer of more than {MAX_WORKSPACE} bytes"
        return problem.tables_exceed()

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        return summation_cost(problem, machine)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the padded buffer and the tables."""
        real, parts = on_real_parts(problem)
        loop, form = _loop(loader.native, real, parts)
        tables = math.prod(real.w_shape) * max(4, real.compute.itemsize)
        return int(loop.workspace()) + tables + 16 * math.prod(real.x_shape[a] for a in form.batch)

    def omission_workspace(self, problem: Problem) -> int:
        """Return the bytes of two padded buffers and the tables."""
        return 2 * self.workspace(problem)

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=2)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, _bind)

    def bind_omission(self, problem: Problem, normalisation: Normalisation) -> Omit:
        """Return the function that runs the compiled loop with gaps."""
        loop, _ = _loop(loader.native, problem, 1)
        fill = np.array([problem.fill_value], problem.compute)
        folded = _folded(problem)

        def run(
            x: np.ndarray,
            mask: np.ndarray | None,
            w: np.ndarray,
            y: np.ndarray,
            nan: bool,
            workers: int,
        ) -> Left:
            if folded > 1:
                x = _one_run(x, folded)
                mask = None if mask is None else _one_run(mask, folded)
            gaps = (mask, nan, normalisation.sign, normalisation.void, normalisation.tiny)
            loop.run(x, loadable(w, y.dtype), y, fill, False, workers, gaps)
            return NOTHING_LEFT

        return run

    def run_bank(
        self,
        problem: Problem,
        x: np.ndarray,
        w: np.ndarray,
        filters: np.ndarray,
        y: np.ndarray,
        workers: int,
    ) -> None:
        """Sum lines along the last axis, each with its row of ``w`` and the bits it has alone."""

        def bind(real: Problem, fill: np.ndarray) -> Loop:
            loop = _bank_loop(loader.native, real)
            return lambda x, w, y, clip, workers: loop.run(
                x, w, y, fill, clip, workers, None, None, filters
            )

        bind_loop(problem, bind)(x, w, y, workers)


def _folded(problem: Problem) -> int:
    """Return how many axes follow the spatial ones."""
    return len(problem.x_shape) - 1 - max(a.axis for a in problem.spatial)


def _least_buffer(problem: Problem) -> int:
    """Return the bytes of the smallest buffer that holds the rows of one tile."""
    form = form_of(problem)
    z, y, x = form.axes
    assert problem.compute is not None
    item = max(4, problem.compute.itemsize)
    span = (x.span - 1) // x.stride + 1
    phases = min(y.taps, y.stride // math.gcd(y.stride, y.dilation))
    rows = 1 if form.line else 8 * phases + y.taps
    return z.taps * rows * (256 + span * form.group) * item


@functools.lru_cache(maxsize=1)  # a plan asks for the workspace, then binds
def _loop(native: ModuleType, problem: Problem, parts: int) -> tuple[Any, Form]:
    # A fill value of two parts needs them in one pixel.
    form = _flat(form_of(problem, wide=WIDE_GROUP if parts == 1 else sys.maxsize))
    return _loop_of(native, problem, form), form


def _loop_of(native: ModuleType, problem: Problem, form: Form) -> Any:
    return native.DirectLoop(
        problem.compute,
        axis_rows(form.axes),
        form.w_axes,
        form.batch,
        math.prod(problem.x_shape[a] for a in form.batch),
        form.group,
        form.line,
        form.shared,
        problem.flip,
    )


@functools.lru_cache(maxsize=16)
def _bank_loop(native: ModuleType, problem: Problem) -> Any:
    """Return the loop of lines, their parts of a sample side by side."""
    return _loop_of(native, problem, line_form(problem))


def _bind(problem: Problem, fill: np.ndarray) -> Loop:
    loop, form = _loop(loader.native, problem, len(fill))
    fill = fill if len(fill) == 1 else np.tile(fill, form.group // len(fill))
    folded = _folded(problem)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        if folded > 1:
            x = _one_run(x, folded)
        loop.run(x, w, y, fill, clip, workers)

    return run


def _one_run(x: np.ndarray, folded: int) -> np.ndarray:
    """Return ``x`` with its last ``folded`` axes as far apart as one axis would be."""
    run: int | None = None
    trailing = zip(x.shape[: -folded - 1 : -1], x.strides[: -folded - 1 : -1], strict=True)
    for length, stride in trailing:
        if length > 1:
            if run is not None and stride != run:
                return np.ascontiguousarray(x)
            run = stride * length
    return x
