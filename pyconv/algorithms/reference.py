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
            with np.errstate(all="ignore"):
                w = w.astype(compute)
                if problem.flip:
                    w = np.flip(w)
                elif w.dtype.kind == "c":
                    w = w.conj()
                x = _with_fill(x, axes, problem)
                total = np.zeros(problem.y_shape, compute)
                for u in np.ndindex(w.shape):
                    samples = x
                    for axis, source, tap in zip(axes, sources, u, strict=True):
                        samples = np.take(samples, source[tap], axis=axis)
                    total += samples * w[u]
                y[...] = narrow(total, problem.dtype, problem.overflow)

        return run


def _with_fill(x: np.ndarray, axes: list[int], problem: Problem) -> np.ndarray:
    """Return ``x`` with the fill value appended to each axis, where index FILL = −1 reads it."""
    shape = [n + 1 if a in axes else n for a, n in enumerate(x.shape)]
    extended = np.full(shape, problem.fill_value, problem.compute)  # a Python int stays one
    extended[tuple(slice(n) for n in x.shape)] = x.astype(problem.compute)
    return extended
