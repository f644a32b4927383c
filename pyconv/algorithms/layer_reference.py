"""The definition of a layer in plain NumPy, one tap at a time: y = Σ_u w[:, :, u] · x_u + b.

Slow, and takes every layer. Images are summed one by one, some channels and pixels at a time.
"""

import math
from collections.abc import Iterator

import numpy as np

from pyconv.algorithms.base import BoundLayer, Run, block_of, layer_summation_bound
from pyconv.layer_problem import LayerProblem
from pyconv.machine import Machine

#: Products that NumPy makes in one call: signals are looked at between calls.
MOST_PRODUCTS = 2**24


class LayerReference:
    """The definition in plain NumPy."""

    name = "reference"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return None: nothing is rejected."""
        return None

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time of a gather and of a product of matrices for each tap."""
        gathered = math.prod(problem.x_shape[:2]) * problem.pixels * problem.terms
        return (gathered + problem.products) * machine.numpy_seconds_per_product

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a sum in any order."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of the extended copy of ``x``, one tap's samples and its products."""
        extended = math.prod(problem.x_shape[:2]) * math.prod(a.size + 1 for a in problem.spatial)
        samples = math.prod(problem.x_shape[:2]) * problem.pixels
        return (extended + samples + math.prod(problem.y_shape)) * problem.dtype.itemsize

    def threads(self, problem: LayerProblem) -> int:
        """Return 1."""
        return 1

    def bind(self, problem: LayerProblem) -> BoundLayer:
        """Return the sum over the taps."""
        return _Bound(problem)

    def bind_gradient(self, problem: LayerProblem) -> Run:
        """Return the products of the gradient with what each tap read."""
        taps = _Taps(problem)

        def run(x: np.ndarray, dy: np.ndarray, dw: np.ndarray, workers: int) -> None:
            groups = problem.groups
            dy = dy.reshape(problem.batch, groups, -1, problem.pixels)
            by_group = dw.reshape(groups, -1, *problem.w_shape[1:])
            total = np.zeros(by_group.shape[:3], dw.dtype)
            for u, samples in taps.samples(x):
                total[...] = 0
                for n, g, k in np.ndindex(dy.shape[:3]):
                    for part in _parts(samples.shape[2], problem.pixels):
                        products = dy[n, g, k] * samples[n, g, part]
                        total[g, k, part] += products.sum(axis=1)
                by_group[(slice(None),) * 3 + u] = total

        return run


def _parts(channels: int, pixels: int) -> Iterator[slice]:
    """Yield channels whose products with one map are at most `MOST_PRODUCTS`."""
    step = max(1, MOST_PRODUCTS // pixels)
    for first in range(0, channels, step):
        yield slice(first, first + step)


class _Taps:
    """What each tap of a layer reads."""

    def __init__(self, problem: LayerProblem) -> None:
        self.problem = problem
        self.sources = [[a.sources(u) for u in range(a.taps)] for a in problem.spatial]

    def samples(self, x: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Yield each tap and its samples, as (N, groups, channels of a group, pixels)."""
        problem = self.problem
        # Index FILL = −1 reads the zero behind the last sample.
        x = np.pad(x, [(0, 0), (0, 0)] + [(0, 1)] * len(problem.spatial))
        for u in np.ndindex(*(a.taps for a in problem.spatial)):
            read = x
            for a, source, tap in zip(problem.spatial, self.sources, u, strict=True):
                read = np.take(read, source[tap], axis=a.axis)
            yield u, read.reshape(problem.batch, problem.groups, -1, problem.pixels)


class _Bound:
    """A layer bound to the definition."""

    def __init__(self, problem: LayerProblem) -> None:
        self.problem = problem
        self.taps = _Taps(problem)

    def pack(self, w: np.ndarray) -> np.ndarray:
        return w.copy()

    def run(
        self, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, y: np.ndarray, workers: int
    ) -> bool:
        problem = self.problem
        by_group = w.reshape(problem.groups, -1, *problem.w_shape[1:])
        total = np.zeros(
            (problem.batch, problem.groups, by_group.shape[1], problem.pixels), w.dtype
        )
        with np.errstate(all="ignore"):
            sums = np.zeros_like(total)
            block, summed = block_of(problem.terms), 0
            for u, samples in self.taps.samples(x):
                weights = by_group[(slice(None),) * 3 + u]
                for c in range(weights.shape[2]):
                    for n, g in np.ndindex(total.shape[:2]):
                        for part in _parts(weights.shape[1], problem.pixels):
                            sums[n, g, part] += weights[g, part, c, np.newaxis] * samples[n, g, c]
                    summed += 1
                    if summed == block:
                        total += sums
                        sums[...] = 0
                        summed = 0
            total += sums
            y[...] = total.reshape(problem.y_shape)
            if bias is not None:
                y += bias.reshape(-1, *[1] * len(problem.spatial))
        return True
