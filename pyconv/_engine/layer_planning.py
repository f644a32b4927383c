"""From a layer's problem to a plan: choose the algorithm of least cost, bind it, keep it.

What is computed of an image, to the bit, follows from the shape of one image alone, not from how
many there are: the algorithm is the one that costs least for a single image, and images that
Winograd's transforms spoil, which hold a NaN, are summed again by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
from pyconv._engine.explanation_table import Explanation, scaled
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.planner import LAYERS, AlgorithmT, Planner, shortage
from pyconv._engine.threads import resolve, running
from pyconv._native import layout


class _LayerPlanner(Planner[LayerProblem, AlgorithmT]):
    """What layers and their gradients have in common: one image decides for all."""

    noun = "layer"

    def item(self, problem: LayerProblem) -> LayerProblem:
        """Return the problem of a single image."""
        return replace(problem, batch=1)

    def known_as(self, problem: LayerProblem) -> LayerProblem:
        """Return the problem of a single image, so that it has the bits that it has alone."""
        return replace(problem, batch=1, copied=0, straight_weights=True)

    def memory(self, algorithm: AlgorithmT, problem: LayerProblem, threads: int) -> _Memory:
        """Return what an algorithm takes besides copies of whole arrays."""
        raise NotImplementedError

    def workspace(self, algorithm: AlgorithmT, problem: LayerProblem) -> int:
        """Return the bytes that one thread needs, and those that all of them share."""
        if not math.prod(problem.y_shape):
            return 0
        memory = self.memory(algorithm, problem, 1)
        if problem.max_memory == math.inf:
            return memory.thread
        return problem.copied + memory.shared + memory.thread

    def most_threads(self, algorithm: AlgorithmT, problem: LayerProblem) -> int | None:
        """Return for how many threads `max_memory` is enough, None without a limit."""
        if problem.max_memory == math.inf or not math.prod(problem.y_shape):
            return None
        memory = self.memory(algorithm, problem, 2)
        rest = problem.max_memory - problem.copied - memory.shared
        return max(1, int(rest) // max(1, memory.thread))


class _Memory(NamedTuple):
    """The bytes that an algorithm takes: of each thread, and of what all threads share."""

    thread: int
    shared: int


class LayerPlanner(_LayerPlanner[LayerAlgorithm]):
    """The planner of layers."""

    def memory(self, algorithm: LayerAlgorithm, problem: LayerProblem, threads: int) -> _Memory:
        """Return what an algorithm takes: one that is no plain sum as much as the next plain one.

        Images that it spoils are summed again.
        """
        thread = algorithm.workspace(problem)
        shared = algorithm.shared_workspace(problem, threads)
        if problem.max_memory < math.inf and not _is_plain(algorithm, problem):
            least = min(
                a.workspace(problem) + a.shared_workspace(problem, 1) for a in self.plain(problem)
            )
            shared = max(shared, least - thread)
        return _Memory(thread, shared)

    def plain(self, problem: LayerProblem) -> list[LayerAlgorithm]:
        """Return the algorithms that sum the products of the definition."""
        able = (a for a in self.algorithms if a.rejects(problem) is None)
        return [a for a in able if _is_plain(a, problem)]

    def plain_method(self, problem: LayerProblem) -> str:
        """Return the name of the first algorithm that sums plainly within `max_memory`."""
        plain = self.plain(problem)
        fit = (a for a in plain if self.workspace(a, problem) <= problem.max_memory)
        return next(fit, plain[0]).name


class WeightGradientPlanner(_LayerPlanner[WeightGradientAlgorithm]):
    """The planner of the gradients of layers for their weights."""

    def description(self, problem: LayerProblem) -> str:
        """Return the words by which wisdom knows the gradient, which are not those of the layer."""
        return f"{super().description(problem)}, gradient for the weights"

    def memory(
        self, algorithm: WeightGradientAlgorithm, problem: LayerProblem, threads: int
    ) -> _Memory:
        """Return what an algorithm takes."""
        return _Memory(algorithm.gradient_workspace(problem), 0)


def _is_plain(algorithm: LayerAlgorithm, problem: LayerProblem) -> bool:
    return algorithm.error_bound(problem) == layer_summation_bound(problem)


LAYER_PLANNER = LayerPlanner(LAYER_ALGORITHMS)
WEIGHT_GRADIENT_PLANNER = WeightGradientPlanner(WEIGHT_GRADIENT_ALGORITHMS)
LAYER_METHODS = LAYER_PLANNER.methods


class LayerPlan:
    """A layer bound to an algorithm. It holds no workspace: threads may share it."""

    __slots__ = (
        "_bound",
        "_most_threads",
        "_plain_method",
        "_seen",
        "algorithm",
        "problem",
        "seen_problem",
        "useful_threads",
    )

    def __init__(self, problem: LayerProblem, method: str) -> None:
        self.problem = problem
        self._seen = _seen(problem)
        #: The problem that the algorithm sees, its axes in the order that suits it.
        self.seen_problem = seen = _as_seen(problem, self._seen, gradient=False)
        self.algorithm: LayerAlgorithm = LAYER_PLANNER.choose(seen, method)
        self._bound = self.algorithm.bind(seen)
        self.useful_threads = self.algorithm.threads(seen)
        self._most_threads = LAYER_PLANNER.most_threads(self.algorithm, seen)
        #: The method that sums spoilt images, once there were some.
        self._plain_method: str | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """The spatial axes in the order in which the algorithm sees them."""
        if self._seen is None:
            return tuple(range(len(self.problem.spatial)))
        return tuple(i - 2 for i in self._seen.order[2:])

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
        if self._most_threads is not None:
            count = min(count, self._most_threads)
        x, y = layout.settled(x), layout.settled(y)
        if isinstance(w, np.ndarray):
            w = layout.settled(w)
        with running():
            stands = self._bound.run(x, w, bias, y, count)
        if not stands:
            weights = w if isinstance(w, np.ndarray) else w.plain
            method = self._plain_method or LAYER_PLANNER.plain_method(self.seen_problem)
            self._plain_method = method
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
        spatial = tuple(replace(a, axis=2 + i) for i, a in enumerate(axes))
        if problem.whole is None:
            return replace(problem, spatial=spatial)
        behind = tuple(problem.behind[i - 2] for i in self.order[2:])
        whole = self.problem(problem.whole)
        return replace(problem, spatial=spatial, whole=whole, behind=behind)

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
    order = in_order(tuple(a.out for a in problem.deciding.spatial))
    if order == tuple(range(len(order))):
        return None
    return _Seen((0, 1, *(2 + i for i in order)))


def _as_seen(problem: LayerProblem, seen: _Seen | None, gradient: bool) -> LayerProblem:
    """Return the problem that an algorithm sees, and count the copies that it sees."""
    if seen is None:
        return problem
    if problem.max_memory == math.inf:
        return seen.problem(problem)
    shapes = [problem.x_shape, problem.y_shape]
    shapes += [problem.w_shape] if gradient else []
    # An axis of one sample moves nothing.
    copied = sum(math.prod(s) for s in shapes if sum(n > 1 for n in s[2:]) > 1)
    copied = problem.copied + copied * problem.dtype.itemsize
    return seen.problem(replace(problem, copied=copied, straight_weights=False))


def _runs_of_spoilt(y: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first and end of the runs of images that hold a NaN or an infinity."""
    if len(y) == 1:  # it may not have been finished
        yield 0, 1
        return
    start = None
    for n, image in enumerate(y):
        spoilt = not (np.isfinite(image.min()) and np.isfinite(image.max()))
        if spoilt and start is None:
            start = n
        elif not spoilt and start is not None:
            yield start, n
            start = None
    if start is not None:
        yield start, len(y)


class WeightGradientPlan:
    """The gradient of a layer for its weights, bound to an algorithm."""

    __slots__ = (
        "_most_threads",
        "_seen",
        "algorithm",
        "gradient",
        "problem",
        "seen_problem",
        "useful_threads",
    )

    def __init__(self, problem: LayerProblem, method: str) -> None:
        self.problem = problem
        self._seen = _seen(problem)
        self.seen_problem = seen = _as_seen(problem, self._seen, gradient=True)
        self.algorithm: WeightGradientAlgorithm = WEIGHT_GRADIENT_PLANNER.choose(seen, method)
        self.gradient = self.algorithm.bind_gradient(seen)
        self.useful_threads = self.algorithm.threads(seen)
        self._most_threads = WEIGHT_GRADIENT_PLANNER.most_threads(self.algorithm, seen)

    def run(self, x: np.ndarray, dy: np.ndarray, dw: np.ndarray, workers: int | None) -> None:
        """Write the gradient to ``dw``."""
        count = resolve(workers, self.useful_threads)
        if self._most_threads is not None:
            count = min(count, self._most_threads)
        if not dy.size:
            dw[...] = 0
            return
        total = dw
        if self._seen is not None:
            x, dy, total = self._seen.copy(x), self._seen.copy(dy), self._seen.room(dw)
        with running():
            self.gradient(layout.settled(x), layout.settled(dy), layout.settled(total), count)
        if self._seen is not None:
            self._seen.write(total, dw)


def layer_explanation(plan: LayerPlan, method: str) -> Explanation:
    """Return which algorithms could solve a layer, what each would cost, and which one runs."""
    problem = plan.problem
    groups = f", groups {problem.groups}" if problem.groups > 1 else ""
    limited = problem.max_memory < math.inf
    memory = f"max_memory {scaled(problem.max_memory)}B; " if limited else ""
    return Explanation(
        f"input {problem.x_shape}, weight {problem.w_shape}{groups} -> {problem.y_shape}",
        f"{memory}method {method!r}",
        LAYER_PLANNER.explained(plan.seen_problem, method, plan.algorithm.name),
        2 * problem.products,
        problem.bytes,
        problem.dtype,
    )


def layer_plan(problem: LayerProblem, method: str = "auto") -> LayerPlan:
    """Return the plan of a layer."""
    key = (LayerPlan, problem, method)
    try:
        plan: LayerPlan = LAYERS.found[key]
    except (KeyError, TypeError):  # unknown, or a method that is no word
        return LAYERS.get(key, LayerPlan, problem, method)
    return plan


def layer_plans(problems: Sequence[LayerProblem], method: str) -> list[LayerPlan]:
    """Return the plans of layers that run one after the other.

    Raises
    ------
    MemoryError
        If `max_memory` is too little for any; the least that would do is that of all of them.
    """
    try:
        return [layer_plan(problem, method) for problem in problems]
    except MemoryError:
        least = [_least_memory(problem, method) for problem in problems]
        raise shortage(problems[0].max_memory, max(least)) from None


def _least_memory(problem: LayerProblem, method: str) -> int:
    seen = _as_seen(problem, _seen(problem), gradient=False)
    able = LAYER_PLANNER.candidates(seen, method)
    return min(LAYER_PLANNER.workspace(a, seen) for a in able)


def weight_gradient_plan(problem: LayerProblem, method: str = "auto") -> WeightGradientPlan:
    """Return the plan of a layer's gradient for its weights."""
    key = (WeightGradientPlan, problem, method)
    return LAYERS.get(key, WeightGradientPlan, problem, method)
