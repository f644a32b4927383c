"""blocked: a layer as products of small matrices, by our own register tile."""

from __future__ import annotations

import math

import numpy as np

from pyconv._engine.algorithms.base import BoundLayer, Run, layer_summation_bound
from pyconv._engine.algorithms.loop_adapters import layer_loop, longest_reach
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import MACHINE, Machine
from pyconv._native import loader

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20
#: A panel's row is filled for each term once, and read for each output channel: filling it
#: costs as much as this many output channels. Measured on Zen 4, 3×3 layers of 8 to 64 channels.
FILLING_CHANNELS = 6
#: What the blocks of an image and group take besides. Measured on Zen 4, 7×7 images.
IMAGE_SECONDS = 3e-7


class Blocked:
    """Implicit matrix products, a block of pixels and a chunk of channels at a time."""

    name = "blocked"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the compiled loop cannot take the layer."""
        longest = longest_reach(problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if self._box(problem) > MAX_WORKSPACE or self.workspace(problem) > MAX_WORKSPACE:
            return f"the rows of one block need more than {MAX_WORKSPACE} bytes"
        return None

    def _box(self, problem: LayerProblem) -> int:
        """Return the bytes of the samples that one result of one channel reads, gaps included."""
        return math.prod(a.span for a in problem.spatial) * problem.dtype.itemsize

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        outs = problem.out_channels // problem.groups
        lanes = loader.native.vector_bytes() // problem.dtype.itemsize
        channels, pixels = (
            math.ceil(outs / lanes) * lanes,
            math.ceil(problem.pixels / lanes) * lanes,
        )
        waste = min(pixels / problem.pixels, channels / outs)
        work = problem.products * problem.dtype.itemsize / machine.direct_bytes_per_second
        work *= waste * (1 + FILLING_CHANNELS / outs)
        work += problem.batch * problem.groups * IMAGE_SECONDS
        return max(work, problem.bytes / machine.copy_bytes_per_second)

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a sum in any order."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copies, panels and sums."""
        return int(layer_loop(problem).workspace())

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of weights that are packed before all else, in whole vectors."""
        strides = None if problem.straight_weights else [0] * len(problem.w_shape)
        weights = np.ndarray(problem.w_shape, problem.dtype, strides=strides)
        if layer_loop(problem).takes(weights):
            return 0
        lanes = loader.native.vector_bytes() // problem.dtype.itemsize
        rows = problem.groups * -(-problem.out_channels // problem.groups // lanes) * lanes
        return int(rows * problem.terms * problem.dtype.itemsize)

    def gradient_workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of one thread's copies, panels and sums of the gradient."""
        return int(layer_loop(problem).workspace(True))

    def threads(self, problem: LayerProblem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the compiled loop."""
        return _Bound(problem)

    def bind_gradient(self, problem: LayerProblem) -> Run:
        """Return the compiled loop of the gradient for the weights."""
        loop = layer_loop(problem)

        def run(x: np.ndarray, dy: np.ndarray, dw: np.ndarray, workers: int) -> None:
            loop.run_gradient(x, dy, dw, workers)

        return run


class _Packed:
    """Weights in the order of the tiles."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class _Bound:
    """A layer bound to the compiled loop."""

    def __init__(self, problem: LayerProblem) -> None:
        self.loop = layer_loop(problem)

    def pack(self, w: np.ndarray) -> _Packed:
        return _Packed(self.loop.pack(w))

    def run(
        self,
        x: np.ndarray,
        w: np.ndarray | _Packed,
        bias: np.ndarray | None,
        y: np.ndarray,
        workers: int,
    ) -> bool:
        if isinstance(w, np.ndarray) and not self.loop.takes(w):
            w = self.pack(w)
        if isinstance(w, _Packed):
            self.loop.run(x, w.array, True, bias, y, workers)
        else:
            self.loop.run(x, w, False, bias, y, workers)
        return True
