"""Phases of a stride that is a fraction: outputs of which each is summed by the same weights.

    y[r + k·up] = Σ_j x[k·down + j·e + f] · w[u₀ + j·step]

With the stride s = down/up every up-th output begins at the same place between two samples. Of the
taps of such a phase those lie on samples that are u₀, u₀ + step, …, a correlation with a whole
stride of its own. Zeros between samples are never multiplied.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from pyconv._engine.problem import Axis, Problem

#: A number, or an array of them.
IndexT = TypeVar("IndexT", int, np.ndarray)


class Phase(NamedTuple):
    """One phase: its outputs begin with one of the first `up`."""

    first: int
    outputs: int
    #: Its first tap, the taps from one to the next, and how many there are.
    tap: int
    step: int
    taps: int
    #: The sample that the first tap of the first output reads, and samples from tap to tap.
    sample: int
    dilation: int

    def weights(self, problem: Problem) -> slice:
        """Return where its weights are among those of the problem, in their order."""
        if not self.taps:
            return slice(0, 0)
        last = self.tap + (self.taps - 1) * self.step
        if problem.flip:
            return slice(problem.w_shape[0] - 1 - last, problem.w_shape[0] - self.tap, self.step)
        return slice(self.tap, last + 1, self.step)

    def problem(self, of: Problem) -> Problem:
        """Return the correlation that makes its outputs, of a whole stride."""
        (a,) = of.spatial
        low, span = -self.sample, (self.taps - 1) * self.dilation + 1
        own = Axis(
            a.axis, a.size, self.taps, low, (self.outputs - 1) * a.stride + span - low - a.size,
            a.stride, self.dilation, a.boundary, self.outputs,
        )  # fmt: skip
        y_shape = (*of.y_shape[: a.axis], self.outputs, *of.y_shape[a.axis + 1 :])
        # A piece begins with the first phase, as the whole does.
        whole = None if of.whole is None else phases_of(of.whole)[self.first].problem(of.whole)
        return replace(of, w_shape=(self.taps,), spatial=(own,), y_shape=y_shape, whole=whole)


def phases_of(problem: Problem) -> tuple[Phase, ...]:
    """Return the phases of a problem that have outputs."""
    (a,) = problem.spatial
    return _phases(a, min(a.up, a.out))


def every_phase(problem: Problem) -> tuple[Phase, ...]:
    """Return the phases of a problem, those without outputs too, which follow the others."""
    (a,) = problem.spatial
    return _phases(a, a.up)


@functools.lru_cache(maxsize=8)  # a plan asks for them some times
def _phases(a: Axis, count: int) -> tuple[Phase, ...]:
    return tuple(_each(a, count))


def _each(a: Axis, count: int) -> Iterator[Phase]:
    shared = math.gcd(a.dilation, a.up)
    step, dilation = a.up // shared, a.dilation // shared
    for first in range(count):
        outputs = max(0, -(-(a.out - first) // a.up))
        place = first * a.stride - a.low  # of the first tap of the first output
        if place % shared:
            yield Phase(first, outputs, 0, step, 0, 0, dilation)  # no tap lies on a sample
            continue
        tap = first_tap(a, place)
        taps = max(0, -(-(a.taps - tap) // step))
        yield Phase(first, outputs, tap, step, taps, (place + tap * a.dilation) // a.up, dilation)


def first_tap(a: Axis, place: IndexT) -> IndexT:
    """Return the first tap on a sample of outputs whose tap 0 has a place that some tap shares."""
    shared = math.gcd(a.dilation, a.up)
    step = a.up // shared
    inverse = pow(a.dilation // shared, -1, step)  # u · dilation + place is a multiple of up
    return -(place // shared) * inverse % step


def tap_step(problem: Problem) -> int:
    """Return the taps from one that meets a sample to the next of an output."""
    (a,) = problem.spatial
    return a.up // math.gcd(a.dilation, a.up)


def phase_taps(problem: Problem) -> int:
    """Return the most taps that an output sums."""
    return -(-problem.w_shape[0] // tap_step(problem))
