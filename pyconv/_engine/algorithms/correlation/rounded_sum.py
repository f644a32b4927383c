"""rounded_sum: integer results of weights that are not whole, summed in double in one order.

Sums are cut towards zero or rounded half to even; those of means are divided before. What no signed
64-bit integer holds becomes 0 if it is cut, and of a bool all but 0 is True.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pyconv._engine.algorithms.arranged import contiguous
from pyconv._engine.algorithms.base import Algorithm, Copies, Run, summation_bound, summation_cost
from pyconv._engine.algorithms.loop_adapters import addressable, axis_rows, form_of, line_form
from pyconv._engine.algorithms.slabs import too_little_for_copies
from pyconv._engine.algorithms.terms import Terms, terms_of
from pyconv._engine.dtypes import LIMITS
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Problem
from pyconv._native import layout, loader

#: The greatest double that a signed 64-bit integer holds.
MAX_DOUBLE = math.nextafter(2.0**63, 0)
#: Samples of the box that dilated taps lie in: all of it is packed.
MAX_SPANS = 2**20

#: Words of ``rounding`` that the loop knows.
WORDS = ("half_even", "towards_zero")


class RoundedSum:
    """Sums of rows in the order of their terms, by a loop that `fit` makes of the weights."""

    name = "rounded_sum"

    def __init__(self, loop: Any = None) -> None:
        self._loop = loop

    def rejects(self, problem: Problem) -> str | None:
        """Return why the compiled loop cannot take the problem."""
        if problem.rounding not in WORDS:
            return f"rounding={problem.rounding!r} is no word that the loop knows"
        if problem.rounding == "half_even" and (problem.mean or problem.dtype.kind == "b"):
            return "the results are means, or bool, that are rounded half to even"
        if problem.rounding == "towards_zero" and problem.unbounded:
            return "sums may be beyond what loops cut"
        if len(problem.spatial) > 1 and (problem.by_axis or problem.mean):
            return "the results along an axis are stored before the next one is summed"
        if any(a.stride > 1 for a in problem.spatial):
            return "results are left out"
        spans = math.prod(a.span for a in problem.spatial)
        if spans > MAX_SPANS and any(a.dilation > 1 for a in problem.spatial):
            return f"the taps lie in more than {MAX_SPANS} samples"
        return problem.tables_exceed()

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights."""
        (terms,) = terms_of(problem, w)
        return RoundedSum(_loop(problem, terms))

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a plain sum."""
        return summation_cost(problem, machine)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of the sum, which is cut afterwards."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the rows that a thread keeps."""
        return int(self._loop.workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied: half precision, and samples of axes that are seen as one."""
        half = problem.x_dtype == np.float16
        return Copies(sample=4 * half, packed=_is_folded(problem) and not half)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        loop, fill, folded = self._loop, problem.fill_value.real, _is_folded(problem)
        half_even, clip = problem.rounding == "half_even", problem.overflow == "saturate"
        low, high = LIMITS[problem.dtype]
        room = problem.max_memory - self.workspace(problem)

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            if x.nbytes > room and x.dtype != np.float16 and not layout.readable(x):
                raise too_little_for_copies(problem.max_memory, x.nbytes - room)
            x = addressable(x)
            x = layout.settled(contiguous(x)) if folded else x
            y = layout.settled(y)
            loop.run(x, y, fill, half_even, clip, workers, low, min(high, MAX_DOUBLE))

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
        """Sum lines along the last axis, each with its own row of ``w``.

        Products of weights of zero are added: samples have to be finite where there are such.
        """
        rows = w[:, ::-1] if problem.flip else w
        places = tuple((u,) for u in range(w.shape[1]))
        terms = Terms(places, (), False, tuple(rows.astype(np.float64).ravel()))
        RoundedSum(_loop(problem, terms, filters)).bind(problem)(x, w, y, workers)


def _is_folded(problem: Problem) -> bool:
    """Return whether several samples follow the last axis that is summed along."""
    last = max(a.axis for a in problem.spatial)
    return math.prod(problem.x_shape[last + 1 :]) > 1


def _loop(problem: Problem, terms: Terms, filters: np.ndarray | None = None) -> Any:
    """Return the loop of terms; of a bank their weights are those of one filter after the other."""
    steps = [a.dilation for a in problem.spatial]
    spatial = (replace(a, taps=a.span, dilation=1) for a in problem.spatial)
    problem = replace(problem, spatial=tuple(spatial))
    form = form_of(problem) if filters is None else line_form(problem)

    def taps(places: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return where taps read along z, y and x, a row for each place."""
        return np.array(
            [[0 if i < 0 else place[i] * steps[i] for i in form.w_axes] for place in places],
            np.intp,
        ).reshape(-1, 3)

    return loader.native.RoundedSumLoop(
        axis_rows(form.axes),
        form.batch,
        math.prod(problem.x_shape[a] for a in form.batch),
        form.group,
        taps(terms.singles),
        taps([first for first, _ in terms.pairs]),
        taps([second for _, second in terms.pairs]),
        np.array(terms.weights, np.float64),
        terms.divisor,
        terms.difference,
        filters,
    )
