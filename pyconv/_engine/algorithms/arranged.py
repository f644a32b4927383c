"""The order in which axes are seen: a long one last, and only those that the kernel sums.

The loops put vectors along the last axis. A correlation does not depend on the order of its axes:
where the last one is short, the arrays are seen with a long one in its place, as views; results
that then do not lie in the caller's order are copied. An axis on which the kernel has one tap is no
axis of the sum: it is looped over, as that of a batch. Only the results along the kernel's axes
decide, so that an item of a batch is summed in the order that it has alone.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import (
    Algorithm,
    Copies,
    Left,
    Normalisation,
    Omit,
    OmittingAlgorithm,
    Run,
    WeightDependentAlgorithm,
    is_omitting,
)
from pyconv._engine.machine import Machine
from pyconv._engine.problem import Axis, Problem

#: Results along the last axis that fill too few lanes of a vector.
SHORT = 8
#: The same for filters along axes: with 8, copies took as long as they spared.
NARROW = 4
#: Another axis is worth a copy of the results if it has so many times as many, and so many.
LONGER, FEW = 4, 16
#: Axes of no more samples are copied a sample at a time.
MAX_LINES = 4
#: Filters of fewer samples take no longer as they lie than copied, or seen otherwise.
#: On a Zen 4 core 100×2 samples took 15 to 20 % longer if copied, 300×3 as long, 1000×4 0.6 times.
MOVED_FROM, SEEN_FROM = 2**10, 2**6
#: Algorithms that sum the taps along one axis in one order, however the axes lie and however many
#: items there are: an axis of the batch may be last. Longer kernels are summed in blocks.
ORDERLY, ORDERLY_TAPS = ("direct",), 512
#: Results that are made for each one that strides keep, at most: `reference` makes those alone, and
#: took 60 to 100 times as long for each.
MAX_SKIPPED = 16


class Arrangement(NamedTuple):
    """Another view of a problem's arrays."""

    #: The axes of ``x`` and ``y`` in the order in which they are seen.
    order: tuple[int, ...]
    #: The kernel axes that are summed over; the others have one tap.
    summed: tuple[int, ...]
    #: Whether results have to be copied into the caller's order.
    copied: bool

    def problem(self, problem: Problem) -> Problem:
        """Return the problem as it is seen."""
        place = {axis: i for i, axis in enumerate(self.order)}
        return replace(
            problem,
            x_shape=tuple(problem.x_shape[a] for a in self.order),
            y_shape=tuple(problem.y_shape[a] for a in self.order),
            w_shape=tuple(problem.w_shape[i] for i in self.summed),
            spatial=tuple(
                replace(a, axis=place[a.axis]) for a in (problem.spatial[i] for i in self.summed)
            ),
            whole=None if problem.whole is None else self.problem(problem.whole),
        )

    def array(self, a: np.ndarray) -> np.ndarray:
        """Return ``x``, ``y`` or a mask as it is seen."""
        return a.transpose(self.order)

    def weights(self, w: np.ndarray) -> np.ndarray:
        """Return the weights as they are seen."""
        return w.reshape([w.shape[i] for i in self.summed])


@lru_cache(maxsize=256)
def in_order(results: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of so many results each in the order in which they are best seen.

    Axes of one result come first, which moves nothing. Others are exchanged where the last one is
    short and another is much longer.
    """
    order = sorted(range(len(results)), key=lambda i: results[i] > 1)
    longest = max(results)
    if results[order[-1]] <= SHORT and longest >= max(FEW, LONGER * results[order[-1]]):
        order.sort(key=lambda i: results[i])
    return tuple(order)


def write(results: np.ndarray, into: np.ndarray) -> None:
    """Copy results into the caller's order, of which ``into`` is a view.

    NumPy goes along the axis of neighbours in memory, which is the short one; here it is taken a
    sample at a time, and what NumPy goes along is long.
    """
    _copy(results, into, into)


def _copy(source: np.ndarray, into: np.ndarray, view: np.ndarray) -> None:
    """Copy an array, a sample at a time along the axis of neighbours in the ``view``'s memory."""
    strides = [abs(s) if n > 1 else math.inf for s, n in zip(view.strides, view.shape, strict=True)]
    axis = strides.index(min(strides))
    if into.shape[axis] > MAX_LINES:
        into[...] = source
        return
    before: tuple[Any, ...] = (slice(None),) * axis
    for i in range(into.shape[axis]):
        into[(*before, i)] = source[(*before, i)]


def contiguous(x: np.ndarray) -> np.ndarray:
    """Return an array whose samples lie in its order: itself, or a copy."""
    if x.flags.c_contiguous:
        return x
    copy = np.empty(x.shape, x.dtype)
    _copy(x, copy, x)
    return copy


class View(NamedTuple):
    """Arrays of one shape, seen with their axes in another order."""

    order: tuple[int, ...]
    #: The shape as it is seen.
    shape: tuple[int, ...]
    #: Whether samples lie elsewhere in an array of that shape: axes of one sample move none.
    moved: bool

    def axis(self, axis: int) -> int:
        """Return where an axis of the arrays is seen."""
        return self.order.index(axis)

    def source(self, x: np.ndarray) -> np.ndarray:
        """Return an array as it is seen; a copy, if samples lie elsewhere in it."""
        if not self.moved:
            return x.reshape(self.shape)
        return contiguous(x.transpose(self.order))


@lru_cache(maxsize=256)
def view_of(shape: tuple[int, ...], axes: tuple[int, ...], *, batch: bool = True) -> View | None:
    """Return how arrays that are filtered along some axes are best seen; None for as they are.

    A ``batch`` may give its axes, where sums do not depend on the order of any: an item of it has
    the bits that it has alone. Axes behind the last one that is filtered stay the last ones.
    """
    last = max(axes)
    places = [a for a in range(last + 1) if batch or a in axes]
    samples = math.prod(shape[a] for a in places)
    if shape[last] > NARROW or samples < SEEN_FROM or math.prod(shape[last + 1 :]) > SHORT:
        return None
    order = list(range(len(shape)))
    seen = [places[i] for i in in_order(tuple(shape[a] for a in places))]
    short_first = sorted(places, key=lambda a: shape[a] > SHORT)
    if seen != places and shape[short_first[-1]] >= LONGER * FEW:
        seen = short_first  # long ones stay in order, and may be passed at once
    for place, a in zip(places, seen, strict=True):
        order[place] = a
    if order == sorted(order):
        return None
    long = [a for a in order if shape[a] != 1]
    moved = long != sorted(long)
    if moved and samples < MOVED_FROM:
        return None
    return View(tuple(order), tuple(shape[a] for a in order), moved)


def arrangement_of(problem: Problem, algorithm: str) -> Arrangement | None:
    """Return the view that an algorithm is fastest on; None for the arrays as they are."""
    if problem.whole is not None:
        found = arrangement_of(problem.whole, algorithm)
        if found is None:
            return None
        long = [axis for axis in found.order if problem.y_shape[axis] != 1]
        return found._replace(copied=long != sorted(long))
    spatial = problem.spatial
    summed = [i for i, a in enumerate(spatial) if not _is_plain(a)]
    if not summed:
        summed = [max(range(len(spatial)), key=lambda i: (spatial[i].out, spatial[i].axis))]
    axes = sorted((spatial[i] for i in summed), key=lambda a: a.axis)
    wanted = in_order(tuple(a.out for a in axes))
    order = list(range(len(problem.x_shape)))
    for a, i in zip(axes, wanted, strict=True):
        order[a.axis] = axes[i].axis
    if algorithm in ORDERLY and len(axes) == 1 and axes[0].taps <= ORDERLY_TAPS:
        _put_batch_last(problem, axes[0], order)
    long = [axis for axis in order if problem.y_shape[axis] != 1]
    copied = long != sorted(long)
    if order == sorted(order) and len(summed) == len(spatial):
        return None
    return Arrangement(tuple(order), tuple(summed), copied)


def _put_batch_last(problem: Problem, a: Axis, order: list[int]) -> None:
    """Exchange a short axis, if it is the last one, with a long one of the batch."""
    shape = problem.y_shape
    long = max(FEW, LONGER * a.out)
    batch = [axis for axis in range(a.axis) if shape[axis] >= long]
    if a.out <= SHORT and batch and math.prod(shape[a.axis + 1 :]) == 1:
        order[a.axis], order[batch[-1]] = batch[-1], a.axis


def _is_plain(a: Axis) -> bool:
    """Return whether results are made of the one sample at their own place."""
    return a.taps == 1 and a.low == a.high == 0 and a.stride == 1


class Arranged:
    """An algorithm that sees a problem's arrays in another order."""

    def __init__(self, algorithm: Algorithm, arrangement: Arrangement) -> None:
        self.name = algorithm.name
        self._algorithm = algorithm
        self._arrangement = arrangement

    def rejects(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot solve the problem as it is seen."""
        return self._algorithm.rejects(self._arrangement.problem(problem))

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time that it takes as it is seen."""
        return self._algorithm.cost(self._arrangement.problem(problem), machine)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of the algorithm."""
        return self._algorithm.error_bound(self._arrangement.problem(problem))

    def workspace(self, problem: Problem) -> int:
        """Return the bytes that the algorithm needs."""
        return self._algorithm.workspace(self._arrangement.problem(problem))

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied of the arrays: results that do not lie in the caller's order."""
        copies = self._algorithm.copies(self._arrangement.problem(problem))
        if not self._arrangement.copied:
            return copies
        assert problem.compute is not None
        sample = copies.sample + (problem.compute.itemsize if copies.packed else 0)
        return Copies(sample, copies.result + problem.dtype.itemsize, copies.packed)

    def threads(self, problem: Problem) -> int:
        """Return how many threads the problem can keep busy."""
        return self._algorithm.threads(self._arrangement.problem(problem))

    def bind(self, problem: Problem) -> Run:
        """Return the function that solves the problem as it is seen."""
        array, weights = self._arrangement.array, self._arrangement.weights
        solve = self._algorithm.bind(self._arrangement.problem(problem))
        if not self._arrangement.copied:
            return lambda x, w, y, workers: solve(array(x), weights(w), array(y), workers)

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            into = array(y)
            total = np.empty(into.shape, into.dtype)
            solve(array(x), weights(w), total, workers)
            write(total, into)

        return run


class ArrangedOmitting(Arranged):
    """An algorithm that also leaves samples out."""

    _algorithm: OmittingAlgorithm

    def omission_workspace(self, problem: Problem) -> int:
        """Return the bytes that the algorithm needs, and those of results that are copied."""
        least = self._algorithm.omission_workspace(self._arrangement.problem(problem))
        copied = self._arrangement.copied
        return least + copied * math.prod(problem.y_shape) * problem.dtype.itemsize

    def bind_omission(self, problem: Problem, normalisation: Normalisation) -> Omit:
        """Return the function that leaves samples out of the arrays as they are seen."""
        array, weights = self._arrangement.array, self._arrangement.weights
        solve = self._algorithm.bind_omission(self._arrangement.problem(problem), normalisation)

        def run(
            x: np.ndarray,
            mask: np.ndarray | None,
            w: np.ndarray,
            y: np.ndarray,
            nan: bool,
            workers: int,
        ) -> Left:
            into = array(y)
            total = np.empty(into.shape, into.dtype) if self._arrangement.copied else into
            if normalisation.refilling and total is not into:
                total[...] = into
            mask = None if mask is None else array(mask)
            left = solve(array(x), mask, weights(w), total, nan, workers)
            if total is not into:
                write(total, into)
            return left

        return run


def arranged(algorithm: Algorithm, problem: Problem) -> Algorithm:
    """Return the algorithm, on the arrays of ``problem`` as they are best seen."""
    return _on(algorithm, arrangement_of(problem, algorithm.name))


class Sliced:
    """An algorithm that makes every result, of which the strides of a problem keep some."""

    def __init__(self, algorithm: Algorithm, whole: Problem) -> None:
        self.name = algorithm.name
        self._algorithm = algorithm
        #: The problem of every result.
        self._whole = whole

    def rejects(self, problem: Problem) -> str | None:
        """Return why the algorithm cannot make every result."""
        del problem
        return self._algorithm.rejects(self._whole)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of every result."""
        del problem
        return self._algorithm.cost(self._whole, machine)

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of the algorithm."""
        return self._algorithm.error_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes that the algorithm needs."""
        del problem
        return self._algorithm.workspace(self._whole)

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied: every result among it, for each one that is kept."""
        copies = self._algorithm.copies(self._whole)
        made = -(-math.prod(self._whole.y_shape) // max(1, math.prod(problem.y_shape)))
        return copies._replace(result=made * (copies.result + problem.dtype.itemsize))

    def threads(self, problem: Problem) -> int:
        """Return how many threads the problem can keep busy."""
        del problem
        return self._algorithm.threads(self._whole)

    def bind(self, problem: Problem) -> Run:
        """Return the function that keeps some of the results."""
        shape = self._whole.y_shape
        kept = [slice(None)] * len(shape)
        for a in problem.spatial:
            kept[a.axis] = slice(None, None, a.stride)
        solve = self._algorithm.bind(self._whole)

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            every = np.empty(shape, y.dtype)
            solve(x, w, every, workers)
            y[...] = every[tuple(kept)]

        return run


def rounded(algorithm: Algorithm, problem: Problem, w: np.ndarray | None) -> Algorithm | str:
    """Return the algorithm of rounded sums for these weights, or why it cannot solve ``problem``.

    It sees the arrays as filters see them best, or as they lie, if it takes them only so. Where it
    knows no strides, it makes every result.
    """
    fit = _rounded(algorithm, problem, w)
    if not isinstance(fit, str) or (whole := _whole(problem)) is None:
        return fit
    every = _rounded(algorithm, whole, w)
    return every if isinstance(every, str) else Sliced(every, whole)


def _whole(problem: Problem) -> Problem | None:
    """Return the problem of every result; None if all are kept, or few of them."""
    skipped = math.prod(a.stride for a in problem.spatial)
    return problem.with_every_result() if 1 < skipped <= MAX_SKIPPED else None


def _rounded(algorithm: Algorithm, problem: Problem, w: np.ndarray | None) -> Algorithm | str:
    reason: str | None = None
    for arrangement, as_seen in _views_of_filters(problem):
        reason = algorithm.rejects(as_seen)
        if reason is None:
            fit: Algorithm | str = algorithm
            fit_to = getattr(algorithm, "fit", None)  # `isinstance` takes as long as a small fit
            if fit_to is not None:
                if w is None and not problem.mean:
                    return "it depends on the weights"
                fit = fit_to(as_seen, w)
            if not isinstance(fit, str):
                return _on(fit, arrangement)
            reason = fit
    assert reason is not None
    return reason


def refuses(algorithm: Algorithm, problem: Problem) -> bool:
    """Return whether an algorithm of rounded sums takes no weights of the shape of ``problem``."""
    every = _whole(problem) or problem
    return all(algorithm.rejects(as_seen) for _, as_seen in _views_of_filters(every))


def _views_of_filters(problem: Problem) -> list[tuple[Arrangement | None, Problem]]:
    """Return the arrays as filters see them best, and as they lie."""
    view = view_of(problem.x_shape, tuple(a.axis for a in problem.spatial))
    if view is None:
        return [(None, problem)]
    long = [a for a in view.order if problem.y_shape[a] != 1]  # one sample may have many results
    copied = view.moved or long != sorted(long)
    best = Arrangement(view.order, tuple(range(len(problem.spatial))), copied)
    return [(best, best.problem(problem)), (None, problem)]


def fitted(algorithm: WeightDependentAlgorithm, problem: Problem, w: np.ndarray) -> Algorithm | str:
    """Return the algorithm for these weights, on the arrays as they are best seen."""
    arrangement = arrangement_of(problem, algorithm.name)
    if arrangement is None:
        return algorithm.fit(problem, w)
    fit = algorithm.fit(arrangement.problem(problem), arrangement.weights(w))
    return fit if isinstance(fit, str) else _on(fit, arrangement)


def _on(algorithm: Algorithm, arrangement: Arrangement | None) -> Algorithm:
    if arrangement is None:
        return algorithm
    kind = ArrangedOmitting if is_omitting(algorithm) else Arranged
    return kind(algorithm, arrangement)
