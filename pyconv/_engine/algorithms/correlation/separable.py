"""separable: y = Σ_r u_r ∗ (v_r ∗ x) for kernels w = Σ_r u_r v_rᵀ of low rank.

In three dimensions the kernel is one product along the three axes. Whether a kernel is one depends
on its values. Whole weights are factored into whole ones where they can be, so that integer sums
stay exact; others by the singular values or by least squares, within the error that is granted.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine import threads
from pyconv._engine.algorithms.base import (
    BLOCK_TERMS,
    Algorithm,
    Copies,
    Run,
    UnfitDataError,
    epsilon,
    narrowing,
    summation_bound,
)
from pyconv._engine.algorithms.loop_adapters import (
    ABSENT,
    Loop,
    axis_rows,
    bind_loop,
    copies,
    longest_reach,
    on_real_parts,
    plain_axis,
)
from pyconv._engine.dtypes import is_integer
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis, Problem
from pyconv._native import loader

#: Longer kernels and pads would need large strips.
MAX_SPAN = 2**12
#: Seconds of a call; kernels for which a plain sum takes no longer are not looked at.
CALL_SECONDS = 20e-6
#: In multiply-adds of the plain loop: a tap, and one whose factor is its own mirror image, so that
#: two of them are multiplied at once; a sample that is turned to be summed along x; a sum along x
#: that is turned back; one along y or z that is written.
#: Fitted on a Zen 4 core with AVX-512 to 128² to 2048² and 48³ to 128³, 5 to 161 taps.
TAP, FOLDED_TAP = 0.8, 0.55
TURNED, TURNED_BACK, WRITTEN = 6.0, 6.0, 4.0
#: Of the time to read and write what exceeds twice the cache, the part that sums do not hide.
FAR_SHARE = 0.35
#: Whole weights up to this size, and products of two of them, are exact in every type used.
MAX_WHOLE = 2.0**53
#: Ranks tried from the least that the singular values allow: roundings add to what they leave out.
RANKS_TRIED = 2
#: Roundings by which a factor may differ from its mirror image, and is made that: they are part of
#: the error of the factors.
EVENED = 8
#: Roundings of a weight by which one product of factors may differ from it, for the error of an
#: output to be a part of what its window holds.
LOCAL = 16
#: Of the alternating least squares in three dimensions.
TURNS = 2
#: Singular values of n×n weights take about so many seconds for each of n³, and are found where
#: that is shared by so many calls.
FIT_SECONDS, FIT_CALLS = 1e-9, 16
#: Samples behind the only axis of a kernel from which on they are the columns of a pass.
WIDE_GROUP = 16
#: A line of more taps than this is cut into so many rows, of at least so many samples, or a
#: multiple of them: as many as the vectors of every variant have lanes.
FEW_TAPS, LINE_PIECES, FEWEST_SAMPLES, MAX_SAMPLES = 25, 16, 128, 2**13
#: Samples that are looked at together for what is not finite: copies of them stay in a cache.
LOOKED_AT = 2**16
#: Seconds of a sample that is spread, and of each of its products; on a Zen 4 core 25 to 45 ns.
SPREAD_SECONDS, SPREAD_PRODUCT_SECONDS = 60e-6, 40e-9


class Factors(NamedTuple):
    """A kernel Σ_r down[r] across[r]ᵀ, times ``deep`` along z; and what it is worth."""

    down: np.ndarray
    across: np.ndarray
    #: Proven bound on max|y − exact| / (max|x| · Σ|w|).
    error: float
    #: None in two dimensions; in three the rank is one.
    deep: np.ndarray | None = None
    #: Whether their product is each weight but for LOCAL roundings of it.
    local: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Separable:
    """Two passes of register tiles, for a kernel that has been factored."""

    factors: Factors | None = None

    name = "separable"

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken."""
        if len(problem.spatial) == 1:
            return "kernels of two and three dimensions are factored"
        if math.prod(problem.w_shape) <= sum(problem.w_shape):
            return "passes along each axis would take as many products as one"
        if problem.compute == object:
            return "the exact sums need integers wider than 64 bits"
        if problem.compute == np.int16:
            return "the sums fit 16 bits, in which the plain one is faster"
        if problem.w_dtype.kind == "c":
            return "the weights are complex"
        if longest_reach(problem.spatial) > MAX_SPAN:
            return f"the kernel spans or pads more than {MAX_SPAN} samples of an axis"
        if problem.exact:
            return None
        if is_integer(problem.dtype):
            return "rounded factors may round an integer result the other way"
        if problem.rtol == 0:
            return "rtol=0 allows plain sums only"
        return None

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights, or why they are not separable."""
        if w.dtype.kind == "f" and not np.isfinite(w).all():
            return "the weights are not finite"
        order = _order(problem)
        w = w.transpose(order)
        w = np.flip(w) if problem.flip else w
        factors = _whole_factors(problem, w)
        if factors is None and not problem.exact:
            with threads.no_fork():
                factors = _factors(problem, w) if w.ndim == 2 else _factors_of_three(problem, w)
        if factors is None:
            return "the kernel is of no low rank within the error that is granted"
        if factors.error > granted(problem):
            return (
                f"its proven error bound of {factors.error:.2g} "
                f"is more than the {granted(problem):.2g} that is granted"
            )
        return Separable(factors)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time to turn and to multiply, and to read and write."""
        axes = [problem.spatial[i] for i in _order(problem)]
        z, y, x = [ABSENT] * (3 - len(axes)) + axes
        lanes = max(1, loader.native.vector_bytes() // max(4, problem.compute.itemsize))
        planes, rows, cols = ((a.out - 1) * a.stride + a.span for a in (z, y, x))
        rows = math.ceil(rows / lanes) * lanes
        rank, deep, down, across = 1, FOLDED_TAP * z.taps, FOLDED_TAP * y.taps, FOLDED_TAP * x.taps
        if self.factors is not None:
            rank = len(self.factors.down)
            down, across = (_weighed(side) / rank for side in self.factors[:2])
            deep = 0.0 if self.factors.deep is None else _weighed(self.factors.deep)
        slow = 4 if problem.compute.kind in "iu" else 1  # as of the plain sum
        products = planes * rows * (
            cols * TURNED + x.out * rank * (across * slow + TURNED_BACK)
        ) + planes * y.out * x.out * (rank * down * slow + WRITTEN)
        if len(axes) == 3:
            products += z.out * y.out * x.out * (deep * slow + WRITTEN)
        item = max(4, problem.compute.itemsize)
        outside = math.prod(problem.x_shape) // math.prod(a.size for a in axes)
        work = outside * products * item / machine.direct_bytes_per_second
        moved = (math.prod(problem.x_shape) + math.prod(problem.y_shape)) * item
        far = max(0.0, moved - 2 * machine.cache_bytes) / machine.copy_bytes_per_second
        fitting = _fitting_seconds(problem) if self.factors is None else 0.0
        return CALL_SECONDS + work + FAR_SHARE * far + fitting

    def error_bound(self, problem: Problem) -> float:
        """Return what the factors leave out, and the bound of both sums."""
        return summation_bound(problem) if self.factors is None else self.factors.error

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the strips."""
        real, parts = on_real_parts(problem)
        return int(_loop(real, parts, self._known(problem)).workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, functools.partial(_bind, self._known(problem)))

    @property
    def is_local(self) -> bool:
        """Whether an output errs by a part of Σ|x||w| over its own window, as a plain sum does.

        One product of factors that is each weight but for its rounding sums, along each axis,
        magnitudes that belong to the window. Several products, or the largest weights alone, may
        cancel what the window does not hold.
        """
        return self.factors is not None and self.factors.local

    def _known(self, problem: Problem) -> Factors:
        """Return the factors, or empty ones of the least rank, for their size."""
        if self.factors is not None:
            return self.factors
        *planes, rows, cols = (problem.w_shape[i] for i in _order(problem))
        deep = np.zeros(planes[0]) if planes else None
        return Factors(np.zeros((1, rows)), np.zeros((1, cols)), 0.0, deep)


def granted(problem: Problem) -> float:
    """Return the error that the call grants: by default, that of a plain sum, in blocks if long."""
    if problem.rtol is not None:
        return problem.rtol
    blocks = 3 * math.sqrt(math.prod(problem.w_shape)) + BLOCK_TERMS + 2
    return min(summation_bound(problem), blocks * epsilon(problem) + narrowing(problem))


def _fitting_seconds(problem: Problem) -> float:
    """Return the part of a call in the time that singular values take."""
    if len(problem.w_shape) != 2:
        return 0.0
    return FIT_SECONDS * math.prod(problem.w_shape) * min(problem.w_shape) / FIT_CALLS


def _weighed(factors: np.ndarray) -> float:
    """Return the multiply-adds that the taps of these rows are worth."""
    rows = np.atleast_2d(factors)
    return sum((FOLDED_TAP if _is_folded(row) else TAP) * len(row) for row in rows)


def _is_folded(row: np.ndarray) -> bool:
    return np.array_equal(row, row[::-1]) or np.array_equal(row, -row[::-1])


# ---- factors --------------------------------------------------------------------------------


def _order(problem: Problem) -> list[int]:
    """Return the kernel axes in the order of the axes of ``x``."""
    return sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)


def _sums_dtype(problem: Problem) -> np.dtype:
    dtype = on_real_parts(problem)[0].compute
    assert dtype is not None
    return dtype


def _whole_factors(problem: Problem, w: np.ndarray) -> Factors | None:
    """Return whole factors whose product is exactly ``w``, if there are."""
    magnitude = np.abs(w.astype(np.float64))
    if magnitude.max() > MAX_WHOLE or magnitude.max() == 0:
        return None
    whole = w.astype(np.int64)
    if w.dtype.kind == "f" and not np.array_equal(whole, w):
        return None
    sides, at = _fibres(whole)
    sides[1:] = [side // np.gcd.reduce(side) for side in sides[1:]]
    sides[0] = sides[0] // math.prod(int(s[i]) for s, i in zip(sides[1:], at[1:], strict=True))
    if not np.array_equal(functools.reduce(np.multiply.outer, sides), whole):
        return None
    sums = _sums_dtype(problem)
    *deep, down, across = (side.astype(sums) for side in sides)
    factors = Factors(down[np.newaxis], across[np.newaxis], 0.0, deep[0] if deep else None)
    return factors if problem.exact else _rounded(problem, w, factors)


def _factors(problem: Problem, w: np.ndarray) -> Factors | None:
    """Return factors of the least rank that keeps to the error that is granted."""
    rows, cols = w.shape
    sums = _sums_dtype(problem)
    wide = w.astype(np.float64)
    exponent = np.frexp(np.abs(wide).max())[1]
    left, values, right = np.linalg.svd(np.ldexp(wide, -exponent), full_matrices=False)
    # What is left out is at least its Frobenius norm.
    missing = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
    allowed = granted(problem) * np.abs(np.ldexp(wide, -exponent)).sum()
    factors = None
    least = 1 + int(np.argmax(np.append(missing[1:], 0) <= allowed))
    for rank in range(least, least + RANKS_TRIED):
        if rank * (rows + cols) >= rows * cols:
            break
        with np.errstate(over="ignore", under="ignore"):
            # Rows of x that are filtered stay within its own range.
            shift = np.frexp(np.abs(right[:rank]).sum(axis=1))[1]
            across = _evened(np.ldexp(right[:rank], -shift[:, np.newaxis]), sums).astype(sums)
            down = _evened((left[:, :rank] * values[:rank]).T, sums)
            down = np.ldexp(down, shift[:, np.newaxis] + exponent).astype(sums)
        factors = _rounded(problem, w, Factors(down, across, 0.0))
        if factors.error <= granted(problem):
            return factors
    return factors


def _fibres(w: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """Return the weights along each axis through the largest, and where that is."""
    at = [int(i) for i in np.unravel_index(np.abs(w).argmax(), w.shape)]
    fibres = []
    for i in range(w.ndim):
        place: list[Any] = [*at]
        place[i] = slice(None)
        fibres.append(w[tuple(place)])
    return fibres, at


def _factors_of_three(problem: Problem, w: np.ndarray) -> Factors:
    """Return three factors: those through the largest weight, improved in turn.

    Each becomes the best for the two others (alternating least squares); a kernel that is a
    product but for its rounding needs few turns.
    """
    wide = w.astype(np.float64, order="C")  # the same sums for every memory layout
    exponent = np.frexp(np.abs(wide).max())[1]
    wide = np.ldexp(wide, -exponent)
    sides, _ = _fibres(wide)
    for i in (1, 2, 0) * TURNS:
        rest = wide
        for axis in sorted({0, 1, 2} - {i}, reverse=True):
            unit = sides[axis] / (np.linalg.norm(sides[axis]) or 1.0)
            rest = np.tensordot(rest, unit, (axis, 0))
            sides[axis] = unit
        sides[i] = rest
    # The samples that are filtered on the way stay within their own range.
    sums = _sums_dtype(problem)
    deep, down, across = (_evened(side, sums) for side in sides)
    shifts = [int(np.frexp(np.abs(side).sum())[1]) for side in (down, across)]
    with np.errstate(over="ignore", under="ignore"):
        down, across = (
            np.ldexp(side, -shift).astype(sums)
            for side, shift in zip((down, across), shifts, strict=True)
        )
        deep = np.ldexp(deep, sum(shifts) + exponent).astype(sums)
    return _rounded(problem, w, Factors(down[np.newaxis], across[np.newaxis], 0.0, deep))


def _evened(rows: np.ndarray, sums: np.dtype) -> np.ndarray:
    """Return rows that are their own mirror image but for their rounding made so exactly.

    The same of rows that are the negative of it; the loop multiplies two taps of such at once.
    """
    turned = rows[..., ::-1]
    near = EVENED * np.finfo(sums).eps * np.abs(rows).max(axis=-1, keepdims=True)
    even = np.abs(rows - turned).max(axis=-1, keepdims=True) <= near
    odd = np.abs(rows + turned).max(axis=-1, keepdims=True) <= near
    image = np.where(even, turned, np.where(odd, -turned, rows))
    return np.asarray((rows + image) / 2)


def _rounded(problem: Problem, w: np.ndarray, factors: Factors) -> Factors:
    """Return the factors with their error.

    With u = ε/2 a sum of n products errs by at most n·u / (1 − n·u) of the sum of their
    magnitudes; so does one of which two samples are added first: that takes half the products and
    sums, and one rounding more. One output passes through cols + rank·rows + planes of such
    roundings, and two more where x is converted and the result narrowed, over Σ_r Σ|u_r| Σ|v_r|,
    times Σ|t| of a factor t along z. What the factors leave of w is found in float64, whose own
    rounding is added.
    """
    down, across, _, deep, _ = factors
    rank, rows = down.shape
    wide, u, v = (a.astype(np.float64) for a in (w, down, across))
    t = np.ones(1) if deep is None else deep.astype(np.float64)
    total = np.abs(wide).sum()
    if total == 0:
        return factors
    product = (np.abs(u).sum(axis=1) * np.abs(v).sum(axis=1)).sum() * np.abs(t).sum() / total
    apart = np.abs(wide - np.multiply.outer(t, u.T @ v).reshape(w.shape))
    left_out = apart.sum() / total
    local = rank == 1 and bool(np.all(apart <= LOCAL * epsilon(problem) * np.abs(wide)))
    own = (rank + 2) * float(np.finfo(np.float64).eps) / 2 * product
    passed = across.shape[1] + rank * rows + (0 if deep is None else len(deep))
    roundings = (passed + 2) * epsilon(problem) / 2
    error = float(left_out + own + roundings / (1 - roundings) * product) + narrowing(problem)
    return factors._replace(error=error, local=local)


# ---- the loop -------------------------------------------------------------------------------


def _loop(real: Problem, parts: int, factors: Factors) -> Any:
    """Return the compiled loop of a real problem, or of samples that are parts of a complex one."""
    axes = [real.spatial[i] for i in _order(real)]
    spatial = {a.axis for a in axes}
    last = axes[-1].axis
    batch = [a for a in range(last) if a not in spatial]
    deep = factors.deep
    return loader.native.SeparableLoop(
        real.compute,
        axis_rows([ABSENT] * (3 - len(axes)) + axes),
        batch,
        math.prod(real.x_shape[a] for a in batch),
        math.prod(real.x_shape[last + 1 :]),
        None if deep is None else deep.astype(real.compute),
        factors.down.astype(real.compute),
        factors.across.astype(real.compute),
    )


def _bind(factors: Factors, problem: Problem, fill: np.ndarray) -> Loop:
    loop = _loop(problem, len(fill), factors)
    group = math.prod(problem.x_shape[max(a.axis for a in problem.spatial) + 1 :])
    outside = fill if len(fill) == 1 else np.tile(fill, group // len(fill))
    rounds = problem.compute is not None and problem.compute.kind == "f"
    repairs = _Repairs(factors, problem, fill, loop) if rounds else None

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        if group > 1:
            x = np.ascontiguousarray(x)
        summable = loop.run(x, y, outside, clip, workers, True)
        if repairs is not None and not (summable and repairs.reads_all):
            repairs.run(x, w, y, outside, workers)

    return run


# ---- what is not finite ---------------------------------------------------------------------


class _Found(NamedTuple):
    """Samples that passes may spoil."""

    #: Whether there are finite ones of which sums might overflow on the way.
    loud: bool
    #: Whether there is NaN.
    nan: bool
    #: Places of those that are not finite and that results may not show, if they are looked for.
    places: list[tuple[int, ...]]


class _Repairs:
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
        axes = [problem.spatial[i] for i in _order(problem)]
        #: Whether each tap of a window is read, and so a NaN at one of weight 0 seen.
        self.reads_all = len(factors.down) == 1 or any(
            all(map(_is_read_whole, axes, taps)) for taps in zip(*sides, strict=True)
        )
        self._range = _shift_into_range(problem, tuple(sides))
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
        order = _order(problem)
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


# ---- known factors --------------------------------------------------------------------------


class Form(NamedTuple):
    """A problem of one, two or three axes as the loop takes it."""

    #: z, y and x; an axis of one tap is one that the kernel does not have.
    axes: tuple[Axis, Axis, Axis]
    #: Axes of ``x`` that are looped over.
    batch: tuple[int, ...]
    #: Samples of a pixel.
    group: int
    #: Whether the loop needs ``x`` contiguous.
    contiguous: bool


@dataclass(frozen=True, eq=False, slots=True)
class Passes:
    """Passes along each axis, for a kernel whose factors the caller knows.

    Factors that are their own mirror image, or the negative of it, are summed in pairs about the
    centre, in one order everywhere. So a mirrored array gives the mirrored result, and weights
    that are the negative of their image give exactly 0 where samples are equal. Every sum errs
    relative to its own window, as a plain sum does.
    """

    #: An array of shape (rank, taps) for each axis of the kernel, in the order of the axes of
    #: ``x``; of three axes the rank is 1.
    factors: tuple[np.ndarray, ...]
    #: What sums are divided by, to be means.
    divisor: float = 1.0

    name = "separable"

    def rejects(self, problem: Problem) -> str | None:
        """Return None: the caller knows that the factors are of this problem."""
        del problem
        return None

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of a factored kernel; along one axis, of a plain sum of folded taps."""
        if len(self.factors) > 1:
            return Separable(self._known()).cost(problem, machine)
        item = max(4, problem.compute.itemsize)
        return (
            CALL_SECONDS
            + (math.prod(problem.y_shape) * (FOLDED_TAP * problem.spatial[0].taps + WRITTEN))
            * item
            / machine.direct_bytes_per_second
        )

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of a plain sum, which has more roundings."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the strips, and of the copies of a line that is cut into rows."""
        line = 0
        if problem.compute.kind != "c" and _is_line(problem):
            line = problem.spatial[0].size * (problem.compute.itemsize + problem.dtype.itemsize)
        return line + int(self._loop(*on_real_parts(problem))[0].workspace())

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, self._bind)

    def _known(self) -> Factors:
        *deep, down, across = self.factors
        return Factors(down, across, 0.0, deep[0][0] if deep else None)

    def _loop(self, real: Problem, parts: int) -> tuple[Any, Form]:
        form = _form(real, parts)
        deep = None
        if len(real.spatial) == 1:
            sides = (np.ones((len(self.factors[0]), 1)), self.factors[0])
            down, across = sides if form.axes[2] is real.spatial[0] else sides[::-1]
        else:
            known = self._known()
            down, across, deep = known.down, known.across, known.deep
        loop = loader.native.SeparableLoop(
            real.compute,
            axis_rows(form.axes),
            form.batch,
            math.prod(real.x_shape[a] for a in form.batch),
            form.group,
            None if deep is None else deep.astype(real.compute),
            down.astype(real.compute),
            across.astype(real.compute),
        )
        return loop, form

    def _bind(self, problem: Problem, fill: np.ndarray) -> Loop:
        if _is_line(problem):
            return self._bind_line(problem, fill)
        loop, form = self._loop(problem, len(fill))
        fill = fill if len(fill) == 1 else np.tile(fill, form.group // len(fill))
        down = _shift_into_range(problem, self.factors)
        over = None if self.divisor == 1 else np.array([self.divisor], problem.compute)

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
            del w
            if form.contiguous:
                x = np.ascontiguousarray(x)
            if loop.run(x, y, fill, clip, workers, True, over) or x.dtype.kind != "f":
                return
            if y.dtype.kind == "f" and _largest(x) >= down.limit:
                # A sum of two samples might leave the range of the dtype.
                x, outside = (np.ldexp(part, -down.shift) for part in (x, fill))
                loop.run(x, y, outside, clip, workers, True, over)
                with np.errstate(all="ignore"):
                    np.ldexp(y, down.shift, out=y)

        return run

    def _bind_line(self, problem: Problem, fill: np.ndarray) -> Loop:
        """Cut a long line into rows that overlap: the loop sums as many of them as it has lanes."""
        a = problem.spatial[0]
        rows, length = _cut_line(a)
        size = length + a.span - 1
        inside = replace(a, axis=1, size=size, low=0, high=0, out=length)
        run = self._bind(
            replace(
                problem,
                x_shape=(rows, size),
                y_shape=(rows, length),
                spatial=(inside,),
            ),
            fill,
        )
        before, after = a.outside()

        def run_line(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
            line = x.reshape(-1)
            padded = np.zeros(rows * length + a.span - 1, problem.compute)
            for part, index in (
                (padded[: a.low], before),
                (padded[a.low + a.size : a.low + a.size + a.high], after),
            ):
                part[...] = np.where(index < 0, fill[0], line[index])
            padded[a.low : a.low + a.size] = line
            pieces = np.lib.stride_tricks.as_strided(
                padded, (rows, size), (length * padded.itemsize, padded.itemsize)
            )
            exactly = rows * length == a.out
            total = y.reshape(rows, length) if exactly else np.empty((rows, length), y.dtype)
            run(pieces, w, total, clip, workers)
            if not exactly:
                y.reshape(-1)[...] = total.reshape(-1)[: a.out]

        return run_line


def _is_line(problem: Problem) -> bool:
    """Return whether a problem is a single line of a wide kernel, longer than its pieces."""
    a = problem.spatial[0]
    return (
        len(problem.spatial) == 1
        and math.prod(problem.x_shape) == a.size
        and a.taps > FEW_TAPS
        and min(a.low, a.high) >= 0
        and a.out >= LINE_PIECES * max(2 * a.taps, FEWEST_SAMPLES)
    )


def _cut_line(a: Axis) -> tuple[int, int]:
    """Return into how many rows a line is cut, and their outputs."""
    pieces = LINE_PIECES
    while a.out >= 2 * pieces * max(4 * a.taps, MAX_SAMPLES):
        pieces *= 2
    return pieces, -(-a.out // pieces)


class _Shift(NamedTuple):
    """Samples from ``limit`` on are divided by a power of two."""

    limit: float
    shift: int


def _shift_into_range(problem: Problem, factors: tuple[np.ndarray, ...]) -> _Shift:
    """Return from which magnitude on sums might overflow on the way, and what would prevent it."""
    with np.errstate(all="ignore"):
        gains = [max(1.0, float(np.abs(f.astype(np.float64)).sum())) for f in factors]
    gain = 4.0 * math.prod(gains)
    return _Shift(float(np.finfo(problem.compute).max) / gain, int(np.frexp(gain)[1]))


def _largest(x: np.ndarray) -> float:
    """Return the largest magnitude of the finite samples."""
    own = np.dtype(np.float64 if x.dtype.itemsize > 4 else np.float32)
    x = x.T if x.flags.f_contiguous else x  # in the order of its memory
    return max(_look_at(block, own).largest for _, block in _blocks(x))


def _form(real: Problem, parts: int) -> Form:
    """Cast a real problem, or samples that are parts of a complex one."""
    axes = sorted(real.spatial, key=lambda a: a.axis)
    last = axes[-1].axis
    batch = [a for a in range(last) if all(s.axis != a for s in axes)]
    group = math.prod(real.x_shape[last + 1 :])
    trailing = len(real.x_shape) - 1 - last
    if len(axes) == 1:
        if group >= WIDE_GROUP * parts:  # the columns are the axes behind
            # Fill values of two parts need them in one pixel.
            columns = plain_axis(len(real.x_shape) - 1, group // parts)
            return Form((ABSENT, axes[0], columns), tuple(batch), parts, trailing > 1)
        if batch:  # rows are lines of another axis
            rows = batch.pop()
            axes.insert(0, plain_axis(rows, real.x_shape[rows]))
    z, y, x = [ABSENT] * (3 - len(axes)) + axes
    return Form((z, y, x), tuple(batch), group, group > 1)
