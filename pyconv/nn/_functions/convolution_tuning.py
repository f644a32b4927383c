"""tune_conv: time the algorithms of a layer or of a gradient, and remember the fastest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyconv._engine.layer_planning import (
    LAYER_PLANNER,
    WEIGHT_GRADIENT_PLANNER,
    LayerPlan,
    WeightGradientPlan,
)
from pyconv._engine.layer_problem import LayerProblem, Options, make_layer_problem
from pyconv._engine.output_arrays import ones
from pyconv._engine.problem import memory_limit
from pyconv.nn._functions.arguments import NUMBERS, array
from pyconv.nn._functions.convolution_calls import Adjoint, sized
from pyconv.nn._functions.layer_arrays import PARTS, SUMS, contiguous, result_dtype

#: What may be tuned of a layer: itself, or its gradient for an argument.
GRADIENTS = (None, "input", "weight")
Times = dict[str, float]


@np.errstate(all="ignore")
def tune_conv(
    input_shape: object,
    weight: npt.ArrayLike,
    options: Options,
    gradient: object,
    max_memory: int | None,
    file: Path | None,
) -> Times:
    """Return the least seconds of each algorithm that was timed, the fastest first."""
    given = array(weight, "weight", NUMBERS)
    n = given.ndim - 2
    if not 1 <= n <= 3:
        raise ValueError(
            f"weight has {given.ndim} dimensions (shape {given.shape}); allowed are 3 to 5"
        )
    if gradient not in GRADIENTS:
        raise ValueError(
            f"gradient={gradient!r} is unknown; allowed are {', '.join(map(repr, GRADIENTS))}"
        )
    part = PARTS[SUMS[result_dtype([given])]]
    w = contiguous(given.real, part)
    problem = make_layer_problem(sized(input_shape, "input_shape", n + 2), w.shape, part, options)
    if max_memory is not None:
        problem = problem.within(memory_limit(max_memory), 0)
    if not math.prod(problem.y_shape):
        return {}
    if gradient == "weight":
        return _tuned_weight_gradient(problem, file)
    layers = [(problem, w)]
    if gradient == "input":
        layers = list(_phases(problem, w))
    return _added([_tuned(layer, weights, file) for layer, weights in layers])


def _phases(problem: LayerProblem, w: np.ndarray) -> Iterator[tuple[LayerProblem, np.ndarray]]:
    """Yield the layers that are the gradient for the input, each kind of them once."""
    seen = set()
    adjoint = Adjoint(problem, "auto", None)
    for plan, weights in zip(adjoint.plans, adjoint.weights(w), strict=True):
        if plan.problem not in seen:
            seen.add(plan.problem)
            yield plan.problem, weights


def _tuned(problem: LayerProblem, w: np.ndarray, file: Path | None) -> Times:
    x, y = (ones(shape, problem.dtype) for shape in (problem.x_shape, problem.y_shape))

    def runner(name: str) -> Callable[[], object]:
        plan = LayerPlan(problem, name)
        return lambda: plan.run(x, w, None, y, None)

    return LAYER_PLANNER.tune(LayerPlan(problem, "auto").seen_problem, runner, None, file)


def _tuned_weight_gradient(problem: LayerProblem, file: Path | None) -> Times:
    x, dy = (ones(shape, problem.dtype) for shape in (problem.x_shape, problem.y_shape))
    dw = np.empty(problem.w_shape, problem.dtype)

    def runner(name: str) -> Callable[[], object]:
        plan = WeightGradientPlan(problem, name)
        return lambda: plan.run(x, dy, dw, None)

    seen = WeightGradientPlan(problem, "auto").seen_problem
    return WEIGHT_GRADIENT_PLANNER.tune(seen, runner, None, file)


def _added(phases: list[Times]) -> Times:
    """Return the sums over the phases, of the algorithms that were timed for all of them."""
    names = set.intersection(*(set(times) for times in phases)) if phases else set()
    total = {name: sum(times[name] for times in phases) for name in names}
    return dict(sorted(total.items(), key=lambda pair: pair[1]))
