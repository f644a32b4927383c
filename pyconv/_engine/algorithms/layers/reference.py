"""The definition of a layer in plain NumPy, one tap at a time: y = Σ_u w[:, :, u] · x_u + b.

Slow, and takes every layer. Images are summed one by one, some channels and pixels at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pyconv._engine.algorithms.base import BoundLayer, Run, block_of, layer_summation_bound
from pyconv._engine.layer_problem import LayerProblem
from pyconv._engine.machine import Machine

#: Products that NumPy makes in one call: signals are looked at between calls.
MOST_PRODUCTS = 2**24
#: A tap of an image takes so long besides, in Python: 20 to 50 microseconds on Zen 4, 2026-11-30.
TAP_SECONDS = 20e-6


class LayerReference:
    """The definition in plain NumPy."""

    name = "reference"

    def rejects(self, problem: LayerProblem) -> str | None:
        """Return None: nothing is rejected."""
        return None

    def cost(self, problem: LayerProblem, machine: Machine) -> float:
        """Return the time of a gather and of a product of matrices for each tap."""
        gathered = math.prod(problem.x_shape[:2]) * problem.pixels * problem.terms
        taps = problem.batch * math.prod(a.taps for a in problem.spatial)
        return (
            taps * TAP_SECONDS + (gathered + problem.products) * machine.numpy_seconds_per_product
        )

    def error_bound(self, problem: LayerProblem) -> float:
        """Return the bound of a sum in any order."""
        return layer_summation_bound(problem)

    def workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of an image's extended copy, one tap's samples and the sums."""
        extended = problem.x_shape[1] * math.prod(a.size + 1 for a in problem.spatial)
        samples = problem.x_shape[1] * problem.pixels
        sums = 2 * math.prod(problem.y_shape[1:])
        return (extended + samples + sums) * problem.dtype.itemsize

    def shared_workspace(self, problem: LayerProblem, threads: int) -> int:
        """Return the bytes of a copy of the weights, and of what NumPy makes of a tap's samples."""
        weights = 0 if problem.straight_weights else problem.out_channels * problem.terms
        return (weights + self._made(problem)) * problem.dtype.itemsize

    def gradient_workspace(self, problem: LayerProblem) -> int:
        """Return the bytes of an image's extended copy, one tap's samples, and their products."""
        return self.workspace(problem) + self._made(problem) * problem.dtype.itemsize

    def _made(self, problem: LayerProblem) -> int:
        """Return the samples that are gathered, twice, and the products of one weight's."""
        extended = problem.x_shape[1] * math.prod(a.size + 1 for a in problem.spatial)
        return 2 * extended + math.prod(problem.y_shape[1:])

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
            dw[...] = 0
            by_group = dw.reshape(groups, -1, *problem.w_shape[1:])
            for n, maps in enumerate(dy):
                for u, samples in taps.samples(x[n]):
                    for g, k in np.ndindex(dy.shape[1:3]):
                        for part in _parts(samples.shape[1], problem.pixels):
                            products = maps[g, k] * samples[g, part]
                            by_group[(g, k, part, *u)] += products.sum(axis=1)

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

    def samples(self, image: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Yield each tap and its samples of an image, as (groups, channels of a group, pixels)."""
        problem = self.problem
        # Index FILL = −1 reads the zero behind the last sample.
        x = np.pad(image, [(0, 0)] + [(0, 1)] * len(problem.spatial))
        samples = np.empty((len(x), problem.pixels), x.dtype)
        for u in np.ndindex(*(a.taps for a in problem.spatial)):
            for part in _parts(len(x), math.prod(x.shape[1:])):
                read = x[part]
                for a, source, tap in zip(problem.spatial, self.sources, u, strict=True):
                    read = np.take(read, source[tap], axis=a.axis - 1)
                samples[part] = read.reshape(len(read), -1)
            yield u, samples.reshape(problem.groups, -1, problem.pixels)


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
        with np.errstate(all="ignore"):
            for image, result in zip(x, y, strict=True):
                total = np.zeros((problem.groups, by_group.shape[1], problem.pixels), w.dtype)
                sums = np.zeros_like(total)
                block, summed = block_of(problem.terms), 0
                for u, samples in self.taps.samples(image):
                    weights = by_group[(slice(None),) * 3 + u]
                    for c in range(weights.shape[2]):
                        for g in range(problem.groups):
                            for part in _parts(weights.shape[1], problem.pixels):
                                sums[g, part] += weights[g, part, c, np.newaxis] * samples[g, c]
                        summed += 1
                        if summed == block:
                            total += sums
                            sums[...] = 0
                            summed = 0
                total += sums
                result[...] = total.reshape(result.shape)
            if bias is not None:
                y += bias.reshape(-1, *[1] * len(problem.spatial))
        return True
