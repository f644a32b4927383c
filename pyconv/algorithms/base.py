"""The contract of an algorithm: can it, what does it cost, how exact is it, run it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from pyconv.machine import Machine
from pyconv.problem import Problem

#: Computes ``y`` from ``x`` and ``w`` with at most ``workers`` threads. The arrays have the
#: problem's shapes; ``y`` is C-contiguous, has the dtype of the result and shares no memory
#: with the others.
Run = Callable[[np.ndarray, np.ndarray, np.ndarray, int], None]


class UnfitDataError(Exception):
    """The data hold what would spoil the answer of an algorithm that is no plain sum.

    A `Run` may raise it whatever it has written to ``y``; the planner then sums plainly.
    """


class Algorithm(Protocol):
    """One way to solve a problem whose ``compute`` dtype is known."""

    #: The word for ``method=``.
    name: str

    def rejects(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot solve ``problem``, or None if it can."""
        ...

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the predicted time in seconds on one thread."""
        ...

    def error_bound(self, problem: Problem) -> float:
        """Return the proven bound on max|y − exact| / (max|x| · Σ|w|)."""
        ...

    def workspace(self, problem: Problem) -> int:
        """Return the bytes that one thread needs besides ``x``, ``w`` and ``y``."""
        ...

    def threads(self, problem: Problem) -> int:
        """Return how many threads the problem can keep busy."""
        ...

    def bind(self, problem: Problem) -> Run:
        """Return the function that solves ``problem``."""
        ...


def summation_bound(problem: Problem) -> float:
    """Return the bound of a plain sum of products: (n + 2) ε, and 0 for exact sums."""
    if problem.exact:
        return 0.0
    taps = 1
    for k in problem.w_shape:
        taps *= k
    return (taps + 2) * float(np.finfo(problem.dtype).eps)
