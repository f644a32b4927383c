"""The definition in plain NumPy, one tap at a time: y = Σ_u x[i·s + u·d − p] · w[u].

Slow, and takes every problem: any span, and integers of any size (as Python integers).
"""

import numpy as np

from pyconv.algorithms.base import Run, summation_bound
from pyconv.dtypes import narrow
from pyconv.machine import Machine
from pyconv.problem import Problem


class Reference:
    """The definition in plain NumPy."""

    name = "reference"

    def rejects(self, problem: Problem) -> str | None:
        """Return None: nothing is rejected."""
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a gather, a product and a sum for each tap."""
        object_sums = problem.compute == object
        return problem.products * machine.numpy_seconds_per_product * (20 if object_sums else 1)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the extended copy of ``x``, the sums and one tap's products."""
        item = 16
        x = y = item
        for length in problem.x_shape:
            x *= length + 1
        for length in problem.y_shape:
            y *= length
        return x + 3 * y

    def threads(self, problem: Problem) -> int:
        """Return 1."""
        return 1

    def bind(self, problem: Problem) -> Run:
        """Return the function that sums over the taps."""
        sources = [[a.sources(u) for u in range(a.taps)] for a in problem.spatial]
        axes = [a.axis for a in problem.spatial]
        compute = problem.compute

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            w = w.astype(compute)
            if problem.flip:
                w = np.flip(w)
            elif w.dtype.kind == "c":
                w = w.conj()
            # Index FILL = −1 reads the cell that is appended at the end of each axis.
            pads = [(0, 1 if a in axes else 0) for a in range(x.ndim)]
            x = np.pad(x.astype(compute), pads, constant_values=problem.fill_value)
            total = np.zeros(problem.y_shape, compute)
            for u in np.ndindex(w.shape):
                samples = x
                for axis, source, tap in zip(axes, sources, u, strict=True):
                    samples = np.take(samples, source[tap], axis=axis)
                with np.errstate(all="ignore"):
                    total += samples * w[u]
            with np.errstate(invalid="ignore"):
                y[...] = narrow(total, problem.dtype, problem.overflow)

        return run
