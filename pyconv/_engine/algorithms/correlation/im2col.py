"""im2col: y = w · X, a matrix product of the weights and the samples that each output reads.

X is packed a tile of outputs at a time, so that the whole matrix, K times the size of the
result, never exists; BLAS multiplies. See Chellapilla, Puri and Simard, "High performance
convolutional neural networks for document processing", 2006.
"""

from __future__ import annotations

import math

import numpy as np

from pyconv._engine import threads
from pyconv._engine.algorithms.base import Copies, Run, summation_bound
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    Loop,
    axis_rows,
    bind_loop,
    copies,
)
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import loader

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20


class Im2col:
    """Tiles of columns, multiplied by BLAS."""

    name = "im2col"

    def rejects(self, problem: Problem) -> str | None:
        """Return why BLAS cannot take the problem."""
        if problem.compute is None or problem.compute.kind not in "fc":
            return "BLAS multiplies floating-point numbers, and these sums need wider integers"
        longest = max(max(a.low, a.high) for a in problem.spatial)
        if longest > MAX_SPAN:
            return f"the pads are {longest} samples of an axis, more than {MAX_SPAN}"
        if self.workspace(problem) > MAX_WORKSPACE:
            return f"the columns of one tile need more than {MAX_WORKSPACE} bytes"
        return problem.tables_exceed()

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time to write the columns and to read them again."""
        item = max(4, problem.compute.itemsize) if problem.compute is not None else 8
        packing = problem.products * item / machine.copy_bytes_per_second
        return packing + problem.products * item / machine.gemv_bytes_per_second

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a sum in any order."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of one tile of columns and its sums, at most."""
        item = max(4, problem.compute.itemsize) if problem.compute is not None else 8
        taps = math.prod(problem.w_shape)
        columns = max(64, (512 << 10) // (taps * item))
        return (taps + 2) * columns * item

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, _bind)


def _bind(problem: Problem, fill: np.ndarray) -> Loop:
    # It imports SciPy's linear algebra, which only who multiplies shall pay for.
    blas = threads.import_in_call("pyconv._native.blas")

    order = sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)
    axes = [problem.spatial[i] for i in order]
    spatial = {a.axis for a in axes}
    batch = [a for a in range(len(problem.x_shape)) if a not in spatial]
    parts = len(fill)
    if parts == 2:  # real and imaginary parts, the last axis, have fill values of their own
        batch.remove(len(problem.x_shape) - 1)
    compute = problem.compute
    assert compute is not None
    loop = loader.native.Im2colLoop(
        compute,
        axis_rows([ABSENT] * (3 - len(axes)) + axes),
        batch,
        math.prod(problem.x_shape[a] for a in batch),
        blas.multiply_address(compute.name),
    )

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        w = w.transpose(order)
        w = np.ascontiguousarray(np.flip(w) if problem.flip else w)
        with threads.one_blas_thread():
            workers = threads.blas_threads(workers)
            if not threads.can_limit_blas():
                workers = 1  # BLAS brings threads of its own
            if parts == 1:
                loop.run(x, w, y, fill[0], clip, workers)
                return
            for part in range(parts):
                loop.run(x[..., part], w, y[..., part], fill[part], clip, workers)

    return run
