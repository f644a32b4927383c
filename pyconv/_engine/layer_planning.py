"""From a layer's problem to a plan: choose the algorithm of least cost, bind it, keep it.

What is computed of an image, to the bit, follows from the shape of one image alone, not from how
many there are: the algorithm is the one that costs least for a single image, and images that
Winograd's transforms spoil, which hold a NaN, are summed again by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms import LAYER_ALGORITHMS, WEIGHT_GRADIENT_ALGORITHMS
from pyconv._engine.algorithms.arranged import in_order, write
from pyconv._engine.algorithms.base import (
    LayerAlgorithm,
    WeightGradientAlgorithm,
    layer_summation_bound,
)
from pyconv._engine.explanation_table import Candidate, Explanation
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import MACHINE
from pyconv._engine.planning import WISDOM
from pyconv._engine.threads import ForkedLock, resolve, running
from pyconv._native import layout

LAYER_METHODS = ("auto", *(a.name for a in LAYER_ALGORITHMS))
WEIGHT_GRADIENT_METHODS = ("auto", *(a.name for a in WEIGHT_GRADIENT_ALGORITHMS))


class LayerPlan:
    """A layer bound to an algorithm. It holds no workspace: threads may share it."""

    __slots__ = ("_bound", "_seen", "algorithm", "problem", "seen_problem", "useful_threads")

    def __init__(self, problem: LayerProblem, method: str) -> None:
        self.problem = problem
        self._seen = _seen(problem)
        #: The problem that the algorithm sees, its axes in the order that suits it.
        self.seen_problem = problem if self._seen is None else self._seen.problem(problem)
        self.algorithm: LayerAlgorithm = _choose(self.seen_problem, method, LAYER_ALGORITHMS)
        self._bound = self.algorithm.bind(self.seen_problem)
        self.useful_threads = self.algorithm.threads(self.seen_problem)

    def pack(self, w: np.ndarray) -> Any:
        """Return the weights as the loops read them, for `run`."""
        if self._seen is None:
            return self._bound.pack(layout.settled(w))
        return _SeenWeights(self._bound.pack(layout.settled(self._seen.view(w))))

    def run(
        self,
        x: np.ndarray,
        w: Any,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int | None,
    ) -> None:
        """Write the result to ``y`` from weights that are packed or plain."""
        if not y.size:
            return
        if self._seen is None:
            self._run(x, w, bias, y, workers)
            return
        w = w.packed if isinstance(w, _SeenWeights) else self._seen.view(w)
        total = self._seen.room(y)
        self._run(self._seen.copy(x), w, bias, total, workers)
        self._seen.write(total, y)

    def _run(
        self, x: np.ndarray, w: Any, bias: np.ndarray | None, y: np.ndarray, workers: int | None
    ) -> None:
        count = resolve(workers, self.useful_threads)
        x, y = layout.settled(x), layout.settled(y)
        if isinstance(w, np.ndarray):
            w = layout.settled(w)
        with running():
            stands = self._bound.run(x, w, bias, y, count)
        if not stands:
            weights = w if isinstance(w, np.ndarray) else w.plain
            method = _plain_method(self.seen_problem)
            for start, stop in _runs_of_spoilt(y):
                plan = layer_plan(replace(self.seen_problem, batch=stop - start), method)
                plan.run(x[start:stop], weights, bias, y[start:stop], workers)


class _SeenWeights(NamedTuple):
    """Weights as an algorithm has packed them, whose axes were in another order."""

    packed: Any


class _Seen(NamedTuple):
    """The spatial axes of a layer in another order: a long one last, as vectors lie along it."""

    order: tuple[int, ...]

    def problem(self, problem: LayerProblem) -> LayerProblem:
        """Return the problem as it is seen."""
        axes = (problem.spatial[i - 2] for i in self.order[2:])
        return replace(problem, spatial=tuple(replace(a, axis=2 + i) for i, a in enumerate(axes)))

    def view(self, a: np.ndarray) -> np.ndarray:
        """Return an array as it is seen."""
        return a.transpose(self.order)

    def copy(self, a: np.ndarray) -> np.ndarray:
        """Return an array that lies as it is seen; no copy where axes of one sample have moved."""
        return np.ascontiguousarray(self.view(a))

    def room(self, y: np.ndarray) -> np.ndarray:
        """Return the array that receives a result: itself, or a fresh one."""
        seen = self.view(y)
        return seen if seen.flags.c_contiguous else np.empty(seen.shape, y.dtype)

    def write(self, total: np.ndarray, y: np.ndarray) -> None:
        """Write a result to the caller's array, unless it is that."""
        if not self.view(y).flags.c_contiguous:
            write(total, self.view(y))


def _seen(problem: LayerProblem) -> _Seen | None:
    order = in_order(tuple(a.out for a in problem.spatial))
    if order == tuple(range(len(order))):
        return None
    return _Seen((0, 1, *(2 + i for i in order)))


def _runs_of_spoilt(y: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and end of the runs of images that hold a NaN or an infinity."""
    if len(y) == 1:  # it may not have been finished
        yield 0, 1
        return
    start = None
    for n, image in enumerate(y):
        spoilt = not all(np.isfinite(channel).all() for channel in image)
        if spoilt and start is None:
            start = n
        elif not spoilt and start is not None:
            yield start, n
            start = None
    if start is not None:
        yield start, len(y)


class WeightGradientPlan:
    """The gradient of a layer for its weights, bound to an algorithm."""

    __slots__ = ("_seen", "algorithm", "gradient", "problem", "useful_threads")

    def __init__(self, problem: LayerProblem, method: str) -> None:
        self.problem = problem
        self._seen = _seen(problem)
        seen = problem if self._seen is None else self._seen.problem(problem)
        self.algorithm: WeightGradientAlgorithm = _choose(seen, method, WEIGHT_GRADIENT_ALGORITHMS)
        self.gradient = self.algorithm.bind_gradient(seen)
        self.useful_threads = self.algorithm.threads(seen)

    def run(self, x: np.ndarray, dy: np.ndarray, dw: np.ndarray, workers: int | None) -> None:
        """Write the gradient to ``dw``."""
        count = resolve(workers, self.useful_threads)
        if not dy.size:
            dw[...] = 0
            return
        total = dw
        if self._seen is not None:
            x, dy, total = self._seen.copy(x), self._seen.copy(dy), self._seen.room(dw)
        with running():
            self.gradient(*map(layout.settled, (x, dy, total)), count)
        if self._seen is not None:
            self._seen.write(total, dw)


def _choose(problem: LayerProblem, method: str, algorithms: tuple[Any, ...]) -> Any:
    """Return the algorithm of least cost among those that can solve ``problem``.

    Raises
    ------
    ValueError
        If ``method`` is unknown, or forces an algorithm that rejects the problem.
    """
    if method == "auto":
        WISDOM.known()  # the rates that costs are made of may be among it
        able = [a for a in algorithms if a.rejects(problem) is None]
        image = replace(problem, batch=1)
        return min(able, key=lambda a: a.cost(image, MACHINE))
    named = [a for a in algorithms if a.name == method]
    if not named:
        allowed = ", ".join(("auto", *(a.name for a in algorithms)))
        raise ValueError(f"method={method!r} is unknown; allowed are {allowed}")
    reason = named[0].rejects(problem)
    if reason is not None:
        raise ValueError(f"method={method!r} cannot solve this layer: {reason}")
    return named[0]


def layer_explanation(plan: LayerPlan, method: str) -> Explanation:
    """Return which algorithms could solve a layer, what each would cost, and which one runs."""
    problem = plan.problem
    groups = f", groups {problem.groups}" if problem.groups > 1 else ""
    return Explanation(
        f"input {problem.x_shape}, weight {problem.w_shape}{groups} -> {problem.y_shape}",
        f"method {method!r}",
        tuple(_candidate(a, plan, method) for a in LAYER_ALGORITHMS),
        2 * problem.products,
        problem.bytes,
        problem.dtype,
    )


def _candidate(algorithm: LayerAlgorithm, plan: LayerPlan, method: str) -> Candidate:
    problem = plan.seen_problem
    rejected = algorithm.rejects(problem)
    if rejected is not None:
        return Candidate(algorithm.name, rejected, False, None, None, None)
    forced = f"method={method!r} is forced" if method not in ("auto", algorithm.name) else None
    return Candidate(
        algorithm.name,
        forced,
        algorithm.name == plan.algorithm.name,
        algorithm.workspace(problem) if math.prod(problem.y_shape) else 0,
        algorithm.error_bound(problem),
        algorithm.cost(problem, MACHINE),
    )


def _plain_method(problem: LayerProblem) -> str:
    """Return the name of the first algorithm that sums the products of the definition."""
    return next(
        a.name
        for a in LAYER_ALGORITHMS
        if a.rejects(problem) is None and a.error_bound(problem) == layer_summation_bound(problem)
    )


#: Plans made before, the oldest first.
_plans: dict[tuple[object, ...], Any] = {}
_MAX_PLANS = 256
_lock = ForkedLock()


def layer_plan(problem: LayerProblem, method: str = "auto") -> LayerPlan:
    """Return the plan of a layer."""
    return _kept(LayerPlan, problem, method)


def weight_gradient_plan(problem: LayerProblem, method: str = "auto") -> WeightGradientPlan:
    """Return the plan of a layer's gradient for its weights."""
    return _kept(WeightGradientPlan, problem, method)


def _kept(kind: Any, problem: LayerProblem, method: str) -> Any:
    if not isinstance(method, str):
        raise ValueError(f"method={method!r} is unknown; a name is allowed")
    key = (kind, problem, method)
    plan = _plans.get(key)
    if plan is None:
        plan = kind(problem, method)
        with _lock:
            while len(_plans) >= _MAX_PLANS:
                del _plans[next(iter(_plans))]
            _plans[key] = plan
    return plan


def clear_cache() -> None:
    """Forget the plans."""
    with _lock:
        _plans.clear()
