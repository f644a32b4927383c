"""Outputs that are too quiet beside others of a transform's tile: by transforms of their own.

The error of a transform is spread over all of its outputs, so that one of them is good to what its
own window holds only if that window holds a sample about as large as any that is transformed. Here
outputs are told apart by the largest sample of their window: those of a *level* differ in it by
less than 2 to ``LEVEL``. Samples above the level are in no window of its outputs, and samples that
are so far below it that all of them together change no digit need not be read. What is between is
a small problem, which one transform solves. A plain sum takes the rest, and whatever it is faster
at. Outputs that read NaN or infinity are told without a sum of their own (`decided.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.decided import (
    DECIDING_BYTES,
    DECIDING_SECONDS,
    decided,
    runs,
)
from pyconv._engine.algorithms.loop_adapters import Patches
from pyconv._engine.algorithms.windows import gathered, is_bare, over_windows, reads
from pyconv._engine.machine import MACHINE
from pyconv._engine.problem import Axis, Problem

#: Powers of two between the largest samples of the windows of one level. The error of a transform
#: is within 3 ε of the largest of its samples (`fft.pxi`: SHARED + ALONE), 3 · 2⁴ is less than
#: the 64 that are granted.
LEVEL = 4
#: Samples are left out that are smaller than ε times the largest of every window, by so many
#: powers of two.
SPARE = 2
#: The exponent of zero, less than any.
NONE = -4000
#: Bytes for each point of a transform by NumPy.
SPECTRA = 48
#: Samples whose exponents are taken at once.
BLOCK = 1 << 16
#: Seconds of one level besides its sums, and of each sample and output for telling levels apart.
LEVEL_SECONDS = 1e-4
POINT_SECONDS = 2e-9
#: A plain sum of outputs that lie apart takes so many times the time of its products, and seconds
#: for each run of them.
APART = 4
RUN_SECONDS = 1e-6
#: Sums of more signs than this are made in double precision.
MOST_SIGNS = 1 << 16

#: Solves a real problem on ``x`` and ``w``, in the dtype of its sums, writes ``y`` and returns
#: boxes of outputs that it leaves to a plain sum, each after a batch item; takes a number of
#: threads.
Transform = Callable[[Problem, np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
#: Returns the predicted seconds of the transform, and the bytes of its workspace.
Price = Callable[[Problem], tuple[float, int]]


class _Level(NamedTuple):
    """Outputs and what they read, along each axis from and to."""

    problem: Problem
    outputs: tuple[slice, ...]
    samples: tuple[slice, ...]
    taps: tuple[slice, ...]
    #: Exponents of samples that are kept are above the first and up to the second.
    floor: int
    top: int
    #: The predicted seconds, and the bytes of workspace of a thread; None for a plain sum.
    seconds: float
    workspace: int | None


class QuietOutputs:
    """Results of boxes of outputs, which a transform leaves out.

    For a real problem that is not exact, or one part of its samples.
    """

    def __init__(self, real: Problem, parts: int, transform: Transform, price: Price) -> None:
        self._real = real
        self._transform, self._price = transform, price
        self._patches = Patches(real, parts)
        self._order = sorted(range(len(real.spatial)), key=lambda i: real.spatial[i].axis)
        self._axes = [real.spatial[i] for i in self._order]
        shape = real.x_shape[: len(real.x_shape) - (parts - 1)]
        spatial = {a.axis for a in self._axes}
        self._batch = [a for a in range(len(shape)) if a not in spatial]
        self._items = tuple(shape[a] for a in self._batch)

    def run(
        self,
        boxes: np.ndarray,
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray,
        fill: np.generic,
        clip: bool,
        workers: int,
    ) -> None:
        """Write the results of ``boxes``: the item of all batch axes, from and to along z, y, x."""
        boxes = np.asarray(boxes, np.intp)
        laid_out = w.transpose(self._order)
        laid_out = np.flip(laid_out) if self._real.flip else laid_out
        with np.errstate(all="ignore"):
            left = [self._left(box, x, laid_out, y, fill, workers) for box in merged(boxes)]
        boxes = np.concatenate(left)
        if len(boxes):
            self._patches.run(boxes, x, w, y, fill, clip, workers)

    def _left(
        self,
        box: Sequence[int],
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray,
        fill: np.generic,
        workers: int,
    ) -> np.ndarray:
        """Write the results of a box by its levels; return boxes that a plain sum is better at."""
        n = len(self._axes)
        only, none = np.array([box], np.intp), np.empty((0, len(box)), np.intp)
        item = _place(self._batch, self._items, box[0], n)
        ends = [(box[i], box[i + 1]) for i in range(7 - 2 * n, 7, 2)]
        result = y[item][tuple(slice(*e) for e in ends)]
        if not w.any():
            if not np.isfinite(x[item]).all() or not np.isfinite(fill):
                return only
            result[...] = 0
            return none
        strong = _bounds(w != 0)
        axes = [
            replace(a, low=a.low - t.start * a.dilation, taps=t.stop - t.start)
            for a, t in zip(self._axes, strong, strict=True)
        ]
        plain = _plain_seconds(result.shape, w[strong].shape, w.itemsize)
        if plain < _levelling(result.shape, axes):
            return only
        room = self._real.max_memory - _levelling_bytes(result.shape, axes, fill, w.itemsize)
        if room <= 0 or plain < self._price(_bare(axes, result.shape, w.dtype, room))[0]:
            return only
        samples, first = gathered(x[item], self._axes, ends, fill, w.dtype)
        told = None
        if not np.isfinite(samples).all():
            read = math.prod(map(reads, result.shape, self._axes))
            room -= DECIDING_BYTES * read
            if room <= 0 or plain < DECIDING_SECONDS * read:
                return only
            signs = functools.partial(self._signs, first, result.shape, room, workers)
            told = decided(samples, first, w, self._axes, result.shape, signs)
        left = only if told is None else _apart(box, told == 0, w[strong], plain)
        if w[strong].shape != w.shape:
            samples, first = gathered(x[item], axes, ends, fill, w.dtype)
            w = w[strong]
        if len(left) and self._are_levels(result, samples, first, axes, w, told, room, workers):
            left = none
        if told is not None:
            np.copyto(result, told, where=told != 0, casting="same_kind")
        return left

    def _are_levels(
        self,
        result: np.ndarray,
        samples: np.ndarray,
        first: Sequence[int],
        axes: Sequence[Axis],
        w: np.ndarray,
        told: np.ndarray | None,
        room: int,
        workers: int,
    ) -> bool:
        """Write the results that are not told by levels, unless a plain sum is the better way."""
        if not w.all() and any(2 * a.taps <= a.size for a in axes):
            return False  # of a mask: what is loud under its zeros is to leave no trace
        if told is None:
            seconds = _plain_seconds(result.shape, w.shape, w.itemsize)
        else:
            seconds = _apart_seconds(told == 0, w)
            if seconds < _levelling(result.shape, axes):
                return False
        exponents = _exponents(samples)
        loudest = over_windows(exponents, first, axes, result.shape, np.maximum, NONE)
        if told is not None:
            loudest[told != 0] = NONE
        levels = self._levels(exponents, loudest, first, axes, w, room)
        if sum(level.seconds for level in levels) > seconds:
            return False
        result[loudest == NONE] = 0
        for level in levels:
            total = np.full([s.stop - s.start for s in level.outputs], np.nan, w.dtype)
            wanted = loudest[level.outputs]
            wanted = (wanted > level.top - LEVEL) & (wanted <= level.top)
            self._sum(level, *_parts(level, samples, exponents, w), total, wanted, workers)
            result[level.outputs][wanted] = total[wanted]
        return True

    def _signs(
        self,
        first: Sequence[int],
        shape: Sequence[int],
        room: int,
        workers: int,
        x: np.ndarray,
        w: np.ndarray,
    ) -> np.ndarray:
        """Correlate samples with weights, both of -1, 0 and 1."""
        dtype = w.dtype if w.size <= MOST_SIGNS else np.dtype(np.float64)
        axes = [
            Axis(i, n, a.taps, f, reads(m, a) - n - f, a.stride, a.dilation, "constant", m)
            for i, (n, f, m, a) in enumerate(zip(x.shape, first, shape, self._axes, strict=True))
        ]
        problem = _problem(axes, dtype, room)
        seconds, workspace = self._price(problem)
        plain = _plain_seconds(problem.y_shape, problem.w_shape, dtype.itemsize)
        by = workspace if workspace <= room and seconds < plain else None
        total, wanted = np.full(shape, np.nan, dtype), np.broadcast_to(True, shape)
        x, w = x.astype(dtype, copy=False), np.ascontiguousarray(w, dtype)
        self._sum(_Level(problem, (), (), (), 0, 1, seconds, by), x, w, total, wanted, workers)
        return total

    def _levels(
        self,
        exponents: np.ndarray,
        loudest: np.ndarray,
        first: Sequence[int],
        axes: Sequence[Axis],
        w: np.ndarray,
        room: int,
    ) -> list[_Level]:
        """Return the problems of all levels, the loudest first."""
        counts = np.bincount(loudest.ravel().astype(np.intp) - NONE)
        counts[0] = 0
        levels, top = [], len(counts) - 1
        while top > 0:
            if counts[top]:
                level = self._level(exponents, loudest, first, axes, w, room, top + NONE)
                levels.append(level)
                top -= LEVEL
            else:
                top -= 1
        return levels

    def _level(
        self,
        exponents: np.ndarray,
        loudest: np.ndarray,
        first: Sequence[int],
        axes: Sequence[Axis],
        w: np.ndarray,
        room: int,
        top: int,
    ) -> _Level:
        floor = max(NONE, top - LEVEL - np.finfo(w.dtype).nmant - SPARE)
        outputs = _bounds((loudest > top - LEVEL) & (loudest <= top))
        # Samples that these outputs read, and of them those that are kept.
        near = tuple(
            slice(max(0, o.start * a.stride - f), max(0, (o.stop - 1) * a.stride + a.span - f))
            for o, f, a in zip(outputs, first, axes, strict=True)
        )
        kept = _bounds((exponents[near] > floor) & (exponents[near] <= top))
        samples = tuple(
            slice(max(0, b.start) + s.start, b.stop + s.start)
            for b, s in zip(kept, near, strict=True)
        )
        inner, taps = [], []
        for i, (o, s, f, a) in enumerate(zip(outputs, samples, first, axes, strict=True)):
            begin = max(0, -(((o.stop - 1) * a.stride - s.start - f) // a.dilation))
            end = min(a.taps, (s.stop - 1 + f - o.start * a.stride) // a.dilation + 1)
            size, m = s.stop - s.start, o.stop - o.start
            low = s.start + f - o.start * a.stride - begin * a.dilation
            part = replace(a, axis=i, size=size, taps=end - begin, low=low, boundary="constant")
            high = reads(m, part) - size - low
            inner.append(replace(part, high=high, out=m))
            taps.append(slice(begin, end))
        problem = _problem(inner, w.dtype, room)
        plain = _plain_seconds(problem.y_shape, problem.w_shape, w.itemsize)
        seconds, workspace = self._price(problem)
        points = math.prod(problem.x_shape) + math.prod(problem.y_shape)
        besides = LEVEL_SECONDS + POINT_SECONDS * points
        if workspace > room or plain <= seconds:
            return _Level(problem, outputs, samples, tuple(taps), floor, top, besides + plain, None)
        besides += seconds
        return _Level(problem, outputs, samples, tuple(taps), floor, top, besides, workspace)

    def _sum(
        self,
        level: _Level,
        x: np.ndarray,
        w: np.ndarray,
        y: np.ndarray,
        wanted: np.ndarray,
        workers: int,
    ) -> None:
        """Write to ``y`` the results that are wanted, and others."""
        problem = level.problem
        boxes = np.array([[0, 0, 1, 0, 1, 0, 1]], np.intp)
        boxes[0, 7 - 2 * y.ndim :] = np.array([(0, m) for m in y.shape]).ravel()
        if level.workspace is not None:
            threads = max(1, min(workers, problem.max_memory // level.workspace))
            boxes = self._transform(problem, x, w, y, threads)
            # Outputs that are listed for others' sake are good. Only tiles that the transform gave
            # up whole were not written: their loud samples meet faint weights alone.
            missing = wanted & np.isnan(y)
            if not missing.any():
                return
            lengths = [_length(a.size + a.span) for a in problem.spatial]
            if SPECTRA * math.prod(lengths) <= problem.max_memory:
                y[missing] = _unjudged(problem, x, w, level.top, lengths)[missing]
                return
            boxes = boxes[np.array([bool(missing[_slices(b, y.ndim)].any()) for b in boxes], bool)]
        if len(boxes):
            Patches(problem, 1).run(boxes, x, w, y, x.dtype.type(0), False, workers)


def _length(n: int) -> int:
    """Return a length of a fast transform that is no less than ``n``."""
    power = 1 << max(3, n.bit_length())
    return min(m for m in (power, power * 3 // 4, power * 5 // 8, power // 2) if m >= n)


def _unjudged(
    problem: Problem, x: np.ndarray, w: np.ndarray, top: int, lengths: list[int]
) -> np.ndarray:
    """Return all results by one transform in double precision, whatever the weights are."""
    _, scale = np.frexp(np.abs(w).max())
    spread = np.zeros([a.span for a in problem.spatial])
    spread[tuple(slice(None, None, a.dilation) for a in problem.spatial)] = w
    axes = tuple(range(x.ndim))
    spectrum = np.fft.rfftn(np.ldexp(x.astype(np.float64), -top), lengths, axes)
    spectrum *= np.conj(np.fft.rfftn(np.ldexp(spread, -scale), lengths, axes))
    y = np.fft.irfftn(spectrum, lengths, axes)
    at = [
        (np.arange(a.out) * a.stride - a.low) % n
        for a, n in zip(problem.spatial, lengths, strict=True)
    ]
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(y[np.ix_(*at)], top + int(scale)).astype(x.dtype)


def merged(boxes: np.ndarray) -> list[list[int]]:
    """Return boxes in order, those that continue others along one axis joined to them."""
    listed = sorted(boxes.tolist())
    for axis in (5, 3, 1):
        listed.sort(key=lambda b: (b[:axis] + b[axis + 2 :], b[axis]))
        joined: list[list[int]] = []
        for box in listed:
            last = joined[-1] if joined else None
            beside = (
                last is not None
                and last[:axis] == box[:axis]
                and last[axis + 2 :] == box[axis + 2 :]
                and last[axis + 1] == box[axis]
            )
            if last is not None and beside:
                last[axis + 1] = box[axis + 1]
            else:
                joined.append(box)
        listed = joined
    return sorted(listed)


def _slices(box: np.ndarray, n: int) -> tuple[slice, ...]:
    return tuple(slice(box[i], box[i + 1]) for i in range(7 - 2 * n, 7, 2))


def _place(batch: list[int], items: tuple[int, ...], item: int, n: int) -> tuple[Any, ...]:
    """Return the index of an item's samples."""
    place: list[Any] = [slice(None)] * (len(batch) + n)
    for axis, at in zip(batch, np.unravel_index(item, items) if items else (), strict=True):
        place[axis] = int(at)
    return tuple(place)


def _plain_seconds(outputs: Sequence[int], taps: Sequence[int], itemsize: int) -> float:
    products = math.prod(outputs) * math.prod(taps)
    return products * itemsize / MACHINE.direct_bytes_per_second


def _problem(axes: list[Axis], dtype: np.dtype, room: int) -> Problem:
    """Return a real correlation along all axes."""
    return Problem(
        x_shape=tuple(a.size for a in axes),
        x_dtype=dtype,
        w_shape=tuple(a.taps for a in axes),
        w_dtype=dtype,
        spatial=tuple(axes),
        fill_value=0,
        flip=False,
        dtype=dtype,
        compute=dtype,
        overflow="raise",
        y_shape=tuple(a.out for a in axes),
        rtol=None,
        max_memory=room,
    )


def _bare(axes: Sequence[Axis], shape: Sequence[int], dtype: np.dtype, room: int) -> Problem:
    """Return the problem of all outputs of a box."""
    bare = [
        replace(a, axis=i, size=reads(m, a), low=0, high=0, boundary="constant", out=m)
        for i, (a, m) in enumerate(zip(axes, shape, strict=True))
    ]
    return _problem(bare, dtype, room)


def _levelling(shape: Sequence[int], axes: Sequence[Axis]) -> float:
    """Return the seconds of a level of a box besides its sums."""
    return LEVEL_SECONDS + POINT_SECONDS * math.prod(map(reads, shape, axes))


def _levelling_bytes(
    shape: Sequence[int], axes: Sequence[Axis], fill: np.generic, itemsize: int
) -> int:
    """Return the bytes of a box by levels.

    Samples, those of a level and its results; exponents of samples and of windows, twice. Samples,
    those of a level and its weights; exponents; results and windows.
    """
    read = list(map(reads, shape, axes))
    held = math.prod(
        min(r, a.size) if is_bare(a, fill) else r for r, a in zip(read, axes, strict=True)
    )
    return held * (3 * itemsize + 4) + math.prod(read) * (6 + itemsize)


def _apart_seconds(held: np.ndarray, w: np.ndarray) -> float:
    """Return the seconds of plain sums of the outputs that are true, which lie apart."""
    ends = np.count_nonzero(np.diff(held, axis=-1))
    products = _plain_seconds([int(np.count_nonzero(held))], w.shape, w.itemsize)
    return RUN_SECONDS * ends / 2 + APART * products


def _apart(box: Sequence[int], held: np.ndarray, w: np.ndarray, plain: float) -> np.ndarray:
    """Return boxes of the outputs of a box that are true: of runs along the last axis, or all."""
    if not held.any():
        return np.empty((0, len(box)), np.intp)
    if _apart_seconds(held, w) > plain:
        return np.array([box], np.intp)
    return runs(box, held)


def _exponents(samples: np.ndarray) -> np.ndarray:
    """Return the exponents of contiguous samples, `NONE` of zeros and of what is not finite."""
    exponents = np.empty(samples.shape, np.int16)
    flat, of = samples.reshape(-1), exponents.reshape(-1)
    for start in range(0, len(flat), BLOCK):
        block = flat[start : start + BLOCK]
        held = (block != 0) & np.isfinite(block)
        of[start : start + BLOCK] = np.where(held, np.frexp(block)[1], NONE)
    return exponents


def _bounds(held: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box of all that is true."""
    box = []
    for axis in range(held.ndim):
        others = tuple(i for i in range(held.ndim) if i != axis)
        at = np.flatnonzero(held.any(axis=others))
        box.append(slice(int(at[0]), int(at[-1]) + 1))
    return tuple(box)


def _parts(
    level: _Level, samples: np.ndarray, exponents: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples of a level and its weights."""
    x, e = samples[level.samples], exponents[level.samples]
    kept = np.where((e > level.floor) & (e <= level.top), x, x.dtype.type(0))
    return kept, np.ascontiguousarray(w[level.taps])
