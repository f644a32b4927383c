"""Repairs of results of passes along axes, of samples that are not finite or nearly so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import UnfitDataError
from pyconv._engine.algorithms.correlation.factors import Factors, order_of
from pyconv._engine.machine import MACHINE
from pyconv._engine.problem import Axis, Problem
from pyconv._native import loader

#: Samples that are looked at together for what is not finite: copies of them stay in a cache.
LOOKED_AT = 2**16
#: Seconds of a sample that is spread, and of each of its products; on a Zen 4 core 25 to 45 ns.
SPREAD_SECONDS, SPREAD_PRODUCT_SECONDS = 60e-6, 40e-9


class _Found(NamedTuple):
    """Samples that passes may spoil."""

    #: Whether there are finite ones of which sums might overflow on the way.
    loud: bool
    #: Whether there is NaN.
    nan: bool
    #: Places of those that are not finite and that results may not show, if they are looked for.
    places: list[tuple[int, ...]]


class Repairs:
    """Makes results right after a run in which a filtered row was not finite, or nearly so.

    The loop reads for a result what its window holds and nothing else, and what has overflowed does
    not become finite again: finite results are right, and so is NaN where the window holds one.
    Where samples are so loud that sums of them overflow on the way, other results come from a run
    on samples divided by a power of two. Infinities meet those of the other sign on the way, under
    weights of several signs: there results are the sum of their products with the weights.
    """

    def __init__(self, factors: Factors, problem: Problem, fill: np.ndarray, loop: Any) -> None:
        self._problem, self._loop = problem, loop
        sums = problem.compute
        assert sums is not None
        sides = [factors.down, factors.across]
        if factors.deep is not None:
            sides.append(factors.deep[np.newaxis])
        sides = [side.astype(sums) for side in sides]
        self._one_sign = len(factors.down) == 1 and all(map(_is_of_one_sign, sides))
        axes = [problem.spatial[i] for i in order_of(problem)]
        #: Whether each tap of a window is read, and so a NaN at one of weight 0 seen.
        self.reads_all = len(factors.down) == 1 or any(
            all(map(_is_read_whole, axes, taps)) for taps in zip(*sides, strict=True)
        )
        self._range = shift_into_range(problem, tuple(sides))
        self._fill = np.abs(fill) if problem.reads_fill else np.zeros(1, sums)

    def run(
        self, x: np.ndarray, w: np.ndarray, y: np.ndarray, outside: np.ndarray, workers: int
    ) -> None:
        """Make ``y`` right; ``outside`` is the fill value as the loop takes it."""
        # Where all that infinities are multiplied by has one sign, they are those of a plain sum.
        spreads = not (self._one_sign and _is_of_one_sign(w))
        found = self._find(x, self._most_places() if spreads else None)
        loud = found.loud or bool(np.isfinite(self._fill[self._fill >= self._range.limit]).any())
        if spreads and self._is_spread(self._fill).any():
            raise UnfitDataError
        if y.dtype.kind != "f" and (loud or found.places):
            raise UnfitDataError  # integers do not say which results are not finite
        with np.errstate(all="ignore"):
            nan = found.nan or bool(np.isnan(self._fill).any())
            again = loud or (nan and bool(found.places))
            if again:
                shift = self._range.shift if loud else 0
                self._run_again(x, y, outside, workers, shift, found.places)
            if found.places:
                self._spread(found.places, x, w, y, cleared=again)

    def _is_spread(self, samples: np.ndarray) -> np.ndarray:
        """Return which samples, in the dtype of the sums, some results may not show."""
        return np.isinf(samples) if self.reads_all else ~np.isfinite(samples)

    def _most_places(self) -> int:
        """Return how many samples may be spread in the time of a plain sum."""
        problem = self._problem
        taps = math.prod(problem.w_shape)
        seconds = problem.products * problem.compute.itemsize / MACHINE.direct_bytes_per_second
        return int(seconds / (SPREAD_SECONDS + taps * SPREAD_PRODUCT_SECONDS))

    def _find(self, x: np.ndarray, most: int | None) -> _Found:
        """Look for loud samples, and for those to be spread unless ``most``, of them, is None."""
        loud, nan = False, False
        places: list[tuple[int, ...]] = []
        for first, block in _blocks(x):
            seen = _look_at(block, self._problem.compute)
            loud = loud or seen.largest >= self._range.limit
            nan = nan or seen.nan
            if most is None or not (seen.infinite or (seen.nan and not self.reads_all)):
                continue
            with np.errstate(all="ignore"):
                samples = block.astype(self._problem.compute, copy=False)
            at = first + np.flatnonzero(self._is_spread(samples))
            if len(places) + len(at) > most:
                raise UnfitDataError
            places += zip(*(i.tolist() for i in np.unravel_index(at, x.shape)), strict=True)
        return _Found(loud, nan, places)

    def _run_again(
        self,
        x: np.ndarray,
        y: np.ndarray,
        outside: np.ndarray,
        workers: int,
        shift: int,
        places: list[tuple[int, ...]],
    ) -> None:
        """Write results that are not finite from a run on samples divided by 2 to the ``shift``.

        Those at ``places`` are zeros in it.
        """
        spoilt = ~np.isfinite(y)
        problem = self._problem
        copied = (x.size + y.size) * problem.compute.itemsize
        if copied + self._loop.workspace() > problem.max_memory:
            raise UnfitDataError
        total = np.empty(y.shape, problem.compute)
        scaled = x.astype(problem.compute, order="C")
        if places:
            scaled[tuple(np.transpose(places))] = 0
        if shift:
            np.ldexp(scaled, -shift, out=scaled)
            outside = np.ldexp(outside, -shift)
        self._loop.run(scaled, total, outside, False, workers, True)
        if shift:
            np.ldexp(total, shift, out=total)
        np.copyto(y, total, where=spoilt, casting="same_kind")

    def _spread(
        self,
        places: list[tuple[int, ...]],
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray,
        *,
        cleared: bool,
    ) -> None:
        """Add samples that are not finite, times their weights, to the results that read them.

        Unless these are ``cleared`` of them there is nothing else in their windows that counts.
        """
        problem = self._problem
        w = np.flip(w) if problem.flip else w
        order = order_of(problem)
        axes = {problem.spatial[i].axis: problem.spatial[i] for i in order}
        w = w.transpose(order)
        w = w.reshape([axes[i].taps if i in axes else 1 for i in range(y.ndim)])
        readers: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
        parts = []
        for place in places:
            each = []
            for i, at in enumerate(place):
                if (i, at) not in readers:
                    readers[i, at] = (
                        _readers(axes[i], at) if i in axes else [(np.array([at]), np.array([0]))]
                    )
                each.append(readers[i, at])
            value = x[place].astype(problem.compute)
            parts += [(value, *zip(*part, strict=True)) for part in itertools.product(*each)]
            if len(parts) > self._most_places():  # a border reads them many times
                raise UnfitDataError
        if not cleared:
            for _, outputs, _ in parts:
                y[np.ix_(*outputs)] = 0
        for value, outputs, taps in parts:
            y[np.ix_(*outputs)] += value * w[np.ix_(*taps)]


def _is_of_one_sign(taps: np.ndarray) -> bool:
    return bool((taps > 0).all() or (taps < 0).all())


def _is_read_whole(a: Axis, taps: np.ndarray) -> bool:
    """Return whether the loop leaves out no zeros on both ends of a factor, of any phase."""
    phases = a.stride // math.gcd(a.stride, a.dilation)
    ends = ((taps[f], taps[f::phases][-1]) for f in range(min(phases, len(taps))))
    return all(any(end) for end in ends)


def _blocks(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield parts of ``x`` that follow each other in it, and the number of samples before."""
    if x.flags.c_contiguous:
        x = x.reshape(-1)
    each = x.size // x.shape[0]
    rows = max(1, LOOKED_AT // each)
    for i in range(0, x.shape[0], rows):
        yield i * each, x[i : i + rows]


class _Seen(NamedTuple):
    """What there is among samples."""

    #: The largest magnitude of those that are finite.
    largest: float
    nan: bool
    infinite: bool


def _look_at(block: np.ndarray, dtype: np.dtype | None) -> _Seen:
    """Return what there is in ``block``, an array that is not empty, in the dtype of sums."""
    if block.dtype.kind != "f":
        return _Seen(max(-float(block.min()), float(block.max())), nan=False, infinite=False)
    with np.errstate(all="ignore"):  # numbers may be infinite in the dtype of the sums
        samples = np.ascontiguousarray(block, dtype)
    return _Seen(*loader.native.look_at_samples(samples))


def _readers(a: Axis, at: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return outputs that read a sample, and by which taps, for each coordinate that is it."""
    before, after = a.outside()
    coordinates = [at, *(np.flatnonzero(before == at) - a.low)]
    coordinates += [*(np.flatnonzero(after == at) + a.size)]
    taps = np.arange(a.taps)
    readers = []
    for coordinate in coordinates:
        first = coordinate + a.low - taps * a.dilation
        read = (first >= 0) & (first % a.stride == 0) & (first < a.out * a.stride)
        if read.any():
            readers.append((first[read] // a.stride, taps[read]))
    return readers


class _Shift(NamedTuple):
    """Samples from ``limit`` on are divided by a power of two."""

    limit: float
    shift: int


def shift_into_range(problem: Problem, factors: tuple[np.ndarray, ...]) -> _Shift:
    """Return from which magnitude on sums might overflow on the way, and what would prevent it."""
    with np.errstate(all="ignore"):
        gains = [max(1.0, float(np.abs(f.astype(np.float64)).sum())) for f in factors]
    gain = 4.0 * math.prod(gains)
    return _Shift(float(np.finfo(problem.compute).max) / gain, int(np.frexp(gain)[1]))


def largest_sample(x: np.ndarray) -> float:
    """Return the largest magnitude of the finite samples."""
    own = np.dtype(np.float64 if x.dtype.itemsize > 4 else np.float32)
    x = x.T if x.flags.f_contiguous else x  # in the order of its memory
    return max(_look_at(block, own).largest for _, block in _blocks(x))
