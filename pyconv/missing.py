"""Missing samples: y[i] = W · Σ_u m·x·w[u] / Σ_u m·w[u], with m = 1 for what was seen, else 0.

Both sums are correlations of the same shapes, W = Σ_u w[u]; with nothing missing y is the plain
sum. They are computed a block of outputs at a time, so that x without its gaps, m and both sums
stay in the cache, and what they take has a limit.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import threads
from pyconv._native import layout, loader  # type: ignore[attr-defined]  # compiled
from pyconv.algorithms.base import OmittingAlgorithm, Shares, UnfitDataError
from pyconv.boundaries import BOUNDARIES, FILL, boundary_name
from pyconv.dtypes import DTYPES, is_integer, narrow, natural_dtype, supported
from pyconv.machine import MACHINE
from pyconv.planning import OPTIONS, Prepared, check_nan, prepare
from pyconv.planning import Plan as Bound
from pyconv.problem import Axis, Problem
from pyconv.results import check_out, empty, is_masked, plain_array, writable_in_place

#: Samples of a block: few enough for it and its sums to stay in the third-level cache, enough that
#: the overhead of the engine's calls does not show. A transform's tiles need more rows at a time.
BLOCK, TRANSFORMED_BLOCK = 1 << 18, 1 << 19
#: Outputs of a block span at least this many kernels: the rest are rows that are read twice.
LEAST_SPANS, LEAST_TRANSFORMED_SPANS = 4, 16
#: The error of an algorithm that is no plain sum is a part of Σ|w|, whatever was seen of it, and
#: the division makes it larger. Where less than this part was seen the sums are made plainly.
THIN = 1 / 64
#: Outputs along each axis, of as many axes, that are summed plainly together.
PIECE = {1: 1024, 2: 32, 3: 10}
#: Items of a batch with the same gaps, up to which one loop makes both sums of each; of more the
#: second sum is made once.
FEW_ALIKE = 3
#: Below this part of W, W / Σ m·w may overflow though the quotient of the sums does not.
TINY = 2.0**-100


# ---- what is missing ----------------------------------------------------------------------------


def split_mask(
    x: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``x`` as a plain array, and what is masked of it: by itself or by ``mask``."""
    own = None
    if is_masked(x):
        supported(x.dtype, "x")
        own, x = np.ma.getmaskarray(x), np.asarray(x.data)
    samples = plain_array(x, "x")
    if mask is None:
        return samples, own
    given = plain_array(mask, "mask")
    if given.dtype != bool:
        raise TypeError(
            f"mask has dtype {given.dtype}; bool is allowed, True for samples to leave out"
        )
    try:
        wide = np.broadcast_to(given, samples.shape)
    except ValueError:
        raise ValueError(
            f"mask has shape {given.shape}, which does not broadcast to x's shape {samples.shape}"
        ) from None
    return samples, wide if own is None else own | wide


def check_seen(policy: object, x: np.ndarray, mask: np.ndarray | None) -> None:
    """Raise ValueError for a policy that is unknown, or for NaN among seen samples it refuses."""
    check_nan(policy, "x", x if policy != "raise" or mask is None else x[~mask])


def _holds_nan(x: np.ndarray) -> bool:
    if x.dtype.kind not in "fc" or not x.size:
        return False
    parts = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
    axis = int(np.argmax(x.strides))
    step = max(1, x.shape[axis] * BLOCK // x.size)
    with np.errstate(all="ignore"):
        # A NaN is the least; the first block with one is the last that is read.
        return any(
            bool(np.isnan(np.moveaxis(part, axis, 0)[start : start + step].min()))
            for part in parts
            for start in range(0, x.shape[axis], step)
        )


# ---- the weights --------------------------------------------------------------------------------


class _Weights(NamedTuple):
    """What the division has to know of the weights."""

    #: The weights of the sum over what was seen.
    w: np.ndarray
    #: W, rounded as the engine rounds the sum where everything was seen, and Σ|w|.
    total: Any
    scale: float
    #: |Σ m·w| up to which nothing, or nothing that could be divided by, was seen.
    void: float
    #: Whether none is 0: no sum of weights is 0 where a sample was seen.
    dense: bool
    #: +1 or −1 where all weights have that sign, 0 otherwise: Σ m·w may then be small though much
    #: was seen.
    sign: int

    def size(self, total: np.ndarray) -> np.ndarray:
        """Return |Σ m·w|."""
        if self.sign == 0:
            return np.abs(total)
        return total if self.sign > 0 else -total


def _weights(w: np.ndarray, sums: np.dtype, exact: bool, flip: bool) -> _Weights:
    """Return what the division has to know; ValueError for weights that sum to about zero."""
    seen_sums = sums if w.dtype.kind == "c" else np.empty(0, sums).real.dtype
    epsilon = max(float(np.finfo(d).eps) for d in (sums, w.dtype) if d.kind in "fc")
    wide = w.astype(np.complex128 if w.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        total, scale = abs(wide.sum()), float(np.abs(wide).sum())
    least = math.sqrt(epsilon)
    if not (total > least * scale and math.isfinite(scale)):
        raise ValueError(
            f"w sums to {wide.sum():.3g}, and its magnitudes to {scale:.3g}: samples can be left "
            "out only where the weights that are left say how much was seen, so |sum(w)| must "
            f"be finite and more than {least:.1e} * sum|w|"
        )
    sign = 0 if wide.dtype.kind == "c" else int(np.all(wide >= 0)) - int(np.all(wide <= 0))
    weights = w if exact else w.astype(seen_sums)
    options = OPTIONS | {"flip": flip, "dtype": seen_sums, "rtol": 0.0}
    ones = np.ones(w.shape, np.bool)
    whole = prepare(ones, weights, tuple(options.values())).plan(ones, weights)
    return _Weights(
        weights,
        whole.solve(ones, weights, None, 1)[(0,) * w.ndim],
        scale,
        0.0 if sign else least * scale,
        bool(np.all(weights != 0)),
        sign,
    )


# ---- a call -------------------------------------------------------------------------------------


class _Block(NamedTuple):
    """Outputs that are computed together, and what they read."""

    #: Parts of ``x`` and ``y``: a slice for each axis up to the one that is cut.
    source: tuple[slice, ...]
    into: tuple[slice, ...]
    #: The samples that are read along the axis that is cut, with their indices in ``x``, and the
    #: coordinate of the first; None where it is not cut, and the engine reads outside.
    rows: np.ndarray | None
    first: int


class Omission:
    """A call that leaves samples out, without its samples.

    Parameters
    ----------
    x : ndarray
        An array of the call's shape and dtype.
    w : ndarray
        The weights.
    options : tuple
        The OPTIONS of the planner.
    omit_nan : bool
        Whether NaN are left out.
    masked : bool
        Whether samples may be masked.
    """

    def __init__(
        self,
        x: np.ndarray,
        w: np.ndarray,
        options: tuple[object, ...],
        omit_nan: bool,
        masked: bool,
    ) -> None:
        named = dict(zip(OPTIONS, options, strict=True))
        fill = named["fill_value"]
        #: Whether what is outside counts as missing: a fill value that is NaN says so.
        self._outside = omit_nan and isinstance(fill, float | complex | np.number) and fill != fill
        if self._outside:
            words = named["boundary"]
            for word in words if isinstance(words, tuple | list) else (words,):
                boundary_name(word, fill)
            named["fill_value"] = 0
        self._omit_nan = omit_nan
        x_dtype, w_dtype = supported(x.dtype, "x"), supported(w.dtype, "w")
        #: Whether a sample can be missing at all.
        self.possible = masked or self._outside or (omit_nan and x_dtype.kind in "fc")
        natural = natural_dtype(x_dtype, w_dtype)
        exact = is_integer(natural)
        if self.possible:
            self._settle_dtype(named, natural)
        self.prepared: Prepared = prepare(x, w, tuple(named.values()))
        self.problem: Problem = self.prepared.problem
        self._w = w
        result = self.problem.dtype
        sums = DTYPES[np.result_type(natural, result)].compute
        self._sums = np.dtype(np.float64) if sums is None else sums
        self.weights = _weights(w, self._sums, exact, self.problem.flip)

    def _settle_dtype(self, named: dict[str, object], natural: np.dtype) -> None:
        """Make the result of integers float64; TypeError for a result that cannot hold NaN."""
        if named["dtype"] is None:
            named["dtype"] = np.dtype(np.float64) if is_integer(natural) else None
        elif is_integer(supported(named["dtype"], "dtype")):  # type: ignore[arg-type]
            raise TypeError(
                f"dtype={named['dtype']!r}: where samples are left out a result is a quotient, or "
                "NaN; a floating-point dtype is allowed"
            )

    def solve(
        self,
        x: np.ndarray,
        mask: np.ndarray | None,
        out: np.ndarray | None,
        workers: int | None,
    ) -> np.ndarray:
        """Return the result for ``x`` without the samples where ``mask`` is True."""
        problem = self.problem
        bound = self.prepared.plan(x, self._w)
        nan = self._omit_nan and self.possible and _holds_nan(x)
        masked = mask is not None and bool(mask.any())
        outside = self._outside and problem.reads_fill
        direct = out is not None and writable_in_place(out, x, self._w)
        y = out if direct else None
        if not (nan or masked or outside) or 0 in problem.y_shape:
            y = bound.solve(x, self._w, y, workers)
        else:
            y = empty(problem.y_shape, problem.dtype) if y is None else y
            mask = mask if masked else None
            with np.errstate(all="ignore"):
                if not self._solve_at_once(x, mask, y, nan, bound, workers):
                    _Gaps(self, x, mask, nan, bound, workers).fill(y)
        if out is None or y is out:
            return y
        out[...] = y
        return out

    def _solve_at_once(
        self,
        x: np.ndarray,
        mask: np.ndarray | None,
        y: np.ndarray,
        nan: bool,
        bound: Bound,
        workers: int | None,
    ) -> bool:
        """Write the result to ``y`` if one loop makes both sums."""
        problem, algorithm, weights = bound.problem, bound.algorithm, self.weights
        if (
            problem.compute != self._sums
            or problem.dtype != self._sums
            or self._sums.kind != "f"
            or not isinstance(algorithm, OmittingAlgorithm)
            or not layout.readable(x)
            or (not nan and _alike(x, mask, problem) > FEW_ALIKE)
        ):
            return False
        most = problem.max_memory // algorithm.omission_workspace(problem)
        if most < 1:
            return False
        count = min(threads.resolve(workers, bound.useful_threads), most)
        if self._outside:
            problem = replace(problem, fill_value=math.nan)
        shares = Shares(
            weights.sign, weights.void, TINY, float(weights.total), THIN * weights.scale
        )
        run = algorithm.bind_omission(problem, shares)
        w = self._w.astype(self._sums, copy=False)
        try:
            with threads.running():
                boxes = run(x, mask, w, y, nan or self._outside, count)
        except UnfitDataError:
            return False
        if boxes:
            gaps = _Gaps(self, x, mask, nan, bound, workers)
            for box in boxes:
                gaps.settle(box, y[box])
        return True

    def coverage(self, x: np.ndarray, mask: np.ndarray | None, workers: int | None) -> np.ndarray:
        """Return Σ|w|·m / Σ|w| for each output."""
        problem = self.problem
        y = np.empty(problem.y_shape, self.weights.total.dtype)
        if y.size:
            bound = self.prepared.plan(x, self._w)
            with np.errstate(all="ignore"):
                _Gaps(self, x, mask, self._omit_nan, bound, workers).cover(y)
        return y


class _Gaps:
    """One run of a call with samples missing."""

    def __init__(
        self,
        call: Omission,
        x: np.ndarray,
        mask: np.ndarray | None,
        nan: bool,
        bound: Bound,
        workers: int | None,
    ) -> None:
        self.problem = call.problem
        self.x, self.w, self.weights = x, call._w, call.weights
        self.mask, self.nan, self.outside = mask, nan, call._outside
        self.sums, self.workers = call._sums, workers
        self.method = call.prepared.method
        self.transformed = _is_transformed(bound)
        self.useful_threads = bound.useful_threads
        #: What the engine may take.
        self.memory = call.problem.max_memory
        #: Memory that every block uses again: fresh pages would cost as much as the arithmetic.
        self._room: dict[str, np.ndarray] = {}
        #: The problems of blocks, by what decides them.
        self._prepared: dict[object, Prepared] = {}
        #: Batch axes along which the same samples are missing: one of each is looked at.
        self.same = (
            {
                axis
                for axis in range(x.ndim)
                if axis not in [a.axis for a in self.problem.spatial]
                and (mask is None or mask.strides[axis] == 0)
            }
            if not nan
            else set()
        )

    def _blocks(self) -> "_Blocks":
        """Return the blocks that the outputs are cut into, and leave the engine what is left."""
        count = threads.resolve(self.workers, self.useful_threads)
        blocks = _Blocks(self.problem, self.sums, self.transformed, count)
        self.memory = blocks.engine_memory
        return blocks

    def _array(self, role: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array that lasts until the next one of its role is asked for."""
        size = math.prod(shape) * dtype.itemsize
        room = self._room.get(role)
        if room is None or room.size < size:
            room = self._room[role] = empty((size,), np.dtype(np.uint8))
        return room[:size].view(dtype).reshape(shape)

    def fill(self, y: np.ndarray) -> None:
        """Write the results to ``y``."""
        for block in self._blocks():
            x, seen, missing = self._samples(block)
            part = y[block.into]
            # What is outside along axes that are not cut is not among the samples.
            missing |= self.outside and self.problem.reads_fill
            straight = part.dtype == self.sums and part.flags.c_contiguous
            total = part if straight else self._array("y", part.shape, self.sums)
            axes = self._axes(block, x)
            plain = self._solve(x, self.w, axes, total, self.problem.fill_value)
            if missing:
                self._divide(x, seen, axes, total, plain)
            if not straight:
                part[...] = narrow(total, part.dtype, "raise")

    def cover(self, y: np.ndarray) -> None:
        """Write the part of the weights that was seen to ``y``."""
        for block in self._blocks():
            x, seen, _ = self._samples(block)
            y[block.into] = self._seen(x, seen, self._axes(block, x), None, True)
        y /= self.weights.total
        np.clip(y, 0, 1, out=y)

    def settle(self, box: tuple[slice, ...], y: np.ndarray) -> None:
        """Sum plainly what is NaN of ``y``, the results of a box, though something was seen."""
        within = _box(np.isnan(y), list(self.problem.spatial))
        if within is None:
            return
        y = y[within]
        x, seen, axes = self._patch(_boxed(box, within, self.problem.y_shape))
        thin = np.isnan(y)
        if self.weights.dense:
            whole = tuple(slice(0, n) for n in y.shape)
            ones = np.ones(self.w.shape, np.bool)
            thin &= self._solve_within(seen, ones, axes, whole, np.int64) > 0
        for piece in _pieces(thin, axes):
            part = self._solve_within(x, self.w, axes, piece, self.sums)
            d = self._solve_within(seen, self.weights.w, axes, piece, self.sums)
            self._divide_by(d, part)
            y[piece] = part

    def _patch(self, box: tuple[slice, ...]) -> tuple[np.ndarray, np.ndarray, list[Axis]]:
        """Return what the results of a box read, where it was seen, and the axes of that.

        There are zeros in the gaps, and nothing is outside.
        """
        x = self.x
        gaps = np.zeros((), bool) if self.mask is None else self.mask
        gaps = np.broadcast_to(gaps, x.shape)
        spatial = {a.axis: a for a in self.problem.spatial}
        before = tuple(slice(None) if i in spatial else part for i, part in enumerate(box))
        x, gaps = x[before], gaps[before]
        filled = np.zeros((1,) * x.ndim, bool)
        for axis, a in spatial.items():
            first = box[axis].start * a.stride - a.low
            rows = np.arange(first, (box[axis].stop - 1) * a.stride - a.low + a.span)
            index = BOUNDARIES[a.boundary].index(rows, a.size)
            x, gaps = x.take(index, axis), gaps.take(index, axis)  # FILL = −1 reads the last row
            filled = filled | (index == FILL).reshape(
                [-1 if i == axis else 1 for i in range(x.ndim)]
            )
        missing = gaps | np.isnan(x) if self.nan else gaps
        missing = np.where(filled, self.outside, missing)
        x = np.where(filled, x.dtype.type(self.problem.fill_value), x)
        x[missing] = 0
        axes = [
            replace(
                a, size=x.shape[a.axis], low=0, high=0, out=box[a.axis].stop - box[a.axis].start
            )
            for a in self.problem.spatial
        ]
        return x, ~missing, axes

    def _solve_within(
        self,
        x: np.ndarray,
        w: np.ndarray,
        axes: list[Axis],
        part: tuple[slice, ...],
        dtype: npt.DTypeLike,
    ) -> np.ndarray:
        """Return a part of a correlation whose axes have nothing outside, as a plain sum."""
        shape = list(x.shape)
        for a in axes:
            shape[a.axis] = part[a.axis].stop - part[a.axis].start
        y = np.empty(shape, dtype)
        self._solve(x, w, [_within(a, part[a.axis]) for a in axes], y, 0, plainly=True)
        return y

    # ---- samples ----------------------------------------------------------------------------

    def _samples(self, block: _Block) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return what a block reads, where a sample was seen of it, and whether any was not.

        There are zeros in the gaps.
        """
        cut = len(block.source) - 1
        source = self.x[block.source]
        gaps = None if self.mask is None else self.mask[block.source]
        shape = list(source.shape)
        if block.rows is not None:
            shape[cut] = len(block.rows)
        x = self._array("x", tuple(shape), source.dtype.newbyteorder("="))
        one = tuple(slice(0, 1) if a in self.same else slice(None) for a in range(x.ndim))
        seen = self._array("seen", x[one].shape, np.dtype(np.bool))
        missing = False
        for into, read in _runs(block, source.shape[cut]):
            at = (*(slice(None),) * cut, into)
            missing |= self._clear(
                _taken(source, cut, read),
                None if gaps is None else _taken(gaps, cut, read),
                x[at],
                seen[at],
                one,
            )
        if block.rows is not None and (block.rows == FILL).any():
            at = (*(slice(None),) * cut, block.rows == FILL)
            x[at] = self.problem.fill_value
            seen[at] = not self.outside
            missing |= self.outside
        return x, seen, missing

    def _clear(
        self,
        source: np.ndarray,
        gaps: np.ndarray | None,
        x: np.ndarray,
        seen: np.ndarray,
        one: tuple[slice, ...],
    ) -> bool:
        """Copy samples with zeros in their gaps; of axes with the same gaps see one sample."""
        if gaps is None and not self.nan:
            x[...] = source
            seen[...] = True
            return False
        flags, room = source.flags, seen
        if not (flags.aligned and source.dtype.isnative and _goes_on(source)):
            straight = self._array("straight", source.shape, x.dtype)
            straight[...] = source
            source = straight
        if gaps is not None and not (gaps.strides[-1] == 0 or _goes_on(gaps)):
            straight = self._array("mask", gaps[one].shape, gaps.dtype)
            straight[...] = gaps[one]
            gaps = np.broadcast_to(straight, source.shape)
        if self.same:
            room = self._array("unused", x.shape, seen.dtype)
        missing: bool = loader.native.clear_gaps(
            source, x, room, gaps, self.nan, self._threads(x.nbytes + source.nbytes)
        )
        if self.same:
            seen[...] = room[one]
        return missing

    def _threads(self, size: int) -> int:
        """Return the number of threads for a loop that reads and writes so many bytes."""
        seconds = size / MACHINE.copy_bytes_per_second
        return threads.resolve(self.workers, int(seconds / MACHINE.seconds_per_thread))

    # ---- sums -------------------------------------------------------------------------------

    def _axes(self, block: _Block, x: np.ndarray) -> list[Axis]:
        """Return the axes of a block's problem."""
        cut = len(block.source) - 1
        if block.rows is None:
            return list(self.problem.spatial)
        return [
            replace(a, size=x.shape[cut], low=0, high=0,
                    out=block.into[cut].stop - block.into[cut].start)
            if a.axis == cut else a
            for a in self.problem.spatial
        ]  # fmt: skip

    def _seen(
        self,
        x: np.ndarray,
        seen: np.ndarray,
        axes: list[Axis],
        y: np.ndarray | None,
        plain: bool,
    ) -> np.ndarray:
        """Return Σ m·w of a block.

        Unless both that and ``y``, which holds Σ m·x·w, are plain sums, what is thin is summed
        once more in both.
        """
        shape = list(seen.shape)
        for a in axes:
            shape[a.axis] = a.out
        total = self._array("seen weights", tuple(shape), self.weights.total.dtype)
        plain &= self._solve(seen, self.weights.w, axes, total, not self.outside)
        if plain:
            return total
        thin = self.weights.size(total) < THIN * self.weights.scale
        box = _box(thin, axes)
        if box is None:
            return total
        if self.weights.dense:
            thin[box] &= self._count(seen, axes, box, total[box])
        for piece in _pieces(thin, axes):
            inner = [_within(a, piece[a.axis]) for a in axes]
            part = np.empty(total[piece].shape, total.dtype)
            self._solve(seen, self.weights.w, inner, part, not self.outside, plainly=True)
            total[piece] = part
            if y is not None:
                part = np.empty(y[piece].shape, y.dtype)
                self._solve(x, self.w, inner, part, self.problem.fill_value, plainly=True)
                y[piece] = part
        return total

    def _count(
        self, seen: np.ndarray, axes: list[Axis], box: tuple[slice, ...], total: np.ndarray
    ) -> np.ndarray:
        """Return where any sample was seen; elsewhere make the sum of weights exactly 0."""
        counts = np.empty(total.shape, np.int64)
        inner = [_within(a, box[a.axis]) for a in axes]
        ones = np.ones(self.weights.w.shape, np.bool)
        self._solve(seen, ones, inner, counts, not self.outside, plainly=True)
        total[counts == 0] = 0
        return counts > 0

    def _solve(
        self,
        x: np.ndarray,
        w: np.ndarray,
        axes: list[Axis],
        y: np.ndarray,
        fill: complex,
        plainly: bool = False,
    ) -> bool:
        """Write a correlation to ``y``; return whether it is a plain sum."""
        key = (x.shape, x.dtype, w.dtype, y.dtype, fill, plainly, *axes)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = self._prepare(x, w, axes, y.dtype, fill, plainly)
        bound = prepared.plan(x, w)
        bound.solve(x, w, y, self.workers)
        return not _is_transformed(bound)

    def _prepare(
        self,
        x: np.ndarray,
        w: np.ndarray,
        axes: list[Axis],
        dtype: np.dtype,
        fill: complex,
        plainly: bool,
    ) -> Prepared:
        problem = self.problem
        options = (
            problem.flip,
            tuple((a.low, a.high) for a in axes),
            tuple(a.boundary for a in axes),
            fill,
            tuple(a.axis for a in axes),
            tuple(a.stride for a in axes),
            tuple(a.dilation for a in axes),
            dtype,
            "raise",
            0.0 if plainly else problem.rtol,
            self.memory,
            "auto" if plainly else self.method,
        )
        return prepare(x, w, options)

    def _divide(
        self, x: np.ndarray, seen: np.ndarray, axes: list[Axis], y: np.ndarray, plain: bool
    ) -> None:
        """Make of Σ m·x·w in ``y`` the result."""
        d = self._seen(x, seen, axes, y, plain)
        if d.dtype.kind == "c":
            self._divide_by_complex(d, y)
        else:
            self._divide_by(d, y)

    def _divide_by(self, d: np.ndarray, y: np.ndarray) -> None:
        """Divide by Σ m·w, which is real."""
        total, void = self.weights.total, self.weights.void
        loader.native.divide_gaps(
            y,
            np.broadcast_to(d, y.shape),
            total,
            self.weights.sign,
            void,
            TINY * abs(total),
            self._threads(2 * y.nbytes),
        )

    def _divide_by_complex(self, d: np.ndarray, y: np.ndarray) -> None:
        """Do what the loop does, for complex weights."""
        total, void = self.weights.total, self.weights.void
        size = np.abs(d)
        tiny = (size < TINY * abs(total)) & (size > void)
        y[...] = np.where(tiny, y / d * total, y)
        d[tiny] = total
        np.divide(total, d, out=d)
        np.multiply(y, d, out=y)
        y[np.broadcast_to(size <= void, y.shape)] = complex(np.nan, np.nan)


def _alike(x: np.ndarray, mask: np.ndarray | None, problem: Problem) -> int:
    """Return how many items of the batch have the same gaps if there are no NaN."""
    spatial = {a.axis for a in problem.spatial}
    return math.prod(
        n
        for axis, n in enumerate(x.shape)
        if axis not in spatial and (mask is None or mask.strides[axis] == 0)
    )


def _is_transformed(bound: Bound) -> bool:
    """Return whether what runs is no plain sum of products."""
    return bound.algorithm.rejects(replace(bound.problem, rtol=0.0)) is not None


def _goes_on(a: np.ndarray) -> bool:
    """Return whether samples of the last axis follow each other."""
    return a.shape[-1] == 1 or a.strides[-1] == a.itemsize


def _runs(block: _Block, n: int) -> Iterator[tuple[slice, slice | np.ndarray]]:
    """Yield rows of a block, and where they are read: those outside by their index."""
    rows = block.rows
    if rows is None:
        yield slice(None), slice(None)
        return
    low = min(max(0, -block.first), len(rows))
    high = min(max(low, n - block.first), len(rows))
    if low < high:
        yield slice(low, high), slice(block.first + low, block.first + high)
    for part in (slice(0, low), slice(high, len(rows))):
        if part.start < part.stop:
            yield part, rows[part]  # FILL = −1 reads the last row


def _taken(a: np.ndarray, axis: int, rows: slice | np.ndarray) -> np.ndarray:
    """Return rows along an axis."""
    if isinstance(rows, slice):
        return a[(*(slice(None),) * axis, rows)]
    return a.take(rows, axis)


def _within(a: Axis, part: slice) -> Axis:
    """Return the axis whose outputs are a part of those of ``a``."""
    low = a.low - part.start * a.stride
    out = part.stop - part.start
    return replace(a, low=low, high=(out - 1) * a.stride + a.span - a.size - low, out=out)


def _box(thin: np.ndarray, axes: list[Axis]) -> tuple[slice, ...] | None:
    """Return the box of all thin outputs, whole along batch axes; None if there are none."""
    box = [slice(None)] * thin.ndim
    for a in axes:
        found = np.flatnonzero(thin.any(axis=tuple(i for i in range(thin.ndim) if i != a.axis)))
        if not found.size:
            return None
        box[a.axis] = slice(int(found[0]), int(found[-1]) + 1)
    return tuple(box)


def _boxed(
    box: tuple[slice, ...], within: tuple[slice, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Return a box within a box of an array."""
    return tuple(
        slice(rows.start, rows.stop)
        for rows in (
            range(n)[outer][inner] for n, outer, inner in zip(shape, box, within, strict=True)
        )
    )


def _pieces(thin: np.ndarray, axes: list[Axis]) -> list[tuple[slice, ...]]:
    """Return boxes of all thin outputs, whole along batch axes: few and small, or one."""
    box = _box(thin, axes)
    if box is None:
        return []
    order = [a.axis for a in axes]
    anywhere = thin.any(axis=tuple(i for i in range(thin.ndim) if i not in order))
    side = PIECE[len(axes)]
    tiles = np.unique(np.argwhere(anywhere) // side, axis=0)
    if len(tiles) * side ** len(axes) > math.prod(box[i].stop - box[i].start for i in order) // 2:
        return [box]
    pieces = []
    for tile in tiles * side:
        piece = list(box)
        for axis, start in zip(sorted(order), tile.tolist(), strict=True):
            piece[axis] = slice(start, min(start + side, thin.shape[axis]))
        pieces.append(tuple(piece))
    return pieces


# ---- blocks -------------------------------------------------------------------------------------


class _Blocks:
    """The blocks that a problem is cut into, along one axis; axes before it are batch axes."""

    def __init__(self, problem: Problem, sums: np.dtype, transformed: bool, workers: int) -> None:
        self._problem = problem
        # The tiles of a transform are cut from a block, and round by what shares them: their blocks
        # are the same for every number of threads.
        most = TRANSFORMED_BLOCK if transformed else BLOCK * workers
        # Room for the engine is left; what a sample takes is itself, m, and for an output two sums.
        each = problem.x_dtype.itemsize + 1 + 2 * sums.itemsize
        most = min(most, max(1, problem.max_memory // 2 // each))
        first = min(a.axis for a in problem.spatial)
        sizes = [max(pair) for pair in zip(problem.x_shape, problem.y_shape, strict=True)]
        row = [math.prod(sizes[axis + 1 :]) for axis in range(first + 1)]
        self._cut = next((axis for axis in range(first) if row[axis] <= most), first)
        samples = max(1, most // max(1, row[self._cut]))
        self._axis: Axis | None = None
        if self._cut == first:
            self._axis = next(a for a in problem.spatial if a.axis == first)
            spans = LEAST_TRANSFORMED_SPANS if transformed else LEAST_SPANS
            self._step = _outputs(self._axis, samples, spans)
        else:
            self._step = samples
        taken = each * max(1, row[self._cut]) * self._rows_of_a_block()
        if taken > problem.max_memory:
            self._step = 1
            taken = each * max(1, row[self._cut]) * self._rows_of_a_block()
        if taken > problem.max_memory:
            raise MemoryError(
                f"max_memory={problem.max_memory} is too little workspace to leave samples out; "
                f"the least that would do is above {taken} bytes"
            )
        self.engine_memory = problem.max_memory - taken

    def _rows_of_a_block(self) -> int:
        a = self._axis
        if a is None:
            return self._step
        if self._step >= a.out:
            return max(a.size, a.out)
        return (self._step - 1) * a.stride + a.span

    def __iter__(self) -> Iterator[_Block]:
        """Yield the blocks in the order of their outputs."""
        before = [range(n) for n in self._problem.x_shape[: self._cut]]
        for lead in itertools.product(*before):
            ahead = tuple(slice(i, i + 1) for i in lead)
            for start in range(0, self._problem.y_shape[self._cut], self._step):
                yield self._block(ahead, start)

    def _block(self, ahead: tuple[slice, ...], start: int) -> _Block:
        stop = min(start + self._step, self._problem.y_shape[self._cut])
        into, every, a = (*ahead, slice(start, stop)), (*ahead, slice(None)), self._axis
        if a is None:
            return _Block(into, into, None, 0)
        if self._step >= a.out:
            return _Block(every, into, None, 0)
        first = start * a.stride - a.low
        rows = np.arange(first, first + (stop - start - 1) * a.stride + a.span)
        return _Block(every, into, BOUNDARIES[a.boundary].index(rows, a.size), first)


def _outputs(a: Axis, samples: int, spans: int) -> int:
    """Return how many outputs along ``a`` a block of about ``samples`` rows has, in equal parts."""
    whole = max(a.size, a.out)
    most = max((samples - a.span) // a.stride + 1, -(-spans * a.span // a.stride), 1)
    if whole <= samples or most * a.stride + a.span >= whole:
        return a.out
    return -(-a.out // -(-a.out // most))


# ---- from the caller's arguments ----------------------------------------------------------------


def leaves_out(x: object, nan_policy: object, mask: object) -> bool:
    """Return whether a call may have samples missing."""
    return mask is not None or nan_policy == "omit" or is_masked(x)


def omit(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    options: tuple[object, ...],
    nan_policy: object,
    mask: npt.ArrayLike | None,
    out: np.ndarray | None,
    workers: int | None,
) -> np.ndarray:
    """Return the result of a call that `leaves_out` samples."""
    samples, missing = split_mask(x, mask)
    weights = plain_array(w, "w")
    call = Omission(samples, weights, options, nan_policy == "omit", missing is not None)
    if out is not None:
        check_out(out, call.problem.y_shape, call.problem.dtype, "; pass dtype= for another result")
    check_seen(nan_policy, samples, missing)
    check_nan(nan_policy, "w", weights)
    return call.solve(samples, missing, out, workers)


def coverage(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | Sequence[tuple[int, int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    flip: bool = False,
    fill_value: complex = 0,
    axes: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    mask: npt.ArrayLike | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Return how much of the weights was seen by each output of a call that leaves samples out.

    .. math:: c[i] = \frac{\sum_u m[i \cdot s + u \cdot d - p] \; |w[u]|}{\sum_u |w[u]|}

    with :math:`m` = 0 for samples of `x` that are NaN or masked, and 1 for others. It is 1 where
    nothing is missing and 0 where nothing was seen.

    Parameters
    ----------
    x : array_like
        Source array, as for `correlate`.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `correlate`.
    flip : bool, optional
        False for `correlate`, True for `convolve`.
    fill_value : scalar, optional
        What ``boundary='constant'`` reads outside: it counts as seen, unless it is NaN.
    axes, stride, dilation
        As for `correlate`.
    mask : array_like of bool, optional
        True for samples to leave out.
    max_memory, workers
        As for `correlate`.

    Returns
    -------
    ndarray
        Numbers from 0 to 1, of the shape of the result: float32 where the result of the call
        would be half or single precision, float64 otherwise.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `correlate`.

    See Also
    --------
    correlate : with ``nan_policy='omit'`` or `mask`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = [1.0, np.nan, 3.0, 5.0, 4.0]
    >>> pyconv.coverage(x, [1.0, 2.0, 1.0])
    array([0.5 , 0.75, 1.  ])

    Outputs that saw less than half are better not believed:

    >>> y = pyconv.correlate(x, [1.0, 2.0, 1.0], "same", nan_policy="omit", fill_value=np.nan)
    >>> seen = pyconv.coverage(x, [1.0, 2.0, 1.0], "same", fill_value=np.nan)
    >>> np.where(seen > 0.5, y, np.nan).round(2)
    array([  nan,   nan, 14.67, 17.  , 17.33])
    """
    options = (
        bool(flip), mode, boundary, fill_value, axes, stride, dilation, None, "raise", None,
        max_memory, "auto",
    )  # fmt: skip
    samples, missing = split_mask(x, mask)
    weights = plain_array(w, "w")
    sums = natural_dtype(supported(samples.dtype, "x"), supported(weights.dtype, "w"))
    wide = np.float32 if sums.kind in "fc" and np.finfo(sums).bits == 32 else np.float64
    sizes = np.abs(weights.astype(wide if weights.dtype.kind != "c" else np.result_type(wide, 1j)))
    call = Omission(samples, sizes, options, True, missing is not None)
    return call.coverage(samples, missing, workers)
