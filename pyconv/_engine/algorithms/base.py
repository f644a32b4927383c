"""The contract of an algorithm: can it, what does it cost, how exact is it, run it."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntFlag
from typing import Any, NamedTuple, Protocol, TypeGuard, runtime_checkable

import numpy as np

from pyconv._engine.algorithms.phases import phase_taps
from pyconv._engine.dtypes import is_integer
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import Machine
from pyconv._engine.problem import Problem

#: Computes ``y`` from ``x`` and ``w`` with at most ``workers`` threads. The arrays have the
#: problem's shapes; ``y`` is C-contiguous, has the dtype of the result and shares no memory
#: with the others. Instead of real, floating-point results integers may be asked for: such a
#: ``y`` receives them rounded half to even, as the problem's ``overflow`` has it.
Run = Callable[[np.ndarray, np.ndarray, np.ndarray, int], None]


class UnfitDataError(Exception):
    """The data hold what would spoil the answer of an algorithm that is no plain sum.

    A `Run` may raise it whatever it has written to ``y``; the planner then sums plainly.
    """


class Copies(NamedTuple):
    """What a `Run` copies of whole arrays, besides its workspace."""

    #: Bytes for each sample of ``x``, and for each result.
    sample: int = 0
    result: int = 0
    #: Whether an ``x`` that is not contiguous is copied too.
    packed: bool = False
    #: Whether ``x`` is read as it lies, in any byte order and dtype.
    reads_all: bool = False


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

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied of the arrays; the planner cuts large ones into slabs."""
        ...

    def threads(self, problem: Problem) -> int:
        """Return how many threads the problem can keep busy."""
        ...

    def bind(self, problem: Problem) -> Run:
        """Return the function that solves ``problem``."""
        ...


@runtime_checkable
class WeightDependentAlgorithm(Algorithm, Protocol):
    """An algorithm that only some weights are fit for.

    Before it has seen them, it rejects by shapes alone, and its cost is the least it may be.
    """

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights, or why it cannot solve ``problem`` with them.

        What is returned keeps no reference to ``w``.
        """
        ...


class Normalisation(NamedTuple):
    """What the division of a sum by what was seen of the weights has to know."""

    #: +1 or −1 where all weights have that sign, 0 otherwise.
    sign: int
    #: |Σ m·w| up to which nothing, or nothing that could be divided by, was seen.
    void: float
    #: Below this part of W = Σ w, W / Σ m·w may overflow though the quotient of the sums does not.
    tiny: float
    #: W, and |Σ m·w| below which the sums of what is no plain sum are worth too little.
    total: float
    thin: float
    #: The part of the samples of a tile below which the tile is not worth such sums.
    sparse: float = 0.0
    #: Whether only results are written that are NaN.
    refilling: bool = False


class Left(IntFlag):
    """Why results are NaN that may have seen something."""

    #: Their coverage is too low for the algorithm.
    LOW_COVERAGE = 1
    #: They are small beside the error of the algorithm.
    QUIET = 2


NOTHING_LEFT = Left(0)


class LocalAlgorithm(Algorithm, Protocol):
    """An algorithm that is no plain sum, but may err as one does."""

    @property
    def is_local(self) -> bool:
        """Whether an output errs by a part of Σ|x||w| over its own window, as a plain sum does."""
        ...


#: Computes W · Σ m·x·w / Σ m·w, as a `Run` does: ``x``, the mask or None, ``w``, ``y``, whether NaN
#: are missing, threads.
Omit = Callable[[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray, bool, int], Left]


class OmittingAlgorithm(Algorithm, Protocol):
    """An algorithm whose loop makes both sums, and divides them while they are in the cache."""

    def omission_workspace(self, problem: Problem) -> int:
        """Return the bytes that one thread needs for that besides the arrays."""
        ...

    def bind_omission(self, problem: Problem, normalisation: Normalisation) -> Omit:
        """Return the function that leaves samples out, for a real problem that is not exact.

        It takes arrays that the loops read as they are, the mask of the shape of ``x``, and ``y``
        in the dtype of the sums.
        """
        ...


# Calls ask these, of which `isinstance` takes ten microseconds each.


def may_be_local(algorithm: Algorithm) -> TypeGuard[LocalAlgorithm]:
    """Return whether an algorithm says itself whether it errs as a plain sum does."""
    return hasattr(algorithm, "is_local")


class BankAlgorithm(Algorithm, Protocol):
    """An algorithm whose loop sums each line with a filter of its own."""

    def run_bank(
        self,
        problem: Problem,
        x: np.ndarray,
        w: np.ndarray,
        filters: np.ndarray,
        y: np.ndarray,
        workers: int,
    ) -> None:
        """Do as a `Run` for lines along the last axis; ``w`` has a row for each filter.

        ``filters`` is that of each line, contiguous numbers of intp.
        """
        ...


def is_bank(algorithm: Algorithm) -> TypeGuard[BankAlgorithm]:
    """Return whether a loop of an algorithm takes one filter a line."""
    return hasattr(algorithm, "run_bank")


def is_omitting(algorithm: Algorithm) -> TypeGuard[OmittingAlgorithm]:
    """Return whether a loop of an algorithm makes both sums."""
    return hasattr(algorithm, "bind_omission")


def summation_bound(problem: Problem) -> float:
    """Return the bound of a plain sum of products: (n + 2) ε, and 0 for exact sums.

    Between two rates those of the taps that meet samples are summed.
    """
    n = phase_taps(problem) if problem.is_between_rates else math.prod(problem.w_shape)
    return (n + 2) * epsilon(problem) + narrowing(problem)


def summation_cost(problem: Problem, machine: Machine) -> float:
    """Return the larger of the time to multiply and the time to read and write."""
    item = max(4, problem.compute.itemsize)
    if problem.compute.kind in "iu" and item == 8:
        item *= 4  # 64-bit integer products take several instructions; those of 16 bits two
    work = problem.products * item / machine.direct_bytes_per_second
    samples = math.prod(problem.x_shape) + math.prod(problem.y_shape)
    return max(work, samples * item / machine.copy_bytes_per_second)


#: Sums of more products are made in blocks of so many, or of the root of their number if that is
#: more, whose sums are added: roundings grow with the root of the number of products.
BLOCK_TERMS = 512


def block_of(terms: int) -> int:
    """Return how many of so many products are summed in one go."""
    return max(BLOCK_TERMS, math.isqrt(terms))


def epsilon(problem: Problem) -> float:
    """Return the rounding of one operation on the way to a sum, ε; 0 for exact sums.

    Sums that become integers are rounded once more, to whole numbers, which no bound counts.
    """
    if problem.exact:
        return 0.0
    rounded = problem.compute
    if not is_integer(problem.dtype) and np.finfo(problem.dtype).eps < np.finfo(rounded).eps:
        rounded = problem.dtype
    return float(np.finfo(rounded).eps)


def narrowing(problem: Problem) -> float:
    """Return the rounding of a sum to a narrower result, as half precision is of float32."""
    if problem.exact or is_integer(problem.dtype):
        return 0.0
    narrow = float(np.finfo(problem.dtype).eps)
    return narrow / 2 if narrow > np.finfo(problem.compute).eps else 0.0


class BoundLayer(Protocol):
    """A layer's problem bound to an algorithm. It holds no workspace: threads may share it."""

    def pack(self, w: np.ndarray) -> Any:
        """Return the weights, of any strides, in the order in which the loops read them.

        What is returned keeps no reference to ``w`` and never changes: threads may share it. Of
        an algorithm whose `run` may fail it keeps the weights as they were, as ``plain``.
        """
        ...

    def run(
        self, x: np.ndarray, w: Any, bias: np.ndarray | None, y: np.ndarray, workers: int
    ) -> bool:
        """Write the result to ``y``, from weights that are packed or plain.

        Return False where the data are such that some images of ``y`` are worth nothing and have
        to be summed plainly instead: a NaN that has spread. Those of several images that are
        finite throughout are right.

        The arrays have the problem's dtype, aligned and native; ``bias`` and ``y`` are
        C-contiguous.
        """
        ...


class LayerAlgorithm(Protocol):
    """One way to solve a layer: sums over channels and taps."""

    #: The word for ``method=``.
    name: str

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the algorithm cannot solve ``problem``, or None if it can."""
        ...

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the predicted time in seconds on one thread."""
        ...

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the proven bound on |y − exact| in units of the Σ|x||w| of a window."""
        ...

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes that one thread needs besides the arrays."""
        ...

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes that all threads share: weights in the order of the loops, say.

        Those of one thread may be fewer than those of several.
        """
        ...

    def threads(self, problem: LayerProblem) -> int:
        """Return how many threads the problem can keep busy."""
        ...

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return ``problem`` bound to the algorithm."""
        ...


class WeightGradientAlgorithm(Protocol):
    """One way to compute the gradient of a layer for its weights."""

    name: str

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the algorithm cannot solve ``problem``, or None if it can."""
        ...

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the predicted time in seconds on one thread."""
        ...

    def gradient_workspace(self, problem: LayerProblem) -> int:
        """Return the bytes that one thread needs besides the arrays."""
        ...

    def threads(self, problem: LayerProblem) -> int:
        """Return how many threads the problem can keep busy."""
        ...

    def bind_gradient(self, problem: LayerProblem) -> Run:
        """Return the function that computes dw from ``x``, ``dy``, ``dw`` and workers."""
        ...


def layer_summation_bound(problem: LayerProblem) -> float:
    """Return the bound of a plain sum of products: (n + 2) ε."""
    return (problem.terms + 2) * float(np.finfo(problem.dtype).eps)
