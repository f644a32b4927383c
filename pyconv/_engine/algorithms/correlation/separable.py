"""separable: y = Σ_r u_r ∗ (v_r ∗ x) for kernels w = Σ_r u_r v_rᵀ of low rank.

In three dimensions the kernel is one product along the three axes. Whether a kernel is one depends
on its values (`factors.py`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyconv._engine import threads
from pyconv._engine.algorithms.base import Algorithm, Copies, Run, summation_bound
from pyconv._engine.algorithms.correlation.factors import (
    Factors,
    factors_of_three,
    factors_of_two,
    granted,
    order_of,
    whole_factors,
)
from pyconv._engine.algorithms.correlation.repairs import Repairs
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    longest_reach,
    on_real_parts,
)
from pyconv._engine.dtypes import is_integer
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import loader

#: Longer kernels and pads would need large strips.
MAX_SPAN = 2**12
#: Seconds of a call; kernels for which a plain sum takes no longer are not looked at.
CALL_SECONDS = 20e-6
#: In multiply-adds of the plain loop: a tap, and one whose factor is its own mirror image, so that
#: two of them are multiplied at once; a sample that is turned to be summed along x; a sum along x
#: that is turned back; one along y or z that is written.
#: Fitted on a Zen 4 core with AVX-512 to 128² to 2048² and 48³ to 128³, 5 to 161 taps.
TAP, FOLDED_TAP = 0.8, 0.55
TURNED, TURNED_BACK, WRITTEN = 6.0, 6.0, 4.0
#: Of the time to read and write what exceeds twice the cache, the part that sums do not hide.
FAR_SHARE = 0.35
#: Singular values of n×n weights take about so many seconds for each of n³, and are found where
#: that is shared by so many calls.
FIT_SECONDS, FIT_CALLS = 1e-9, 16


@dataclass(frozen=True, eq=False, slots=True)
class Separable:
    """Two passes of register tiles, for a kernel that has been factored."""

    factors: Factors | None = None

    name = "separable"

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken."""
        if len(problem.spatial) == 1:
            return "kernels of two and three dimensions are factored"
        if math.prod(problem.w_shape) <= sum(problem.w_shape):
            return "passes along each axis would take as many products as one"
        if problem.compute == object:
            return "the exact sums need integers wider than 64 bits"
        if problem.compute == np.int16:
            return "the sums fit 16 bits, in which the plain one is faster"
        if problem.w_dtype.kind == "c":
            return "the weights are complex"
        if longest_reach(problem.spatial) > MAX_SPAN:
            return f"the kernel spans or pads more than {MAX_SPAN} samples of an axis"
        if problem.exact:
            return None
        if is_integer(problem.dtype):
            return "rounded factors may round an integer result the other way"
        if problem.rtol == 0:
            return "rtol=0 allows plain sums only"
        return None

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights, or why they are not separable."""
        if w.dtype.kind == "f" and not np.isfinite(w).all():
            return "the weights are not finite"
        order = order_of(problem)
        w = w.transpose(order)
        w = np.flip(w) if problem.flip else w
        factors = whole_factors(problem, w)
        if factors is None and not problem.exact:
            with threads.no_fork():
                factors = (
                    factors_of_two(problem, w) if w.ndim == 2 else factors_of_three(problem, w)
                )
        if factors is None:
            return "the kernel is of no low rank within the error that is granted"
        if factors.error > granted(problem):
            return (
                f"its proven error bound of {factors.error:.2g} "
                f"is more than the {granted(problem):.2g} that is granted"
            )
        return Separable(factors)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time to turn and to multiply, and to read and write."""
        axes = [problem.spatial[i] for i in order_of(problem)]
        z, y, x = [ABSENT] * (3 - len(axes)) + axes
        lanes = max(1, loader.native.vector_bytes() // max(4, problem.compute.itemsize))
        planes, rows, cols = ((a.out - 1) * a.stride + a.span for a in (z, y, x))
        rows = math.ceil(rows / lanes) * lanes
        rank, deep, down, across = 1, FOLDED_TAP * z.taps, FOLDED_TAP * y.taps, FOLDED_TAP * x.taps
        if self.factors is not None:
            rank = len(self.factors.down)
            down, across = (_weighed(side) / rank for side in self.factors[:2])
            deep = 0.0 if self.factors.deep is None else _weighed(self.factors.deep)
        slow = 4 if problem.compute.kind in "iu" else 1  # as of the plain sum
        products = planes * rows * (
            cols * TURNED + x.out * rank * (across * slow + TURNED_BACK)
        ) + planes * y.out * x.out * (rank * down * slow + WRITTEN)
        if len(axes) == 3:
            products += z.out * y.out * x.out * (deep * slow + WRITTEN)
        item = max(4, problem.compute.itemsize)
        outside = math.prod(problem.x_shape) // math.prod(a.size for a in axes)
        work = outside * products * item / machine.direct_bytes_per_second
        moved = (math.prod(problem.x_shape) + math.prod(problem.y_shape)) * item
        far = max(0.0, moved - 2 * machine.cache_bytes) / machine.copy_bytes_per_second
        fitting = _fitting_seconds(problem) if self.factors is None else 0.0
        return CALL_SECONDS + work + FAR_SHARE * far + fitting

    def error_bound(self, problem: Problem) -> float:
        """Return what the factors leave out, and the bound of both sums."""
        return summation_bound(problem) if self.factors is None else self.factors.error

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the strips."""
        real, parts = on_real_parts(problem)
        return int(_loop(real, parts, self._known(problem)).workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, functools.partial(_bind, self._known(problem)))

    @property
    def is_local(self) -> bool:
        """Whether an output errs by a part of Σ|x||w| over its own window, as a plain sum does.

        One product of factors that is each weight but for its rounding sums, along each axis,
        magnitudes that belong to the window. Several products, or the largest weights alone, may
        cancel what the window does not hold.
        """
        return self.factors is not None and self.factors.local

    def _known(self, problem: Problem) -> Factors:
        """Return the factors, or empty ones of the least rank, for their size."""
        if self.factors is not None:
            return self.factors
        *planes, rows, cols = (problem.w_shape[i] for i in order_of(problem))
        deep = np.zeros(planes[0]) if planes else None
        return Factors(np.zeros((1, rows)), np.zeros((1, cols)), 0.0, deep)


def _fitting_seconds(problem: Problem) -> float:
    """Return the part of a call in the time that singular values take."""
    if len(problem.w_shape) != 2:
        return 0.0
    return FIT_SECONDS * math.prod(problem.w_shape) * min(problem.w_shape) / FIT_CALLS


def _weighed(factors: np.ndarray) -> float:
    """Return the multiply-adds that the taps of these rows are worth."""
    rows = np.atleast_2d(factors)
    return sum((FOLDED_TAP if sign_of_image(row) else TAP) * len(row) for row in rows)


def sign_of_image(row: np.ndarray) -> int:
    """Return 1 for weights that are their own mirror image, −1 for the negative of it, else 0."""
    return int(np.array_equal(row, row[::-1])) or -int(np.array_equal(row, -row[::-1]))


def _loop(real: Problem, parts: int, factors: Factors) -> Any:
    """Return the compiled loop of a real problem, or of samples that are parts of a complex one."""
    axes = [real.spatial[i] for i in order_of(real)]
    spatial = {a.axis for a in axes}
    last = axes[-1].axis
    batch = [a for a in range(last) if a not in spatial]
    deep = factors.deep
    return loader.native.SeparableLoop(
        real.compute,
        axis_rows([ABSENT] * (3 - len(axes)) + axes),
        batch,
        math.prod(real.x_shape[a] for a in batch),
        math.prod(real.x_shape[last + 1 :]),
        None if deep is None else deep[np.newaxis].astype(real.compute),
        factors.down.astype(real.compute),
        factors.across.astype(real.compute),
        [*range(len(factors.across))],
        [0] * len(factors.down),
    )


def _bind(factors: Factors, problem: Problem, fill: np.ndarray) -> Loop:
    loop = _loop(problem, len(fill), factors)
    group = math.prod(problem.x_shape[max(a.axis for a in problem.spatial) + 1 :])
    outside = fill if len(fill) == 1 else np.tile(fill, group // len(fill))
    rounds = problem.compute is not None and problem.compute.kind == "f"
    repairs = Repairs(factors, problem, fill, loop) if rounds else None

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        if group > 1:
            x = np.ascontiguousarray(x)
        summable = loop.run(x, y, outside, clip, workers, True)
        if repairs is not None and not (summable and repairs.reads_all):
            repairs.run(x, w, y, outside, workers)

    return run
