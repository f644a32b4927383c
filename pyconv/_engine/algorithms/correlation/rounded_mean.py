"""rounded_mean: means of boxes of 8-bit samples, exact sums divided and rounded half to even.

The compiled loop goes down the rows with a window of sums of columns (`means.pxi`). Kernels whose
weights are all one over their number are such means, where no mean lies half between two integers:
no rounding of the weights or of a sum in double then decides a result.
"""

from __future__ import annotations

import functools
import math
import sys
from types import ModuleType
from typing import Any

import numpy as np

from pyconv._engine.algorithms.arranged import contiguous
from pyconv._engine.algorithms.base import Algorithm, Copies, Run, summation_cost
from pyconv._engine.algorithms.loop_adapters import WIDE_GROUP, Form, axis_rows, form_of
from pyconv._engine.dtypes import LIMITS, is_integer
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import layout, loader

#: What the loop's sums of a row hold, and those of a box, which are exact in float32.
MAX_ROW, MAX_BOX = 2**15 - 1, 2**24 - 1
#: Taps of a plain sum in double that take as long as a mean, and as a sample of a row of its box.
#: Measured on Zen 4 with AVX-512, 2026-11-30, 512² samples: 3×3 to 15×15 took 2.7 to 7.2 in all.
MEAN_TAPS, ROW_TAPS = 1.7, 0.4


class RoundedMean:
    """Running sums of columns."""

    name = "rounded_mean"

    def rejects(self, problem: Problem) -> str | None:
        """Return why the compiled loop cannot take the problem."""
        if problem.rounding != "half_even" or problem.by_axis or problem.dtype.kind == "b":
            return "the results are no numbers that are rounded half to even"
        if not is_integer(problem.x_dtype) or problem.x_dtype.itemsize != 1:
            return "the samples have more than 8 bits"
        if len(problem.spatial) > 2:
            return "the box has more than two axes"
        if any(a.stride > 1 or a.dilation > 1 for a in problem.spatial):
            return "results or samples are left out"
        fill: Any = _fill(problem)
        if not abs(fill) <= MAX_ROW or fill != int(fill):
            return f"fill_value={fill} is no integer of 16 bits"
        reach = _reach(problem)
        z, y, x = _form(problem).axes
        if z.taps > 1:
            return "the axes of the box are no rows and columns"
        if reach * x.taps > MAX_ROW:
            return "the sums of a row do not fit 16 bits"
        if reach * x.taps * y.taps > MAX_BOX:
            return "the sums of a box do not fit 24 bits"
        return problem.tables_exceed()

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm, or why the weights are those of no mean."""
        if problem.mean:
            return self
        n, first = w.size, w.flat[0]
        if not (w == first).all():
            return "the weights are not equal"
        if n & (n - 1) == 0:  # sums in double are exact
            return self if first * n == 1 else "the weights are not one over their number"
        if n % 2 == 0:
            return "means may lie half between two integers"
        # Means lie 1 / 2n from there at least: a sum may differ by half of that, roundings by less.
        if not abs(first * n - 1) * _reach(problem) * n < 1 / 4:
            return "the weights are not one over their number"
        return self

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a plain sum of few taps."""
        n = math.prod(problem.w_shape)
        taps = MEAN_TAPS + ROW_TAPS * max(problem.w_shape)
        return min(1, taps / n) * summation_cost(problem, machine)

    def error_bound(self, problem: Problem) -> float:
        """Return 0: the sums are exact, and so is their rounding."""
        return 0.0

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the rows that a thread keeps."""
        return int(_loop(loader.native, problem).workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied: samples that are not contiguous."""
        return Copies(packed=True)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(summation_cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        loop = _loop(loader.native, problem)
        fill = int(_fill(problem).real)
        clip = problem.overflow == "saturate"

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            loop.run(layout.settled(contiguous(x)), layout.settled(y), fill, clip, workers)

        return run


def _fill(problem: Problem) -> complex:
    """Return what is read outside, 0 if nothing is."""
    return problem.fill_value if problem.reads_fill else 0


def _reach(problem: Problem) -> int:
    """Return the largest magnitude of a sample."""
    return max(map(abs, (*LIMITS[problem.x_dtype], int(_fill(problem).real))))


def _form(problem: Problem) -> Form:
    # Along two axes what follows them are samples of a pixel, however many.
    return form_of(problem, wide=WIDE_GROUP if len(problem.spatial) == 1 else sys.maxsize)


@functools.lru_cache(maxsize=1)  # a plan asks for the workspace, then binds
def _loop(native: ModuleType, problem: Problem) -> Any:
    form = _form(problem)
    z, y, x = form.axes
    batch = form.batch if z.axis < 0 else (*form.batch, z.axis)
    return native.MeansLoop(
        axis_rows([y, x]), batch, math.prod(problem.x_shape[a] for a in batch), form.group
    )
