"""im2col for layers: Y = W · X, where column i of X holds every sample that pixel i reads.

X is written a tile of pixels at a time, so that the whole matrix never exists; BLAS multiplies.
See Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", 2006.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyconv._engine import threads
from pyconv._engine.algorithms.base import BoundLayer, block_of, layer_summation_bound
from pyconv._engine.algorithms.loop_adapters import (
    LayerCut,
    layer_axes,
    layer_loop,
    longest_reach,
)
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import Machine
from pyconv._native import loader

MAX_SPAN = 2**24
MAX_WORKSPACE = 256 << 20
#: Bytes of a tile of X: it is written and read once, and stays in the level-2 cache between.
COLUMNS_BYTES = 1 << 20
MIN_COLUMNS = 64
#: A call, and each group of an image, takes so long besides: Zen 4, 2026-11-30, in Python mostly.
CALL_SECONDS = 18e-6
GROUP_SECONDS = 3.5e-6
#: Products of one call of BLAS: signals are looked at between calls.
MOST_PRODUCTS = 2**31


class LayerIm2col:
    """Tiles of columns, multiplied by BLAS."""

    name = "im2col"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return why the layer cannot be tiled."""
        longest = longest_reach(problem.spatial)
        if longest > MAX_SPAN:
            return f"the kernel spans or pads {longest} samples of an axis, more than {MAX_SPAN}"
        if self.workspace(problem) > MAX_WORKSPACE:
            return f"the columns of one tile need more than {MAX_WORKSPACE} bytes"
        return None

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time to write X and to multiply it."""
        item = problem.dtype.itemsize
        columns = problem.batch * problem.pixels * problem.terms * problem.groups * item
        work = 1.5 * problem.products * item / machine.direct_bytes_per_second
        work += CALL_SECONDS + GROUP_SECONDS * problem.batch * problem.groups
        return work + 2 * columns / machine.copy_bytes_per_second

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a sum in any order."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of a tile of X and of the rows that it is written from."""
        channels = problem.in_channels // problem.groups
        width = _columns(problem)
        reach = [(a.out - 1) * a.stride + a.span for a in problem.spatial]
        rows = min(-(-width // problem.spatial[-1].out) + 1, problem.pixels)
        copied = channels * reach[-1]
        for a, length in zip(problem.spatial[:-1], reach[:-1], strict=True):
            copied *= min(length, rows * a.stride + a.span)
        return (problem.terms * width + copied) * problem.dtype.itemsize

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of a copy of the weights, and of the products of a block of terms."""
        weights = 0 if problem.straight_weights else problem.out_channels * problem.terms
        products = 0
        if problem.terms > block_of(problem.terms):
            products = problem.out_channels // problem.groups * _columns(problem)
        return (weights + products) * problem.dtype.itemsize

    def threads(self, problem: LayerProblem) -> int:
        """Return 1: BLAS would bring threads of its own."""
        return 1

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the tiles."""
        return _Bound(problem)


def _columns(problem: LayerProblem) -> int:
    """Return the pixels of a tile, a whole number of vectors."""
    lanes = loader.native.vector_bytes() // problem.dtype.itemsize
    width = COLUMNS_BYTES // (problem.terms * problem.dtype.itemsize)
    width = min(max(width, MIN_COLUMNS), problem.pixels)
    return -(-width // lanes) * lanes


def _multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Write a · b, a block of terms and some rows of the result at a time."""
    block = block_of(a.shape[1])
    step = max(64, MOST_PRODUCTS // (block * b.shape[1]))
    for row in range(0, len(a), step):
        part, rows = out[row : row + step], a[row : row + step]
        np.matmul(rows[:, :block], b[:block], out=part)
        for first in range(block, a.shape[1], block):
            part += rows[:, first : first + block] @ b[first : first + block]


class _Bound:
    """A layer bound to the tiles."""

    def __init__(self, problem: LayerProblem) -> None:
        self.problem = problem
        self.width = _columns(problem)
        channels = problem.in_channels // problem.groups
        cut = LayerCut(chunk=channels, width=self.width, unit=self.width)
        self.loop: Any = layer_loop(problem, layer_axes(problem), cut, loader.native)

    def pack(self, w: np.ndarray) -> np.ndarray:
        return np.array(w, order="C")

    def run(
        self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray, workers: int
    ) -> bool:
        problem = self.problem
        outs = problem.out_channels // problem.groups
        rows = np.ascontiguousarray(w).reshape(problem.groups, outs, -1)
        maps = y.reshape(problem.batch, problem.groups, outs, -1)
        # Room for the vector that reaches beyond the last pixel.
        room = np.empty(problem.terms * self.width + self.width, problem.dtype)
        columns = room[: problem.terms * self.width].reshape(problem.terms, self.width)
        with threads.one_blas_thread(), np.errstate(all="ignore"):
            for n, g in np.ndindex(problem.batch, problem.groups):
                for first in range(0, problem.pixels, self.width):
                    tile = maps[n, g, :, first : first + self.width]
                    self.loop.fill_columns(x, n, g, first, columns)
                    _multiply(rows[g], columns[:, : tile.shape[1]], tile)
        if bias is not None:
            y += bias.reshape(-1, *[1] * len(problem.spatial))
        return True
