"""depthwise: layers whose groups have one input channel, a plane of a channel at a time."""

import math
from typing import Any

import numpy as np

from pyconv._native import loader
from pyconv.algorithms.base import BoundLayer, layer_summation_bound
from pyconv.algorithms.casting import ABSENT, axis_rows, longest_reach
from pyconv.layer_problem import LayerProblem
from pyconv.machine import MACHINE, Machine

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20
#: A plane of a channel takes so long besides its sums, which run at this share of the peak.
#: Measured on Zen 4, images of 7 by 7 to 112 by 112.
PLANE_SECONDS = 3.5e-8
SHARE_OF_PEAK = 0.7


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
        """Return the time to read the samples, to multiply and to write."""
        planes = math.prod(
            problem.y_shape[:-2] if len(problem.spatial) > 1 else problem.y_shape[:2]
        )
        work = problem.products * problem.dtype.itemsize / machine.direct_bytes_per_second
        return planes * PLANE_SECONDS + work / SHARE_OF_PEAK

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a plain sum."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copy, or of its table of rows."""
        return int(_loop(problem).workspace())

    def threads(self, problem: LayerProblem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the compiled loop."""
        return _Bound(problem)


def _loop(problem: LayerProblem) -> Any:
    return loader.native.DepthwiseLoop(
        problem.dtype,
        problem.batch,
        problem.in_channels,
        problem.out_channels // problem.in_channels,
        axis_rows([ABSENT] * (3 - len(problem.spatial)) + list(problem.spatial)),
    )


class _Packed:
    """Kernels in the order of the tile."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class _Bound:
    """A layer bound to the compiled loop."""

    def __init__(self, problem: LayerProblem) -> None:
        self.loop = _loop(problem)
        self.outs = problem.out_channels

    def pack(self, w: np.ndarray) -> _Packed:
        return _Packed(self.loop.pack(np.ascontiguousarray(w).reshape(self.outs, -1)))

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray | _Packed,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int,
    ) -> bool:
        packed = w if isinstance(w, _Packed) else self.pack(w)
        self.loop.run(x, packed.array, bias, y, workers)
        return True
