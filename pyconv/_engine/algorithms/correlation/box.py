"""box: y = w · Σ x where all weights are one, by sums that neighbouring windows share.

The time does not depend on the size of the kernel, or on its logarithm alone. It is a plain sum in
another order: no sample is ever taken from a sum again, as a running sum would, so that nothing
drifts, and NaN and infinity reach the windows that hold them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import (
    Algorithm,
    Copies,
    Run,
    epsilon,
    narrowing,
)
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    longest_reach,
    on_real_parts,
    plain_axis,
)
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis, Problem
from pyconv._native import loader

#: Longer kernels and pads would need large blocks.
MAX_SPAN = 2**12
#: Samples of a pixel from which on they are columns of their own.
WIDE_GROUP = 64
#: A sixth of the seconds that a call takes more than a plain sum's, of kernels along one axis and
#: along several. An item of a batch is judged by itself, and mostly shares them with others: lines
#: of a batch took up to five times as long under the whole of them.
CALL_SECONDS, CALL_SECONDS_OF_SEVERAL = 5e-8, 2e-7
#: What a sample costs, in multiply-adds of the plain loop: copied, if it is not added to a block;
#: added to a block of rows, or of planes, and to its sum; one doubling of the windows along x.
#: Fitted on a Zen 4 core with AVX-512 to 10⁶ samples, 128² to 2048² and 48³ to 128³.
COPIED, ADDED_TO_ROWS, ADDED_TO_PLANES, DOUBLED = 3.0, 4.0, 22.0, 4.0
#: Of the time to read and write what exceeds twice the cache, the part that adding does not hide.
FAR_SHARE = 0.25


class Form(NamedTuple):
    """A problem as the loop wants it."""

    axes: tuple[Axis, Axis, Axis]
    #: Axes of ``x`` that are looped over.
    batch: tuple[int, ...]
    #: Samples of a pixel: the product of the axes behind the last spatial one.
    group: int
    #: How many axes those are, or are columns of their own.
    folded: int


@dataclass(frozen=True, slots=True)
class Box:
    """Blocks of sums along z and y, windows that double along x."""

    #: What sums are divided by, to be means.
    divisor: float = 1.0

    name = "box"

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken."""
        if math.prod(problem.w_shape) == 1:
            return "windows of one sample share no sums"
        if problem.compute == object:
            return "the exact sums need integers wider than 64 bits"
        if problem.compute == np.int16:
            return "the sums fit 16 bits, in which the plain one is faster"
        if longest_reach(problem.spatial) > MAX_SPAN:
            return f"the kernel spans or pads more than {MAX_SPAN} samples of an axis"
        return problem.tables_exceed()

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm, or that the weights are not equal."""
        first = w.flat[0]
        if not (w == first).all() or not np.isfinite(first):
            return "the weights are not all equal"
        return self

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time to read and write, and to add."""
        real, parts = on_real_parts(problem)
        assert real.compute is not None
        z, y, x = _form(real, parts).axes
        outside = math.prod(real.x_shape) // (z.size * y.size * x.size)
        planes, rows, cols = ((a.out - 1) * a.stride + a.span for a in (z, y, x))
        along_z = ADDED_TO_PLANES if z.taps > 1 else 0.0
        along_y = ADDED_TO_ROWS if y.taps > 1 else 0.0
        passes = planes * rows * cols * (along_z or along_y or COPIED)
        if along_z:
            passes += z.out * rows * cols * along_y
        passes += z.out * y.out * cols * DOUBLED * math.log2(x.taps)
        item = real.compute.itemsize
        adding = outside * passes * max(4, item) / machine.direct_bytes_per_second
        moved = (math.prod(real.x_shape) + math.prod(real.y_shape)) * item
        far = max(0.0, moved - 2 * machine.cache_bytes) / machine.copy_bytes_per_second
        runs = 2 if problem.w_dtype.kind == "c" else 1
        least = moved / machine.copy_bytes_per_second  # as of the plain sum
        call = CALL_SECONDS if len(real.spatial) == 1 else CALL_SECONDS_OF_SEVERAL
        return call + runs * max(least, adding + FAR_SHARE * far)

    def error_bound(self, problem: Problem) -> float:
        """Return (2 + Σ k) ε, for sums along each axis in turn.

        Of one axis a window of k samples takes k − 1 additions, by blocks, or at most 2 log₂ k,
        which is no more; a sample passes through no others. With the product, and the roundings
        of the sample and of the result, that is at most (3 + Σ (k − 1)) ε/2 of Σ|x||w|, and
        less than twice that with the terms of higher order.
        """
        return (2 + sum(problem.w_shape)) * epsilon(problem) + narrowing(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the blocks."""
        return int(_loop(*on_real_parts(problem)).workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, functools.partial(_bind, self.divisor))


def _form(real: Problem, parts: int) -> Form:
    """Cast a real problem, or samples that are parts of a complex one."""
    axes = sorted(real.spatial, key=lambda a: a.axis)
    last = axes[-1].axis
    batch = tuple(a for a in range(last) if all(s.axis != a for s in axes))
    group = math.prod(real.x_shape[last + 1 :])
    folded = len(real.x_shape) - 1 - last
    wholly = math.prod(real.deciding.x_shape[last + 1 :])
    # A fill value of two parts needs them in one pixel.
    if wholly >= WIDE_GROUP and len(axes) < 3 and parts == 1:
        axes.append(plain_axis(len(real.x_shape) - 1, group))
        group = 1
    z, y, x = [ABSENT] * (3 - len(axes)) + axes
    return Form((z, y, x), batch, max(group, 1), folded)


def _loop(real: Problem, parts: int) -> Any:
    form = _form(real, parts)
    batch = math.prod(real.x_shape[a] for a in form.batch)
    return loader.native.BoxLoop(real.compute, axis_rows(form.axes), form.batch, batch, form.group)


def _bind(divisor: float, problem: Problem, fill: np.ndarray) -> Loop:
    form = _form(problem, len(fill))
    loop = _loop(problem, len(fill))
    fill = fill if len(fill) == 1 else np.tile(fill, form.group // len(fill))
    contiguous = form.folded > 1 or form.group > 1
    over = None if divisor == 1 else np.array([divisor], problem.compute)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        if contiguous:
            x = np.ascontiguousarray(x)
        loop.run(x, np.ascontiguousarray(w.flat[:1]), y, fill, clip, workers, over)

    return run
