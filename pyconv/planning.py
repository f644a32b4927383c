"""From a problem to a plan: choose the algorithm of least cost, bind it, keep it, run it."""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pyconv.algorithms import ALGORITHMS, Algorithm
from pyconv.algorithms.base import Run
from pyconv.dtypes import check_overflow, exact_accumulator, is_integer, result_interval, supported
from pyconv.machine import MACHINE
from pyconv.problem import Problem, make_problem

METHODS = ("auto", *(a.name for a in ALGORITHMS))
NAN_POLICIES = ("propagate", "raise")


class Plan:
    """A problem bound to an algorithm. It holds no workspace: threads may share it."""

    __slots__ = ("algorithm", "problem", "run", "useful_threads")

    def __init__(self, problem: Problem, algorithm: Algorithm) -> None:
        self.problem = problem
        self.algorithm = algorithm
        self.run: Run = algorithm.bind(problem)
        self.useful_threads = algorithm.threads(problem)


def choose(problem: Problem, method: str) -> Algorithm:
    """Return the algorithm of least cost among those that can solve ``problem``.

    Raises
    ------
    ValueError
        If ``method`` forces an algorithm that rejects the problem; the message says why.
    """
    if method == "auto":
        able = [a for a in ALGORITHMS if a.rejects(problem) is None]
        return min(able, key=lambda a: a.cost(problem, MACHINE))
    (algorithm,) = (a for a in ALGORITHMS if a.name == method)
    reason = algorithm.rejects(problem)
    if reason is not None:
        raise ValueError(f"method={method!r} cannot solve this problem: {reason}")
    return algorithm


class Prepared:
    """A problem and its plans, one for each dtype of the sums that its data has asked for."""

    __slots__ = ("method", "plans", "problem", "settled")

    def __init__(self, problem: Problem, method: str) -> None:
        self.problem = problem
        self.method = method
        self.plans: dict[np.dtype, Plan] = {}
        #: The plan, once known, of a problem whose plan does not depend on the data.
        self.settled: Plan | None = None

    def plan(self, x: np.ndarray, w: np.ndarray) -> Plan:
        """Return the plan for this data."""
        problem = self.problem
        compute = problem.compute
        if compute is None or (is_integer(problem.dtype) and compute.kind == "f"):
            fill = problem.fill_value if problem.reads_fill else None
            interval = result_interval(x, w, fill)
            if compute is not None:
                check_overflow(interval, problem.dtype, problem.overflow)
                return self._bound(compute)
            return self._bound(exact_accumulator(interval, problem.dtype, problem.overflow))
        self.settled = self._bound(compute)
        return self.settled

    def _bound(self, compute: np.dtype) -> Plan:
        plan = self.plans.get(compute)
        if plan is None:
            problem = self.problem.summed_in(compute)
            plan = self.plans[compute] = Plan(problem, choose(problem, self.method))
        return plan


@functools.lru_cache(maxsize=256, typed=True)
def _prepared(
    x_shape: tuple[int, ...],
    x_dtype: np.dtype,
    w_shape: tuple[int, ...],
    w_dtype: np.dtype,
    flip: bool,
    mode: object,
    boundary: object,
    fill_value: object,
    axes: object,
    stride: object,
    dilation: object,
    dtype: np.dtype | None,
    overflow: object,
    method: object,
) -> Prepared:
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; allowed are {', '.join(METHODS)}")
    problem = make_problem(
        x_shape,
        x_dtype,
        w_shape,
        w_dtype,
        flip=flip,
        mode=mode,
        boundary=boundary,
        fill_value=fill_value,
        axes=axes,
        stride=stride,
        dilation=dilation,
        dtype=dtype,
        overflow=overflow,
    )
    return Prepared(problem, str(method))


def _key(value: object) -> object:
    """Return a hashable spelling of an argument; LookupError for what equality would confuse."""
    if value is None or type(value) in (str, int):
        return value
    if isinstance(value, tuple | list):
        return tuple(_key(v) for v in value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray):
        return _key(value.tolist())
    raise LookupError


def prepare(
    x: np.ndarray,
    w: np.ndarray,
    flip: bool,
    mode: object,
    boundary: object,
    fill_value: object,
    axes: object,
    stride: object,
    dilation: object,
    dtype: npt.DTypeLike | None,
    overflow: object,
    method: object,
) -> Prepared:
    """Return the prepared problem of a call, from the cache if it was seen before."""
    call: Callable[..., Prepared] = _prepared
    rest = mode, boundary, axes, stride, dilation, overflow, method
    if type(fill_value) is not int or any(type(v) not in _PLAIN for v in rest):
        try:
            if type(fill_value) not in (int, float, complex):
                fill_value = _key(fill_value)
            mode, boundary, axes, stride, dilation, overflow, method = (_key(v) for v in rest)
        except LookupError:
            call = _prepared.__wrapped__
    if dtype is not None:
        dtype = supported(dtype, "dtype")
    return call(
        x.shape,
        x.dtype,
        w.shape,
        w.dtype,
        flip,
        mode,
        boundary,
        fill_value,
        axes,
        stride,
        dilation,
        dtype,
        overflow,
        method,
    )


_PLAIN = (str, int, type(None))
