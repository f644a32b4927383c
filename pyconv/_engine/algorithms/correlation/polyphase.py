"""polyphase: outputs between two rates of samples, all phases in one loop.

    y[n] = Σ_j h[p + j·up] · x[m − j]   with   n·down + start = m·up + p,  0 ≤ p < up

The loop goes through the phases p in turn, on as many lines side by side as vectors hold. Whatever
the threads, and however lines are cut into pieces, an output adds its products in the order of its
samples, the oldest first; where not all phases have as many, the oldest of those that have one more
comes last. All phases decide about that, those without outputs too.

The same loop runs banks of one filter a line (`bank_loop.py`).
"""

from __future__ import annotations

import functools
import math
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.base import Copies, Run, summation_bound
from pyconv._engine.algorithms.loop_adapters import (
    Loop,
    bind_loop,
    copies,
    on_real_parts,
)
from pyconv._engine.algorithms.phases import every_phase, phase_taps, phases_of
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Samples or outputs of a piece of a line, whichever are more, that stay in the cache with those of
#: the lines beside it.
ROWS = 1024
#: Samples or outputs of a period, and taps, up to which a piece of one period is worth it.
MOST = 8192
#: Neighbouring lines from which no line is transposed, as a part of those of a panel.
SHARE = 2


class Taps(NamedTuple):
    """What each phase of the outputs reads."""

    #: The samples from one period of phases to the next.
    step: int
    #: The sample that the first tap of each phase reads for the first period, and its taps.
    samples: tuple[int, ...]
    counts: tuple[int, ...]


def loop_of(
    shape: tuple[int, ...],
    axis: int,
    outputs: int,
    sums: np.dtype,
    taps: Taps,
    boundary: str,
    own: Array | None = None,
) -> Any:
    """Return the compiled loop of an array of a shape, with one filter for all lines or its own.

    ``own`` is the filter of each line, in the order of their axes.
    """
    size, phases = shape[axis], len(taps.samples)
    inner = math.prod(shape[axis + 1 :])
    lines = math.prod(shape) // size
    common = min(taps.counts)
    more = [count - common for count in taps.counts]
    origin = min(taps.samples)
    first = [s + m - origin for s, m in zip(taps.samples, more, strict=True)]
    ends = [s + c for s, c in zip(taps.samples, taps.counts, strict=True)]
    period, phase = divmod(outputs - 1, phases)
    low, high = max(0, -origin), max(0, ends[phase] + period * taps.step - size)
    width = loader.native.recursive_width(sums)
    abreast = inner > 1 and SHARE * inner >= width
    periods = -(-outputs // phases)
    fair = periods if abreast else -(-periods * lines // width)
    whole = max(1, min(ROWS // max(phases, taps.step), fair, periods))
    batch = tuple(a for a in range(len(shape)) if a != axis and (not abreast or a < axis))
    n_lines = math.prod(shape[a] for a in batch)
    index = BOUNDARIES[boundary].index
    before = index(np.arange(-low, 0, dtype=np.intp), size)
    after = index(np.arange(size, size + high, dtype=np.intp), size)
    row = axis, size, outputs, low, 1, 1, 1, before, after
    return loader.native.PolyphaseLoop(
        sums, row, batch, n_lines, inner if abreast else 1, abreast, taps.step, first, more,
        common, origin, size + high, whole * phases, own,
    )  # fmt: skip


class Polyphase:
    """All phases in one loop, of lines side by side."""

    name = "polyphase"

    def rejects(self, problem: Problem) -> str | None:
        """Return why the compiled loop cannot take the problem."""
        (a,) = problem.spatial
        if problem.w_dtype.kind == "c":
            return "the weights are complex"
        if problem.compute not in _SUMS:
            return f"its sums are floats, and the exact sums need {problem.compute}"
        if problem.compute.kind == "c" and problem.fill_value and problem.reads_fill:
            return f"fill_value={problem.fill_value!r} is outside complex samples"
        if a.dilation > 1:
            return "taps that are a dilation apart"
        if max(a.up, a.stride, phase_taps(problem)) > MOST:
            return f"a period of phases, or the taps of one, are more than {MOST} samples"
        return problem.tables_exceed()

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        assert problem.compute is not None
        item, (a,) = problem.compute.itemsize, problem.spatial
        products = sum(p.outputs * p.taps for p in phases_of(problem))
        products *= math.prod(problem.y_shape) // max(1, a.out)
        work = products * item / machine.direct_bytes_per_second
        samples = math.prod(problem.x_shape) + math.prod(problem.y_shape)
        return max(work, samples * item / machine.copy_bytes_per_second)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of a panel, of the weights of all phases and of the tables."""
        real, _ = on_real_parts(problem)
        assert real.compute is not None
        taps = (phase_taps(problem) + 1) * real.up
        loop = _loop(loader.native, real)
        return int(loop.workspace()) + taps * (real.compute.itemsize + 8) + real.table_bytes

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, _bind)


#: The dtypes of the sums of the loop.
_SUMS = tuple(map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))


def _taps(real: Problem) -> Taps:
    (a,) = real.spatial
    phases = every_phase(real)
    return Taps(a.stride, tuple(p.sample for p in phases), tuple(p.taps for p in phases))


@functools.lru_cache(maxsize=1)  # a plan asks for the workspace, then binds
def _loop(native: ModuleType, real: Problem) -> Any:
    (a,) = real.spatial
    assert real.compute is not None
    return loop_of(real.x_shape, a.axis, a.out, real.compute, _taps(real), a.boundary)


def _order(real: Problem) -> Array:
    """Return which weight each phase multiplies in turn; the one behind the last stands for none.

    The loop has the taps of all phases first, and of those with one more the oldest one last.
    """
    n = real.w_shape[0]
    phases = every_phase(real)
    common = min(p.taps for p in phases)
    order = np.full((len(phases), common + 1), n, np.intp)
    for row, p in zip(order, phases, strict=True):
        taps = p.tap + p.step * np.arange(p.taps, dtype=np.intp)
        row[:common] = taps[p.taps - common :]
        row[common:] = taps[: p.taps - common] if p.taps > common else n
    return np.where(order < n, n - 1 - order, n) if real.flip else order


def _bind(real: Problem, fill: Array) -> Loop:
    assert real.compute is not None
    loop, order, sums = _loop(loader.native, real), _order(real), real.compute
    n, behind = real.w_shape[0], math.prod(real.x_shape[real.spatial[0].axis + 1 :])
    outside = fill[:1]  # both parts of a complex one are zero

    def run(x: Array, w: Array, y: Array, clip: bool, workers: int) -> None:
        weights = np.zeros(n + 1, sums)
        weights[:n] = w
        if behind > 1 and not x.flags.c_contiguous:
            x = np.ascontiguousarray(x)
        loop.run(x, weights[order], y, outside, clip, workers)

    return run
