"""Layers, a piece at a time: what the whole layer decides, and what a run of its results reads.

All channels are read for a result of one: they are an axis of one chunk. A layer has one algorithm
and one order of axes, whatever the piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyconv._engine.algorithms.layers import blocked
from pyconv._engine.algorithms.layers.depthwise import Depthwise, DepthwiseLanes
from pyconv._engine.algorithms.layers.winograd import Winograd
from pyconv._engine.layer_planning import layer_plan
from pyconv._engine.layer_problem import LayerProblem
from pyconv._native import loader
from pyconv._pieces.reach import Reach, Run

#: Results along an axis of a tile that BLAS sums: of its last columns the sums have another order.
TILE = 64


def layer_method(problem: LayerProblem, method: str) -> str:
    """Return the algorithm of a whole layer.

    Raises
    ------
    ValueError
        If ``method`` is unknown, or cannot solve the layer.
    MemoryError
        If no algorithm can do with `max_memory`.
    """
    plan = layer_plan(replace(problem, batch=1), method)
    name = plan.algorithm.name
    across = plan.seen_problem.spatial[-1]
    if name == Depthwise.name and across.stride == 2 and across.dilation == 1 and across.taps > 1:
        # Rows as they are give taps by twos where there is no copy, which few rows need.
        return DepthwiseLanes.name
    return name


def layer_reaches(problem: LayerProblem, method: str, before: int) -> list[Reach]:
    """Return what the results of a whole layer read along its channels and spatial axes.

    ``before`` is the number of axes in front of the channels.
    """
    plan = layer_plan(replace(problem, batch=1), method)
    seen = plan.seen_problem
    # The axes as the algorithm sees them are those of the caller in another order.
    order = [0] * len(problem.spatial)
    for place, axis in enumerate(plan.order):
        order[axis] = place
    multiples, tile, entire = [1] * len(order), 0, set()
    if isinstance(plan.algorithm, Winograd):
        multiples = plan.algorithm.tiles(seen)
    elif method == "im2col":
        tile = TILE
    elif method == "blocked":
        entire = {*blocked.last_axes(seen, blocked.last_pixels(seen, loader.native))}
    channels = Reach(before, problem.in_channels, problem.out_channels, entire=True, joined=True)
    return [channels] + [
        Reach(
            before + a.axis - 1, a.size, a.out, a.low, a.span, a.stride, a.boundary,
            place=a.span // 2 - a.low, multiple=multiples[place], complete=multiples[place] > 1,
            tile=tile, entire=place in entire,
        )
        for a, place in zip(problem.spatial, order, strict=True)
    ]  # fmt: skip


def part_of_layer(
    problem: LayerProblem, shape: tuple[int, ...], runs: Sequence[Run]
) -> LayerProblem:
    """Return the problem of a piece: ``runs`` are those of the spatial axes."""
    behind = [a.out - run.start - run.out for a, run in zip(problem.spatial, runs, strict=True)]
    return problem.part(shape, [run.first for run in runs], [run.out for run in runs], behind)
