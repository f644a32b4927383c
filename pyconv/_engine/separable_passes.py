"""Kernels whose factors the caller knows, applied along one axis after the other.

    y = Σ_t f_t1 ∗ (f_t2 ∗ (f_t3 ∗ x))

No kernel of several dimensions is made and none is taken apart: a filter costs what its factors
cost. Weights that are their own mirror image, or the negative of it, are summed in pairs about the
centre, in one order everywhere. So a mirrored array gives the mirrored result to the bit, and the
derivative of equal samples is exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms import slabs
from pyconv._engine.algorithms.arranged import View, view_of, write
from pyconv._engine.algorithms.correlation.box import Box
from pyconv._engine.algorithms.correlation.passes import Passes, RunMosaic
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.dtypes import narrow
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.planner import kept
from pyconv._engine.planning import BoundProblem
from pyconv._engine.problem import DEFAULT_MEMORY, Problem, check_samples, make_problem
from pyconv._native import loader

Array = npt.NDArray[Any]

#: Windows of fewer samples are summed in pairs; sums that wider ones share cost less.
FEW_SAMPLES = 16
#: Arrays of the source's shape that passes may make beside a caller's: copies of the source and the
#: result, sums of terms and one of them, the results of two passes, results of which some are kept.
WHOLE_ARRAYS = 7
#: Bytes that are left to loops at least where such arrays are made.
LOOP_BYTES = 8 << 20
#: Weights of which one is changed for the sum to be 1, at least the largest divided by this, and
#: by which parts of what the sum lacks.
LARGEST_TRIED, LARGE, PARTS_TRIED = 16, 64, (1.0, 0.5, 0.75, 1.5, 0.25, 0.125, 2.0)


class Part(NamedTuple):
    """Some results of a larger filter: arrays hold the samples that those read.

    An entry for each filtered axis, but for the shape.
    """

    #: The shape of the whole array, which decides in which order results are summed.
    whole: tuple[int, ...]
    #: The sample at the place of the first result, counted from the first that the arrays hold.
    firsts: tuple[int, ...]
    #: Results that are made: of those that strides keep.
    outs: tuple[int, ...]


class Filter(NamedTuple):
    """A sum of product kernels, and where it reads: an entry for each filtered axis."""

    #: The factors of each product, in float64, a row for each axis.
    terms: tuple[tuple[Array, ...], ...]
    axes: tuple[int, ...]
    #: Samples that the first tap reads before its output.
    lows: tuple[int, ...]
    boundaries: tuple[str, ...]
    fill_value: complex = 0
    #: What sums are divided by.
    divisor: float = 1.0
    #: Where the arrays are seen with axes exchanged: the caller's place of each filtered axis, so
    #: that passes go one after the other in the order that they have there.
    places: tuple[int, ...] = ()
    #: Which results are kept along each filtered axis: every so many; empty for all.
    strides: tuple[int, ...] = ()
    #: Which results are made, None for all.
    part: Part | None = None

    def result_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the result for arrays of a shape."""
        if self.part is None:
            return self._kept(shape)
        made = [*shape]
        for axis, out in zip(self.axes, self.part.outs, strict=True):
            made[axis] = out
        return tuple(made)

    def _kept(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        kept = [*shape]
        for axis, stride in zip(self.axes, self.strides, strict=False):
            kept[axis] = -(-shape[axis] // stride)
        return tuple(kept)

    def passed(self) -> Part | None:
        """Return the part once these axes are filtered: the whole array has its results then."""
        part = self.part
        return None if part is None else part._replace(whole=self._kept(part.whole))

    def every(self) -> Filter:
        """Return the filter that makes what the strides leave out, too."""
        part = self.part
        if part is not None:
            outs = zip(part.outs, self.strides, strict=True)
            part = part._replace(outs=tuple((out - 1) * stride + 1 for out, stride in outs))
        return self._replace(strides=(), part=part)

    def of(self, some: Sequence[int]) -> Filter:
        """Return the filter along some of the axes, without its terms."""
        return self._replace(
            terms=(),
            axes=tuple(self.axes[i] for i in some),
            lows=tuple(self.lows[i] for i in some),
            boundaries=tuple(self.boundaries[i] for i in some),
            places=tuple(self.places[i] for i in some if self.places),
            strides=tuple(self.strides[i] for i in some if self.strides),
            part=self.part
            and self.part._replace(
                firsts=tuple(self.part.firsts[i] for i in some),
                outs=tuple(self.part.outs[i] for i in some),
            ),
        )

    def in_turn(self) -> list[int]:
        """Return the filtered axes in the order in which they are passed: the last one first."""
        places = self.places or self.axes
        return sorted(range(len(places)), key=lambda i: -places[i])

    def key(self) -> tuple[object, ...]:
        """Return what tells this filter from others."""
        rows = tuple(tuple(row.tobytes() for row in term) for term in self.terms)
        fill = self.fill_value
        where = self.axes, self.lows, self.boundaries, self.strides, self.part
        return rows, where, fill, type(fill), self.divisor


class Wanted(NamedTuple):
    """The dtypes of a call: of the weights, and of the result, None for that of the sums."""

    weights: np.dtype
    result: np.dtype | None
    overflow: str = "raise"
    #: Bytes of workspace, whole arrays among it, that a call may take; None for what is usual.
    max_memory: int | None = None


#: Writes the filter of ``x`` to ``y``, or to a fresh array, with at most as many threads.
Runner = Callable[[Array, Array | None, int | None], Array]


def runner(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    """Return the planned filter of arrays of one shape and dtype.

    What it makes fresh has the dtype of the result. An array of integers that it is given receives
    real results rounded half to even, as ``overflow`` has it; it shares no memory with the source.

    Raises
    ------
    MemoryError
        If the passes take more than the ``max_memory`` of ``wanted``.
    """
    key = ("filter", loader.native, shape, dtype, what.key(), wanted)
    return kept(key, _planned, shape, dtype, what, wanted)


# ---- one filter -------------------------------------------------------------------------------


def _check(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """Raise ValueError for an axis without samples: narrowed weights would leave it out."""
    for axis in axes:
        check_samples(shape[axis], axis)


def _planned(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    _check(shape, what.axes)
    beside = _beside_arrays(shape, dtype, what, wanted)
    if beside is None:
        return _at_once(shape, dtype, what, wanted)
    wanted = beside
    # Sums of several terms may be rounded otherwise one by one than at once.
    view = _view(shape, what, batch=len(what.terms) == 1)
    if view is None:
        return _as_it_lies(shape, dtype, what, wanted)
    if what.strides:
        return _sliced(_planned(shape, dtype, what.every(), wanted), what)
    result = _problem(shape, dtype, what, [len(row) for row in what.terms[0]], wanted).dtype
    run = _as_it_lies(view.shape, dtype, _exchanged(view, what), wanted)
    return _seen(view, run, what.result_shape(shape), result)


def _view(shape: tuple[int, ...], what: Filter, *, batch: bool) -> View | None:
    """Return how arrays are best seen; a part of an array as the whole of it."""
    if what.part is None:
        return view_of(shape, what.axes, batch=batch)
    view = view_of(what.part.whole, what.axes, batch=batch)
    if view is None:
        return None
    long = [a for a in view.order if shape[a] != 1]
    return View(view.order, tuple(shape[a] for a in view.order), long != sorted(long))


def _whole(shape: tuple[int, ...], what: Filter) -> tuple[int, ...]:
    """Return the shape that decides how a filter is summed."""
    return shape if what.part is None else what.part.whole


def _beside_arrays(
    shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted
) -> Wanted | None:
    """Return what is wanted of loops beside the arrays of passes in turn, of copies and of sums.

    None if these may take more memory than is granted.
    """
    if wanted.max_memory is None:
        return wanted
    taps = [low + 1 for low in what.lows]
    compute = _problem(shape, dtype, what._replace(strides=()), taps, wanted).compute
    left = wanted.max_memory - WHOLE_ARRAYS * math.prod(shape) * max(16, compute.itemsize)
    if left < LOOP_BYTES:
        return None
    return wanted._replace(max_memory=min(left, DEFAULT_MEMORY))


def _at_once(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    """Plan passes that make no whole arrays; MemoryError if there are none."""
    terms = what.terms
    if len(what.axes) == 1 and len(terms) > 1:
        terms = ((np.sum([term[0] for term in terms], axis=0),),)
    return _granted(_fused(shape, dtype, what._replace(terms=terms), wanted))


def _granted(run: Runner | None) -> Runner:
    """Return a planned filter; MemoryError if it would take too much memory."""
    if run is None:
        raise MemoryError("passes along each axis take more memory than is granted")
    return run


def _sliced(run: Runner, what: Filter) -> Runner:
    """Return the filter that keeps some of the results of another."""
    made = what.every()

    def run_sliced(x: Array, y: Array | None, workers: int | None) -> Array:
        kept = [slice(None)] * x.ndim
        for axis, stride in zip(what.axes, what.strides, strict=True):
            kept[axis] = slice(None, None, stride)
        every = None if y is None else np.empty(made.result_shape(x.shape), y.dtype)
        some = run(x, every, workers)[tuple(kept)]
        if y is None:
            return np.ascontiguousarray(some)
        y[...] = some
        return y

    return run_sliced


def _exchanged(view: View, what: Filter) -> Filter:
    """Return a filter of arrays as they are seen."""
    part = what.part
    if part is not None:
        part = part._replace(whole=tuple(part.whole[a] for a in view.order))
    return what._replace(axes=tuple(view.axis(a) for a in what.axes), places=what.axes, part=part)


def _seen(view: View, run: Runner, shape: tuple[int, ...], result: np.dtype) -> Runner:
    """Return the filter of arrays, of results of a shape, from that of the arrays as seen."""
    seen_shape = tuple(shape[a] for a in view.order)

    def run_seen(x: Array, y: Array | None, workers: int | None) -> Array:
        seen = view.source(x)
        y = np.empty(shape, result) if y is None else y
        if not view.moved:
            run(seen, y.reshape(seen_shape), workers)
            return y
        # A copy of the source is no longer read when the last pass writes.
        spare = isinstance(run, _InTurn) and seen.base is None and seen.dtype == y.dtype
        spare = spare and seen.shape == seen_shape
        total = run(seen, seen if spare else np.empty(seen_shape, y.dtype), workers)
        write(total, y.transpose(view.order))
        return y

    return run_seen


def _as_it_lies(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    if len(what.axes) == 1 and len(what.terms) > 1:
        if len(what.terms[0][0]) == 3:  # a sum of differences stays one, and exactly 0
            return _granted(_fused(shape, dtype, what, wanted))
        total = np.sum([term[0] for term in what.terms], axis=0)
        what = what._replace(terms=((total,),))
    if len(what.terms) == 1:
        return _product(shape, dtype, what, wanted)
    if len(what.axes) > 1 and not what.places and not _is_thick(shape, what, what.terms[0]):
        run = _fused(shape, dtype, what, wanted)
        if run is not None:
            return run
    return _sum(shape, dtype, what, wanted)


def _problem(
    shape: tuple[int, ...], dtype: np.dtype, what: Filter, taps: Sequence[int], wanted: Wanted
) -> Problem:
    """Return the problem of one kernel; its shape is that of the factors."""
    pads = [(low, k - 1 - low) for low, k in zip(what.lows, taps, strict=True)]
    whole, part = _whole(shape, what), what.part
    problem = make_problem(
        whole, dtype, tuple(taps), wanted.weights, mode=pads, boundary=what.boundaries,
        fill_value=what.fill_value, axes=what.axes, stride=what.strides or 1,
        dtype=wanted.result, overflow=wanted.overflow, max_memory=wanted.max_memory,
    )  # fmt: skip
    return problem if part is None else problem.part(shape, part.firsts, part.outs)


def _is_thick(shape: tuple[int, ...], what: Filter, rows: Sequence[Array]) -> bool:
    """Return whether the border that several passes at once would filter outweighs the array."""
    order = sorted(range(len(what.axes)), key=lambda i: what.axes[i])
    shape = _whole(shape, what)
    return any(len(rows[i]) - 1 > shape[what.axes[i]] for i in order[:-1])


def _product(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    """Plan one product of factors."""
    rows, lows, whole = [], [], _whole(shape, what)
    for i, row in enumerate(what.terms[0]):
        row, low = narrowed(row, what.lows[i], whole[what.axes[i]], what.boundaries[i])
        rows.append(row)
        lows.append(low)
    strides = what.strides or (1,) * len(rows)
    made = what.result_shape(shape)
    busy = [
        i for i, row in enumerate(rows)
        if strides[i] > 1
        or not _is_idle(row, lows[i])
        or made[what.axes[i]] != shape[what.axes[i]]
    ] or [0]  # fmt: skip
    what = what._replace(lows=tuple(lows)).of(busy)
    what = what._replace(terms=(tuple(rows[i] for i in busy),))
    rows = list(what.terms[0])
    run = None
    if len(rows) == 1 or not (what.places or _is_thick(shape, what, rows)):
        run = _fused(shape, dtype, what, wanted)
    return run or _in_turn(shape, dtype, what, wanted)


def _is_idle(row: Array, low: int) -> bool:
    """Return whether weights leave samples as they are."""
    return 0 <= low < len(row) and row[low] == 1 and np.count_nonzero(row) == 1


def _fused(
    shape: tuple[int, ...],
    dtype: np.dtype,
    what: Filter,
    wanted: Wanted,
    *,
    lengths: bool = False,
) -> Runner | None:
    """Plan passes along all axes at once, for the sum of the terms or the lengths of their vectors.

    None if that would take too much memory, or if no loop makes the sum of the terms.
    """
    order = sorted(range(len(what.axes)), key=lambda i: what.axes[i])
    factors = tuple(
        np.stack([balanced(term[i], wanted.weights) for term in what.terms]) for i in order
    )
    problem = _problem(shape, dtype, what, [len(row) for row in what.terms[0]], wanted)
    passes = Passes(factors, what.divisor, lengths)
    if not passes.sums_at_once(problem):
        return None
    granted = len(what.axes) > 1 or wanted.max_memory is not None
    # Several terms are rounded otherwise one by one: of a part as of the whole.
    deciding = problem if len(what.terms) == 1 else problem.deciding
    if granted and 0 not in shape and slabs.workspace(passes, deciding) > problem.max_memory:
        return None
    return Fused(BoundProblem(problem, passes), passes, np.zeros(1, wanted.weights))


class Fused:
    """Passes along all axes at once."""

    __slots__ = ("_of_mosaic", "_passes", "_plan", "_w")

    def __init__(self, plan: BoundProblem, passes: Passes, w: Array) -> None:
        self._plan, self._passes, self._w = plan, passes, w
        #: Bound when there are such samples; False where they have to be joined.
        self._of_mosaic: RunMosaic | bool | None = None

    def __call__(self, x: Array, y: Array | None, workers: int | None) -> Array:
        return self._plan.solve(x, self._w, y, workers)

    def of_mosaic(self, x: Mosaic, workers: int | None) -> Array | None:
        """Return the result for samples in several arrays; None if they have to be joined."""
        if self._of_mosaic is None:
            self._of_mosaic = self._passes.bind_mosaic(self._plan.problem) or False
        run = self._of_mosaic
        if isinstance(run, bool):
            return None
        return self._plan.solve_by(run, x, workers)


def _in_turn(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    """Plan one pass after the other, the last axis first, as passes at once go."""
    order = what.in_turn()
    compute = _problem(shape, dtype, what, [len(row) for row in what.terms[0]], wanted).compute
    fill: complex = what.fill_value
    # Where axes are exchanged those that are still passed from the last on go at once.
    together: list[list[int]] = []
    for i in order:
        if together and what.places and what.axes[i] < what.axes[together[-1][-1]]:
            together[-1].append(i)
        else:
            together.append([i])
    runs: list[Runner] = []
    for some in together:
        last = some is together[-1]
        row = what.terms[0]
        one = what.of(some)._replace(
            terms=(tuple(row[i] for i in some),), fill_value=fill, places=(),
            divisor=what.divisor if last else 1.0,
        )  # fmt: skip
        its = wanted if last else wanted._replace(result=compute, overflow="raise")
        its_dtype = compute if runs else dtype
        run = None
        if len(some) == 1 or not _is_thick(shape, one, one.terms[0]):
            run = _fused(shape, its_dtype, one, its)
        if len(some) > 1 and run is None:
            run = _in_turn(shape, its_dtype, one, its)
        runs.append(_granted(run))
        shape = one.result_shape(shape)
        what = what._replace(part=_after(what.part, one))
        for i in some:
            fill = _filtered_fill(fill, row[i], wanted.weights, compute)
    return runs[0] if len(runs) == 1 else _InTurn(runs)


def _after(part: Part | None, one: Filter) -> Part | None:
    """Return a part once another filter has run along its own axes."""
    passed = one.passed()
    return part if part is None or passed is None else part._replace(whole=passed.whole)


class _InTurn:
    """Filters one after the other. Once the first has run the source is not read again."""

    __slots__ = ("_runs",)

    def __init__(self, runs: Sequence[Runner]) -> None:
        self._runs = tuple(runs)

    def __call__(self, x: Array, y: Array | None, workers: int | None) -> Array:
        for run in self._runs[:-1]:
            x = run(x, None, workers)
        return self._runs[-1](x, y, workers)


def _filtered_fill(fill: complex, row: Array, weights: np.dtype, compute: np.dtype) -> complex:
    """Return what lies outside along other axes once one has been filtered, to the bit."""
    if fill == 0:
        return fill
    flat = np.full(len(row), fill, compute)
    one = Filter(((row,),), (0,), (0,), ("nearest",))
    run = _fused(flat.shape, compute, one, Wanted(weights, compute))
    assert run is not None
    return run(flat, None, 1)[0].item()


def _sum(shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted) -> Runner:
    """Plan several products that are added up."""
    problem = _problem(shape, dtype, what, [len(row) for row in what.terms[0]], wanted)
    compute = problem.compute
    result = problem.dtype
    its = wanted._replace(result=compute, overflow="raise")
    runs = [_product(shape, dtype, what._replace(terms=(term,)), its) for term in what.terms]

    def run_all(x: Array, y: Array | None, workers: int | None) -> Array:
        in_place = y is not None and y.dtype == compute
        total = runs[0](x, y if in_place else None, workers)
        part = np.empty_like(total)
        for run in runs[1:]:
            np.add(total, run(x, part, workers), out=total)
        if in_place or (y is None and result == compute):
            return total
        if y is None:
            y = np.empty(what.result_shape(shape), result)
        with np.errstate(all="ignore"):
            y[...] = narrow(total, y.dtype, wanted.overflow) if total.dtype.kind == "f" else total
        return y

    return run_all


def lengths_runner(
    shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted
) -> Runner | None:
    """Return the planned lengths of vectors whose components are the terms, as `runner`.

    None where they are better made of components that are stored: only passes along two or three
    axes at once to single or double precision make them.
    """
    key = ("lengths", loader.native, shape, dtype, what.key(), wanted)
    planned: tuple[Runner | None] = kept(key, _planned_lengths, shape, dtype, what, wanted)
    return planned[0]


def _planned_lengths(
    shape: tuple[int, ...], dtype: np.dtype, what: Filter, wanted: Wanted
) -> tuple[Runner | None]:
    """Plan the lengths of vectors, in a tuple that is kept even if there is no plan."""
    _check(shape, what.axes)
    rows = what.terms[0]
    problem = _problem(shape, dtype, what, [len(row) for row in rows], wanted)
    result, sums = problem.dtype, problem.compute
    if (
        what.strides
        or len(what.axes) not in (2, 3)
        or len(what.terms) < 2
        or sums.kind != "f"
        or result.kind != "f"
        or not 4 <= result.itemsize <= sums.itemsize
        or _view(shape, what, batch=False) is not None
        or _is_thick(shape, what, rows)
    ):
        return (None,)
    return (_fused(shape, dtype, what, wanted, lengths=True),)


# ---- weights ----------------------------------------------------------------------------------


def narrowed(row: Array, low: int, size: int, boundary: str) -> tuple[Array, int]:
    """Return weights that read each sample once, where a wide kernel reads it many times.

    What lies outside is made of the samples: taps that read the same one are one tap of their sum.
    Only weights without negative ones are added up, so that no sum cancels. Weights that are their
    own mirror image stay so.
    """
    taps = len(row)
    repeats = BOUNDARIES[boundary].period
    period = None if repeats is None else repeats(size)
    reach = size if period is None else period // 2
    if taps <= 2 * reach + 2 or row.min() < 0 or not np.isfinite(row).all():
        return row, low
    offsets: Array = np.arange(taps) - low
    if period is None:  # beyond the last sample all read the same
        offsets = np.clip(offsets, -reach, reach)
    few: Array = np.bincount((offsets + reach) % (period or 2 * reach + 1), row, 2 * reach + 1)
    if period is not None and period % 2 == 0:  # half a period before is half a period behind
        few[0] = few[-1] = few[0] / 2
    if taps == 2 * low + 1 and np.array_equal(row, row[::-1]):
        few = (few + few[::-1]) / 2
    if _is_mean(row):  # one by one, more weights are added up than the tolerance of few allows
        few = few / few.sum()
    return few, reach


def _is_mean(row: Array) -> bool:
    """Return whether weights sum to 1, but for their rounding."""
    return bool(abs(row.sum() - 1) <= len(row) * float(np.finfo(np.float64).eps))


def balanced(row: Array, dtype: np.dtype) -> Array:
    """Return weights in the dtype of the sums.

    Those that sum to 1 do so in the order of the loop too, pairs from the ends inwards, then the
    middle: so that an array of ones stays one. Each weight differs by no more than the rounding of
    the sum of those outside it. Where one is much smaller than they are, the largest differs alone.
    """
    plain = row.astype(dtype)
    half, odd = divmod(len(row), 2)
    if half == 0 or not np.array_equal(row, row[::-1]) or not row[0] >= 0 or not _is_mean(row):
        return plain
    outside = np.cumsum(row[:half]) / np.arange(1, half + 1)
    if np.any(row[1 : half + odd] < outside[: half + odd - 1] / 2):
        return _summing_to_one(plain)
    sums = (2 * np.cumsum(row[:half])).astype(dtype)
    if not odd:
        sums[-1] = 1
    steps = np.diff(sums, prepend=dtype.type(0))
    total = np.add.accumulate(steps)[-1]
    outer = steps / 2
    middle = np.array([1 - total] * odd, dtype)
    return np.concatenate([outer, middle, outer[::-1]])


def _summing_to_one(row: Array) -> Array:
    """Return weights that are their own mirror image, of which a large one makes the sum 1.

    The sum is that of `balanced`. The weight differs by about what the sum lacks, as the
    roundings of the sum depend on it. Where that does not do, the weights are as they were.
    """
    half, odd = divmod(len(row), 2)

    def terms(weights: Array) -> Array:
        return np.concatenate([2 * weights[:half], weights[half : half + odd]])

    share = terms(row)
    lacking = 1 - np.add.accumulate(share)[-1]
    large = np.argsort(-share, kind="stable")
    for at in large[share[large] >= share.max() / LARGE][:LARGEST_TRIED]:
        changed = row.copy()
        for part in PARTS_TRIED:
            changed[at] = row[at] + part * (lacking if at == half else lacking / 2)
            changed[-1 - at] = changed[at]
            if np.add.accumulate(terms(changed))[-1] == 1:
                return changed
    return row


# ---- means ------------------------------------------------------------------------------------


def means_runner(
    shape: tuple[int, ...], dtype: np.dtype, size: tuple[int, ...], what: Filter, wanted: Wanted
) -> Runner:
    """Return the planned means of boxes: sums that are divided by the number of samples.

    The terms of ``what`` are ignored. Windows of few samples along every axis are summed in pairs.
    All else is as for `runner`.
    """
    key = ("means", loader.native, shape, dtype, size, what._replace(terms=()).key(), wanted)
    return kept(key, _planned_means, shape, dtype, size, what, wanted)


def _planned_means(
    shape: tuple[int, ...], dtype: np.dtype, size: tuple[int, ...], what: Filter, wanted: Wanted
) -> Runner:
    _check(shape, what.axes)
    beside = _beside_arrays(shape, dtype, what, wanted)
    if beside is None:
        return _means_as_they_lie(shape, dtype, size, what, wanted, at_once=True)
    wanted = beside
    # Of a window that is wide the order of sums depends on how the axes lie: no batch is exchanged.
    view = _view(shape, what, batch=max(size) < FEW_SAMPLES)
    if view is None:
        return _means_as_they_lie(shape, dtype, size, what, wanted)
    if what.strides:
        return _sliced(_planned_means(shape, dtype, size, what.every(), wanted), what)
    result = _problem(shape, dtype, what, size, wanted).dtype
    run = _means_as_they_lie(view.shape, dtype, size, _exchanged(view, what), wanted)
    return _seen(view, run, what.result_shape(shape), result)


def _means_as_they_lie(
    shape: tuple[int, ...],
    dtype: np.dtype,
    size: tuple[int, ...],
    what: Filter,
    wanted: Wanted,
    *,
    at_once: bool = False,
) -> Runner:
    # A power of two keeps sums within the range, and rounds nothing.
    shift = math.ceil(math.log2(math.prod(size)))
    divisor = math.prod(size) / 2.0**shift
    rows = [np.ones(k) for k in size]
    rows[0] = rows[0] / 2.0**shift
    what = what._replace(terms=(tuple(rows),), divisor=divisor)
    box = Box(divisor)
    problem = _problem(shape, dtype, what, size, wanted)
    product = _at_once if at_once else _product
    if max(size) < FEW_SAMPLES:
        return product(shape, dtype, what, wanted)
    whole, most = problem.deciding, problem.max_memory
    if (
        at_once
        and 0 not in shape
        and (box.rejects(whole) is not None or slabs.workspace(box, whole) > most)
    ):
        return product(shape, dtype, what, wanted)
    if (
        not at_once
        and len(size) > 1
        and (
            any(k - 1 > whole.x_shape[axis] for k, axis in zip(size, what.axes, strict=True))
            or box.rejects(whole) is not None
            or (0 not in shape and box.workspace(whole) > most)
        )
    ):
        return _means_in_turn(shape, dtype, size, what, wanted)
    if box.rejects(whole) is not None:
        return product(shape, dtype, what, wanted)
    plan = BoundProblem(problem, box)
    w = np.full(1, 2.0**-shift, wanted.weights)

    def run(x: Array, y: Array | None, workers: int | None) -> Array:
        return plan.solve(x, w, y, workers)

    return run


def _means_in_turn(
    shape: tuple[int, ...], dtype: np.dtype, size: tuple[int, ...], what: Filter, wanted: Wanted
) -> Runner:
    """Plan the means along one axis after the other, the last first."""
    compute = _problem(shape, dtype, what, size, wanted).compute
    order = what.in_turn()
    runs: list[Runner] = []
    for i in order:
        one = what.of([i])._replace(places=())
        last = i == order[-1]
        its = wanted if last else wanted._replace(result=compute, overflow="raise")
        runs.append(_means_as_they_lie(shape, compute if runs else dtype, (size[i],), one, its))
        shape = one.result_shape(shape)
        what = what._replace(part=_after(what.part, one))
    return runs[0] if len(runs) == 1 else _InTurn(runs)
