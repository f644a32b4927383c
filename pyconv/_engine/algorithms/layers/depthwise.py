"""depthwise: layers whose groups have one input channel, a plane of a channel at a time.

depthwise_lanes: the same, channels side by side in the lanes of vectors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyconv._engine.algorithms.base import BoundLayer, layer_summation_bound
from pyconv._engine.algorithms.loop_adapters import ABSENT, axis_rows, longest_reach
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis
from pyconv._native import loader

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20
# Measured on Zen 4, images of 3 by 3 to 56 by 56, kernels of 3 by 3 to 7 by 7. `blocked` reaches
# 1.35 times the rate of `direct` by which it is judged; to be judged alike, so are these, whose
# times are 1.35 times those that were measured.
#: A plane of a channel takes so long besides its sums, which run at this many times the rate of
#: `direct`, by the bytes of a vector: of whole tiles, so many rows of a vector each. With a stride
#: of 2 every tile takes as long as with so many taps more.
PLANE_SECONDS = 4.7e-8
PLANE_RATE = {64: 0.8, 32: 0.52, 16: 0.52}
TILE_ROWS = 7
STRIDE_TAPS = {64: 13, 32: 18, 16: 27}
#: A block of channels in the lanes takes so long besides, and its sums run at this many times the
#: rate. Turning a vector of samples, or of results, takes as long as so many products.
BLOCK_SECONDS = 6.8e-8
LANES_RATE = 1.04
SAMPLE_PRODUCTS = 8
RESULT_PRODUCTS = 5


class Depthwise:
    """A kernel of its own for each channel."""

    name = "depthwise"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the compiled loop cannot take the layer."""
        if problem.groups != problem.in_channels:
            return (
                f"{problem.in_channels} channels in {problem.groups} groups: allowed is one "
                "channel in each"
            )
        longest = longest_reach(problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if math.prod(a.span for a in problem.spatial) * 8 > MAX_WORKSPACE:
            return f"the rows of one block need more than {MAX_WORKSPACE} bytes"
        if self.workspace(problem) > MAX_WORKSPACE:
            return f"the rows of one block need more than {MAX_WORKSPACE} bytes"
        return None

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time of the tiles of every plane."""
        z, y, x = _axes(problem)
        planes = problem.batch * problem.out_channels * z.out
        tiles = math.ceil(y.out / TILE_ROWS) * math.ceil(x.out / _lanes(problem))
        width = loader.native.vector_bytes()
        taps = problem.terms + STRIDE_TAPS[width] * (x.stride > 1)
        seconds = width / machine.direct_bytes_per_second / PLANE_RATE[width]
        return planes * (PLANE_SECONDS + tiles * taps * TILE_ROWS * seconds)

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a plain sum."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copy, or of its table of rows."""
        return int(self.loop(problem).workspace())

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of a contiguous copy of the weights, of packed ones, and of zeros."""
        copies = 1 if problem.straight_weights else 2
        weights = copies * problem.out_channels * problem.terms
        return (weights + problem.spatial[-1].size) * problem.dtype.itemsize

    def threads(self, problem: LayerProblem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the compiled loop."""
        return _Bound(self.loop(problem))

    def loop(self, problem: LayerProblem) -> Any:
        """Return the compiled loop."""
        return loader.native.DepthwiseLoop(*_numbers(problem))


class DepthwiseLanes(Depthwise):
    """A kernel of its own for each channel, for planes too small to fill vectors by rows."""

    name = "depthwise_lanes"

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time to turn the samples, to multiply, and to turn the results."""
        blocks = problem.batch * math.ceil(problem.out_channels / _lanes(problem))
        z, y, x = _axes(problem)
        read = z.out * min(z.taps, z.size) * y.size * x.size
        products = problem.pixels * (problem.terms + RESULT_PRODUCTS) + read * SAMPLE_PRODUCTS
        seconds = loader.native.vector_bytes() / machine.direct_bytes_per_second
        return blocks * (BLOCK_SECONDS + products * seconds / LANES_RATE)

    def loop(self, problem: LayerProblem) -> Any:
        """Return the compiled loop."""
        return loader.native.DepthwiseLanesLoop(*_numbers(problem))


def _lanes(problem: LayerProblem) -> int:
    return int(loader.native.vector_bytes()) // problem.dtype.itemsize


def _axes(problem: LayerProblem) -> list[Axis]:
    """Return axes z, y and x."""
    return [ABSENT] * (3 - len(problem.spatial)) + list(problem.spatial)


def _numbers(problem: LayerProblem) -> tuple[Any, ...]:
    return (
        problem.dtype,
        problem.batch,
        problem.in_channels,
        problem.out_channels // problem.in_channels,
        axis_rows(_axes(problem)),
    )


class _Packed:
    """Kernels in the order of the loop."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class _Bound:
    """A layer bound to a compiled loop."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop

    def pack(self, w: np.ndarray) -> _Packed:
        return _Packed(self.loop.pack(np.ascontiguousarray(w)))

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray | _Packed,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int,
    ) -> bool:
        if isinstance(w, _Packed):
            self.loop.run(x, w.array, True, bias, y, workers)
        else:
            self.loop.run(x, np.ascontiguousarray(w), False, bias, y, workers)
        return True
