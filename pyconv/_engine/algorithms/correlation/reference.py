"""The definition in plain NumPy, one tap at a time: y = Σ_u x[i·s + u·d − p] · w[u].

Slow, and takes every problem: any span, and integers of any size (as Python integers). The
outputs are computed in blocks that the workspace is enough for. Between two rates each output goes
through the taps that lie on samples, however many phases there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from pyconv._engine.algorithms.base import Copies, Run, block_of, summation_bound
from pyconv._engine.algorithms.phases import first_tap, phase_taps, tap_step
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import narrow
from pyconv._engine.machine import Machine
from pyconv._engine.problem import Problem

#: Bytes for each output of a block: its samples, their conversion, products, sums and result,
#: and the index of a sample along each axis. Python integers are larger.
OUTPUT_BYTES = 96
OBJECT_BYTES = 320
#: Seconds for each tap of an output between two rates, besides its products.
TAP_SECONDS = 5e-5


class Reference:
    """The definition in plain NumPy."""

    name = "reference"

    def rejects(self, problem: Problem) -> str | None:
        """Return None for every problem of `correlate`: a filter may be no single sum."""
        if problem.mean or problem.by_axis:
            return "the filter is no sum of products with one kernel"
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a gather, a product and a sum for each tap."""
        object_sums = problem.compute == object
        products, beside = problem.products, 0.0
        if problem.is_between_rates:  # each output has as many, and each tap is looked for
            taps = phase_taps(problem)
            products, beside = math.prod(problem.y_shape) * taps, taps * TAP_SECONDS
        return beside + products * machine.numpy_seconds_per_product * (20 if object_sums else 1)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of a block of outputs, and of the tables of indices and weights."""
        block = math.prod(_block_shape(problem)) * _output_bytes(problem)
        return block + _table_bytes(problem)

    def copies(self, problem: Problem) -> Copies:
        """Return none: they are made a block at a time, of any ``x``."""
        return Copies(reads_all=True)

    def threads(self, problem: Problem) -> int:
        """Return 1."""
        return 1

    def bind(self, problem: Problem) -> Run:
        """Return the function that sums over the taps."""
        compute = problem.compute
        block_shape = _block_shape(problem)

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            with np.errstate(all="ignore"):
                w = w.astype(compute)
                if problem.flip:
                    w = np.flip(w)
                elif w.dtype.kind == "c":
                    w = w.conj()
                sum_block = _sum_phases if problem.is_between_rates else _sum_block
                for block in _blocks(problem.y_shape, block_shape):
                    total = sum_block(problem, x, w, block)
                    y[block] = narrow(total, y.dtype, problem.overflow, problem.rounding)

        return run


def _output_bytes(problem: Problem) -> int:
    return OBJECT_BYTES if problem.compute == object else OUTPUT_BYTES


def _table_bytes(problem: Problem) -> int:
    if problem.is_between_rates:  # there are none of all outputs
        return 16 * math.prod(problem.w_shape) + 4096
    return 64 * sum(problem.y_shape) + 16 * math.prod(problem.w_shape) + 4096


def _block_shape(problem: Problem) -> list[int]:
    """Return the shape of a block of outputs, halving the longest axis until it fits."""
    room = problem.max_memory - _table_bytes(problem)
    shape = [max(1, n) for n in problem.y_shape]
    while math.prod(shape) * _output_bytes(problem) > room and max(shape) > 1:
        longest = shape.index(max(shape))
        shape[longest] = -(-shape[longest] // 2)
    return shape


def _blocks(y_shape: tuple[int, ...], block: list[int]) -> Iterator[tuple[slice, ...]]:
    starts = [range(0, n, b) for n, b in zip(y_shape, block, strict=True)]
    for first in itertools.product(*starts):
        yield tuple(slice(f, f + b) for f, b in zip(first, block, strict=True))


def _sum_block(
    problem: Problem, x: np.ndarray, w: np.ndarray, block: tuple[slice, ...]
) -> np.ndarray:
    where = [np.arange(n)[part] for n, part in zip(problem.y_shape, block, strict=True)]
    total, sums = np.zeros((2, *(len(i) for i in where)), problem.compute)
    in_blocks = total.dtype.kind in "fc" and not problem.is_rounded  # which is in one order
    terms = block_of(w.size) if in_blocks else w.size
    for number, u in enumerate(np.ndindex(w.shape)):
        if problem.is_rounded and w[u] == 0:  # it reads nothing
            continue
        for a, tap in zip(problem.spatial, u, strict=True):
            where[a.axis] = a.sources(tap)[block[a.axis]]
        samples = x[np.ix_(*where)].astype(problem.compute)  # FILL = −1 reads the last sample
        for a in problem.spatial:
            outside = where[a.axis] == FILL
            if outside.any():
                samples[(slice(None),) * a.axis + (outside,)] = problem.fill_value
        sums += samples * w[u]
        if (number + 1) % terms == 0:
            total += sums
            sums[...] = 0
    total += sums
    return total


def _sum_phases(
    problem: Problem, x: np.ndarray, w: np.ndarray, block: tuple[slice, ...]
) -> np.ndarray:
    """Sum the taps of each output that lie on samples: zeros between them are not multiplied."""
    (a,) = problem.spatial
    where = [np.arange(*p.indices(n)) for n, p in zip(problem.y_shape, block, strict=True)]
    shared, step, compute = math.gcd(a.dilation, a.up), tap_step(problem), problem.compute
    places = where[a.axis] * a.stride - a.low  # of the first tap
    first = np.where(places % shared == 0, first_tap(a, places), a.taps)
    wide = [1] * x.ndim
    wide[a.axis] = -1
    total, sums = np.zeros((2, *(len(i) for i in where)), compute)
    taps = phase_taps(problem)
    terms = block_of(taps) if total.dtype.kind in "fc" else taps
    for number in range(taps):
        u = first + number * step
        some = u < a.taps
        u = np.where(some, u, 0)
        sources = BOUNDARIES[a.boundary].index((places + u * a.dilation) // a.up, a.size)
        where[a.axis] = np.where(some, sources, 0)
        samples = x[np.ix_(*where)].astype(compute)
        outside = some & (sources == FILL)
        if outside.any():
            samples[(slice(None),) * a.axis + (outside,)] = problem.fill_value
        products = samples * w[u].reshape(wide)
        if not some.all():
            products[(slice(None),) * a.axis + (~some,)] = 0
        sums += products
        if (number + 1) % terms == 0:
            total += sums
            sums[...] = 0
    total += sums
    return total
