"""Missing samples: y[i] = W · Σ_u m·x·w[u] / Σ_u m·w[u], with m = 1 for what was seen, else 0.

Both sums are correlations of the same shapes, W = Σ_u w[u]; with nothing missing y is the plain
sum. The quotient of the sums is the value that fills the gaps of a window, and is a mean of samples
only while weights of both signs do not cancel: `BALANCE`.

The sums are computed a block of outputs at a time, so that x without its gaps, m and both sums
stay in the cache and the workspace has a limit.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import threads
from pyconv._native import layout, loader  # type: ignore[attr-defined]  # compiled
from pyconv.algorithms import ALGORITHMS
from pyconv.algorithms.base import (
    Algorithm,
    Left,
    LocalAlgorithm,
    OmittingAlgorithm,
    Shares,
    UnfitDataError,
    WeighingAlgorithm,
)
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
#: Blocks of which only those are summed that have outputs of low coverage are smaller.
SMALLER = 4
#: Least |Σ m·w| / Σ m·|w| of an output that is not NaN, and of a kernel that is not refused. The
#: value that fills the gaps of a window is then at most 1 / BALANCE times its largest sample. The
#: ratio is 1 without a change of sign, 0.3 and more for low-pass, Savitzky-Golay and Lanczos
#: kernels, 0.2 and less for band-passes, derivatives and kernels that sharpen.
BALANCE = 1 / 4
#: Least Σ m·|w| / Σ|w| of an output that is not NaN: far above the rounding of a transform in
#: double precision, which cannot tell less from nothing.
LEAST_COVERAGE = 2.0**-24
#: The error of an algorithm that is no plain sum is a part of Σ|w|, whatever was seen of it, and
#: the division makes it larger. Where less than this part was seen the sums are made once more:
#: plainly, or in double precision where plain sums would take more than this many times as long.
THIN = 1 / 64
AFFORDABLE = 2
#: The part of its samples below which a tile is not transformed in single precision, for most of
#: its outputs would be of low coverage: on average they see that part of the weights.
SPARSE = THIN / 2
#: Bytes of workspace that are kept for the next run.
SPARE = 16 << 20
#: Items of a batch with the same gaps, up to which one loop makes both sums of each; of more the
#: second sum is made once.
FEW_ALIKE = 3


# ---- what is missing ----------------------------------------------------------------------------


def split_mask(
    x: npt.ArrayLike, mask: npt.ArrayLike | None, name: str = "x", mask_name: str = "mask"
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ``x`` as a plain array, and what is masked of it: by itself or by ``mask``."""
    own = None
    if is_masked(x):
        supported(x.dtype, name)
        own, x = np.ma.getmaskarray(x), np.asarray(x.data)
    samples = plain_array(x, name)
    if mask is None:
        return samples, own
    given = plain_array(mask, mask_name)
    if given.dtype != bool:
        raise TypeError(
            f"{mask_name} has dtype {given.dtype}; bool is allowed, True for samples to leave out"
        )
    try:
        wide = np.broadcast_to(given, samples.shape)
    except ValueError:
        raise ValueError(
            f"{mask_name} has shape {given.shape}, which does not broadcast to {name}'s shape "
            f"{samples.shape}"
        ) from None
    return samples, wide if own is None else own | wide


def check_seen(policy: object, x: np.ndarray, mask: np.ndarray | None, name: str = "x") -> None:
    """Raise ValueError for a policy that is unknown, or for NaN among seen samples it refuses."""
    refuses = isinstance(policy, str) and policy == "raise"
    check_nan(policy, name, x[~mask] if refuses and mask is not None else x)


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
    #: Σ m·|w| up to which too little was seen.
    void: float
    #: +1 or −1 where all weights have that sign, 0 otherwise.
    sign: int
    #: |w|, where that is neither w nor −w.
    sizes: np.ndarray | None


def check_balance(w: np.ndarray) -> float:
    """Return Σ|w|; ValueError for weights that cancel, or that have no finite sum."""
    wide = w.astype(np.complex128 if w.dtype.kind == "c" else np.float64)
    with np.errstate(all="ignore"):
        total, scale = abs(wide.sum()), float(np.abs(wide).sum())
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(
            f"w has magnitudes that sum to {scale:.3g}: to leave samples out, their sum has to be "
            "finite and not 0"
        )
    if not total > BALANCE * scale:
        raise ValueError(
            f"w has weights that cancel: |sum(w)| is {total / scale:.2g} of sum|w|, and more than "
            f"{BALANCE} is needed to leave samples out, because a result is divided by the sum of "
            "the weights that were seen; fill the gaps first, by a kernel of nonnegative weights "
            "with nan_policy='omit', and apply w to that"
        )
    return scale


def _weights(w: np.ndarray, sums: np.dtype, exact: bool, flip: bool) -> _Weights:
    """Return what the division has to know; ValueError for weights that cancel."""
    seen_sums = sums if w.dtype.kind == "c" else np.empty(0, sums).real.dtype
    scale = check_balance(w)
    sign = 0 if w.dtype.kind == "c" else int(np.all(w >= 0)) - int(np.all(w <= 0))
    weights = w if exact else w.astype(seen_sums)
    options = OPTIONS | {"flip": flip, "dtype": seen_sums, "rtol": 0.0}
    ones = np.ones(w.shape, np.bool)
    whole = prepare(ones, weights, tuple(options.values())).plan(ones, weights)
    return _Weights(
        weights,
        whole.solve(ones, weights, None, 1)[(0,) * w.ndim],
        scale,
        LEAST_COVERAGE * scale,
        sign,
        None if sign else np.abs(w.astype(np.result_type(seen_sums, np.float32))),
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
        self._exact = exact
        self.weights = self.weights_in(self._sums)

    def weights_in(self, sums: np.dtype) -> _Weights:
        """Return what the division of sums in a dtype has to know of the weights."""
        return _weights(self._w, sums, self._exact, self.problem.flip)

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
                self._fill(y, _Run(x, mask, nan, bound, workers))
        if out is None or y is out:
            return y
        out[...] = y
        return out

    def _fill(self, y: np.ndarray, run: "_Run") -> None:
        """Write the results to ``y``, and those of low coverage once more if that is finer."""
        bound = run.bound
        finer = self._finer(bound)
        left = self._fill_at_once(y, run, bound.algorithm, finer is not None)
        if left is None:
            sums = _Sums(self._sums, bound.problem.rtol, self.prepared.method)
            low = _Gaps(self, run, sums).fill(y, finer is not None)
            left = Left.LOW_COVERAGE if low else Left(0)
        if finer is None:  # what saw too little for that is NaN
            left, finer = left & Left.QUIET, _Sums(self._sums, None, "auto")
        if left and finer.dtype != self._sums:
            again = self._refill_at_once(y, run, finer.dtype)
            left = left if again is None else again & Left.QUIET
        if left:
            _Gaps(self, run, finer).refill(y)

    def _finer(self, bound: Bound) -> "_Sums | None":
        """Return the sums of outputs of low coverage; None if no others are finer."""
        problem, wide = bound.problem, np.result_type(self._sums, np.float64)
        if _is_local(bound) or _is_affordable(problem, bound.algorithm.name):
            return _Sums(self._sums, 0.0, "auto")
        if problem.rtol is not None or wide != self._sums:
            return _Sums(wide, None, "auto")
        return None

    def _is_real(self, run: "_Run") -> bool:
        """Return whether a loop may make both sums: real ones, of weights of one sign."""
        return (
            self.problem.dtype == run.bound.problem.compute == self._sums
            and self._sums.kind == "f"
            and self.weights.sign != 0
            and layout.readable(run.x)
        )

    def _fill_at_once(
        self, y: np.ndarray, run: "_Run", algorithm: Algorithm, finer: bool
    ) -> Left | None:
        """Write the results to ``y`` if one loop makes both sums; None if it does not.

        Return which are left: those are NaN, and those of low coverage only where others are
        ``finer``.
        """
        if (
            not self._is_real(run)
            or not isinstance(algorithm, OmittingAlgorithm)
            or (not run.nan and _alike(run.x, run.mask, self.problem) > FEW_ALIKE)
        ):
            return None
        weights = self.weights
        thin, sparse = (THIN * weights.scale, SPARSE) if finer else (weights.void, 0.0)
        shares = Shares(weights.sign, weights.void, 0.0, float(weights.total), thin, sparse)
        return self._divided(y, run, algorithm, run.bound.problem, shares)

    def _refill_at_once(self, y: np.ndarray, run: "_Run", sums: np.dtype) -> Left | None:
        """Write the results to ``y`` that are NaN, by transforms in double precision.

        Return which are left; None if no loop does.
        """
        transform = next(a for a in ALGORITHMS if a.name == "fft")
        problem = replace(run.bound.problem.summed_in(sums), rtol=None)
        if (
            not self._is_real(run)
            or not isinstance(transform, OmittingAlgorithm)
            or transform.rejects(problem) is not None
        ):
            return None
        weights = self.weights_in(sums)
        shares = Shares(
            weights.sign, weights.void, 0.0, float(weights.total), weights.void, refilling=True
        )
        return self._divided(y, run, transform, problem, shares)

    def _divided(
        self,
        y: np.ndarray,
        run: "_Run",
        algorithm: OmittingAlgorithm,
        problem: Problem,
        shares: Shares,
    ) -> Left | None:
        """Run a loop that makes both sums; None if it takes too much memory, or not the samples."""
        most = problem.max_memory // algorithm.omission_workspace(problem)
        if most < 1:
            return None
        count = min(threads.resolve(run.workers, run.bound.useful_threads), most)
        if self._outside:
            problem = replace(problem, fill_value=math.nan)
        solve = algorithm.bind_omission(problem, shares)
        w = self._w.astype(problem.compute, copy=False)
        try:
            with threads.running():
                return solve(run.x, run.mask, w, y, run.nan or self._outside, count)
        except UnfitDataError:
            return None

    def coverage(self, x: np.ndarray, mask: np.ndarray | None, workers: int | None) -> np.ndarray:
        """Return Σ|w|·m / Σ|w| for each output, of the weights |w|."""
        y = np.empty(self.problem.y_shape, self.weights.total.dtype)
        if y.size:
            bound = self.prepared.plan(x, self._w)
            with np.errstate(all="ignore"):
                run = _Run(x, mask, self._omit_nan, bound, workers)
                _Gaps(self, run, _Sums(self._sums, None, "auto")).cover(y)
        return y


class _Run(NamedTuple):
    """The samples of one run, and what is known of them."""

    x: np.ndarray
    mask: np.ndarray | None
    #: Whether NaN are missing.
    nan: bool
    #: The plain call.
    bound: Bound
    workers: int | None


class _Sums(NamedTuple):
    """How sums are made."""

    dtype: np.dtype
    rtol: float | None
    method: str


#: Memory of the last run, by its roles: fresh pages would cost as much as the arithmetic.
_spare_rooms: list[dict[str, np.ndarray]] = []


class _Gaps:
    """One run of a call with samples missing."""

    def __init__(self, call: Omission, run: _Run, sums: _Sums) -> None:
        bound = run.bound
        self.problem = call.problem
        self.x, self.mask, self.nan, self.workers = run.x, run.mask, run.nan, run.workers
        self.outside = call._outside
        self.sums, self.rtol, self.method = sums
        same = self.sums == call._sums
        self.w = call._w if same else call._w.astype(np.result_type(call._w, np.float64))
        self.weights = call.weights if same else call.weights_in(self.sums)
        self.transformed = self.rtol != 0 and _is_transformed(bound)
        self.useful_threads = bound.useful_threads
        #: What the engine may take.
        self.memory = call.problem.max_memory
        #: Memory that every block uses again.
        self._room = _spare_rooms.pop() if _spare_rooms else {}
        #: The problems of blocks, by what decides them.
        self._prepared: dict[object, Prepared] = {}
        #: Batch axes along which the same samples are missing: one of each is looked at.
        self.same = (
            {
                axis
                for axis in range(self.x.ndim)
                if axis not in [a.axis for a in self.problem.spatial]
                and (self.mask is None or self.mask.strides[axis] == 0)
            }
            if not self.nan
            else set()
        )

    def _blocks(self, small: bool = False) -> "_Blocks":
        """Return the blocks that the outputs are cut into, and leave the engine what is left."""
        count = threads.resolve(self.workers, self.useful_threads)
        blocks = _Blocks(self.problem, self.sums, self.transformed, count, small)
        self.memory = blocks.engine_memory
        return blocks

    def _leave(self) -> None:
        """Keep the memory for the next run, unless it is large."""
        if not _spare_rooms and sum(a.nbytes for a in self._room.values()) <= SPARE:
            _spare_rooms.append(self._room)
        self._room = {}

    def _array(self, role: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array that lasts until the next one of its role is asked for."""
        size = math.prod(shape) * dtype.itemsize
        room = self._room.get(role)
        if room is None or room.size < size:
            room = self._room[role] = empty((size,), np.dtype(np.uint8))
        return room[:size].view(dtype).reshape(shape)

    def fill(self, y: np.ndarray, finer: bool) -> bool:
        """Write the results to ``y``.

        Return whether the coverage of any is low: those are NaN where others are ``finer``.
        """
        low = False
        for block in self._blocks():
            x, seen, missing = self._samples(block)
            part = y[block.into]
            straight = part.dtype == self.sums and part.flags.c_contiguous
            total = part if straight else self._array("y", part.shape, self.sums)
            low |= self._quotients(block, x, seen, missing, total, finer)
            if not straight:
                part[...] = narrow(total, part.dtype, "raise")
        self._leave()
        return low

    def refill(self, y: np.ndarray) -> None:
        """Write the results to ``y`` where it is NaN."""
        for block in self._blocks(small=True):
            part = y[block.into]
            low = np.isnan(part)
            if low.any():
                x, seen, missing = self._samples(block)
                if seen.any() or (self.problem.reads_fill and not self.outside):
                    total = self._array("y", part.shape, self.sums)
                    self._quotients(block, x, seen, missing, total, False)
                    np.copyto(part, narrow(total, part.dtype, "raise"), where=low)
        self._leave()

    def _quotients(
        self,
        block: _Block,
        x: np.ndarray,
        seen: np.ndarray,
        missing: bool,
        y: np.ndarray,
        finer: bool,
    ) -> bool:
        """Write the results of a block; return whether the coverage of any is low."""
        axes = self._axes(block, x)
        local = self._solve(x, self.w, axes, y, self.problem.fill_value)
        # What is outside along axes that are not cut is not among the samples.
        missing |= self.outside and self.problem.reads_fill
        if not missing:
            return False
        d, as_local = self._weigh(seen, self.weights.w, axes, "seen weights")
        sizes, weights = d, self.weights
        if weights.sizes is not None:
            sizes, _ = self._weigh(seen, weights.sizes, axes, "seen sizes")
        elif weights.sign < 0:
            sizes = -d
        # Beforehand, for the division of complex sums overwrites them.
        low = sizes < THIN * weights.scale if finer and not (local and as_local) else None
        bad = None
        if weights.sizes is not None:
            limit, size = (self._array(role, d.shape, sizes.dtype) for role in ("limit", "size"))
            np.multiply(sizes, BALANCE, out=limit)
            bad = np.abs(d, out=size) <= limit
            bad |= sizes <= weights.void
        if d.dtype.kind == "c":
            y *= weights.total / d
        else:
            self._divide_by(d, y)
        for where in (bad, low):
            if where is not None:
                np.copyto(y, np.nan, where=where)
        return low is not None and bool(low.any())

    def _weigh(
        self, seen: np.ndarray, w: np.ndarray, axes: list[Axis], role: str
    ) -> tuple[np.ndarray, bool]:
        """Return Σ m·w of a block, and whether its error is local."""
        shape = list(seen.shape)
        for a in axes:
            shape[a.axis] = a.out
        dtype = self.weights.total.dtype if w is self.weights.w else w.dtype
        total = self._array(role, tuple(shape), dtype)
        return total, self._solve(seen, w, axes, total, not self.outside)

    def cover(self, y: np.ndarray) -> None:
        """Write the part of the weights that was seen to ``y``."""
        for block in self._blocks():
            x, seen, _ = self._samples(block)
            axes = self._axes(block, x)
            y[block.into], _ = self._weigh(seen, self.weights.w, axes, "seen weights")
        self._leave()
        y[y <= self.weights.void] = 0
        y /= self.weights.total
        np.minimum(y, 1, out=y)

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

    def _solve(
        self, x: np.ndarray, w: np.ndarray, axes: list[Axis], y: np.ndarray, fill: complex
    ) -> bool:
        """Write a correlation to ``y``; return whether its error is local."""
        key = (x.shape, x.dtype, w.dtype, y.dtype, fill, *axes)
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = self._prepare(x, w, axes, y.dtype, fill)
        bound = prepared.plan(x, w)
        bound.solve(x, w, y, self.workers)
        return _is_local(bound)

    def _prepare(
        self, x: np.ndarray, w: np.ndarray, axes: list[Axis], dtype: np.dtype, fill: complex
    ) -> Prepared:
        options = (
            self.problem.flip,
            tuple((a.low, a.high) for a in axes),
            tuple(a.boundary for a in axes),
            fill,
            tuple(a.axis for a in axes),
            tuple(a.stride for a in axes),
            tuple(a.dilation for a in axes),
            dtype,
            "raise",
            self.rtol,
            self.memory,
            self.method,
        )
        return prepare(x, w, options)

    def _divide_by(self, d: np.ndarray, y: np.ndarray) -> None:
        """Multiply ``y`` by W / Σ m·w, which is real; NaN where too little was seen."""
        weights = self.weights
        loader.native.divide_gaps(
            y,
            np.broadcast_to(d, y.shape),
            weights.total,
            weights.sign,
            weights.void if weights.sign else 0.0,
            0.0,
            self._threads(2 * y.nbytes),
        )


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


def _is_local(bound: Bound) -> bool:
    """Return whether the error of each output is a part of Σ|x||w| over its own window."""
    algorithm = bound.algorithm
    return (isinstance(algorithm, LocalAlgorithm) and algorithm.is_local) or not _is_transformed(
        bound
    )


@lru_cache(256)
def _is_affordable(problem: Problem, name: str) -> bool:
    """Return whether plain sums take little more time than an algorithm."""
    least = min(a.cost(problem, MACHINE) for a in ALGORITHMS if a.name == name)
    plainly = replace(problem, rtol=0.0)
    plain = [
        a.cost(plainly, MACHINE)
        for a in ALGORITHMS
        if a.rejects(plainly) is None and not isinstance(a, WeighingAlgorithm)
    ]
    return min(plain) <= AFFORDABLE * least


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


# ---- blocks -------------------------------------------------------------------------------------


class _Blocks:
    """The blocks that a problem is cut into, along one axis; axes before it are batch axes."""

    def __init__(
        self, problem: Problem, sums: np.dtype, transformed: bool, workers: int, small: bool
    ) -> None:
        self._problem = problem
        # The tiles of a transform are cut from a block, and round by what shares them: their blocks
        # are the same for every number of threads.
        most = TRANSFORMED_BLOCK if transformed else BLOCK * workers
        most //= SMALLER if small and len(problem.spatial) > 1 else 1
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
            spans = LEAST_TRANSFORMED_SPANS if transformed and not small else LEAST_SPANS
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
    return (
        mask is not None or (isinstance(nan_policy, str) and nan_policy == "omit") or is_masked(x)
    )


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
    check_balance(weights)
    sizes = np.abs(weights.astype(np.result_type(weights, np.float64)))
    covered = Omission(samples, sizes, options, True, missing is not None).coverage(
        samples, missing, workers
    )
    single = sums.kind in "fc" and np.finfo(sums).bits <= 32
    return covered.astype(np.float32) if single else covered
