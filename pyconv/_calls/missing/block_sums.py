"""Both sums of a normalised convolution, a block of outputs at a time.

The samples of a block, its mask and both sums stay in the cache, and the workspace has a limit.
This is the only way for algorithms without a loop that computes both sums, and for weights of both
signs, complex and half-precision samples. `benchmarks/missing_and_matching.py` shows what it saves
for a Gaussian, beside one transform of both sums.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pyconv._calls.missing.blocks import Block, Blocks, read_rows, taken
from pyconv._calls.missing.precision import THIN, is_local, is_transformed
from pyconv._calls.missing.weights import BALANCE, Weights
from pyconv._engine import threads
from pyconv._engine.boundaries import FILL
from pyconv._engine.dtypes import narrow
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import kept, shortage_beside
from pyconv._engine.planning import BoundProblem as Bound
from pyconv._engine.planning import Prepared, prepare
from pyconv._engine.problem import Axis, CallOptions, Problem
from pyconv._native import loader

#: Bytes of workspace that are kept for the next run.
SPARE = 16 << 20


class Run(NamedTuple):
    """The samples of one run, and what is known of them."""

    x: np.ndarray
    mask: np.ndarray | None
    #: Whether NaN are missing.
    nan: bool
    #: The plain call.
    bound: Bound
    workers: int | None


class Sums(NamedTuple):
    """How sums are made."""

    dtype: np.dtype
    rtol: float | None
    method: str


#: Memory of the last run, by its roles: fresh pages would cost as much as the arithmetic.
_spare_rooms: list[dict[str, np.ndarray]] = []


class BlockSums:
    """One run of a call with samples missing."""

    def __init__(
        self,
        problem: Problem,
        w: np.ndarray,
        weights: Weights,
        outside: bool,
        run: Run,
        sums: Sums,
        prepared: dict[object, Prepared],
    ) -> None:
        bound = run.bound
        self.problem = problem
        self.w, self.weights, self.outside = w, weights, outside
        self.x, self.mask, self.nan, self.workers = run.x, run.mask, run.nan, run.workers
        self.sums, self.rtol, self.method = sums
        self.transformed = self.rtol != 0 and is_transformed(bound)
        self.useful_threads = bound.useful_threads
        #: What the engine may take.
        self.memory = problem.max_memory
        #: Memory that every block uses again.
        self._room = _spare_rooms.pop() if _spare_rooms else {}
        #: The problems of blocks, by what decides them: a call keeps them for its next run.
        self._prepared = prepared
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

    def _blocks(self, small: bool = False) -> Blocks:
        """Return the blocks that the outputs are cut into, and leave the engine what is left."""
        count = threads.resolve(self.workers, self.useful_threads)
        blocks = Blocks(self.problem, self.sums, self.transformed, count, small)
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
        block: Block,
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
        # What other pieces of an item miss is not known here: each one is divided.
        if not missing and self.problem.whole is None:
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
            # An infinity times 1 + 0i has a part that is NaN.
            np.multiply(y, weights.total / d, out=y, where=d != weights.total)
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
            part, _ = self._weigh(seen, self.weights.w, axes, "seen weights")
            part[part <= self.weights.void] = 0
            part /= self.weights.total
            y[block.into] = np.minimum(part, 1, out=part)
        self._leave()

    # ---- samples ----------------------------------------------------------------------------

    def _samples(self, block: Block) -> tuple[np.ndarray, np.ndarray, bool]:
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
        for into, read in read_rows(block, source.shape[cut]):
            at = (*(slice(None),) * cut, into)
            missing |= self._clear(
                taken(source, cut, read),
                None if gaps is None else taken(gaps, cut, read),
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
        return threads.resolve(self.workers, MACHINE.threads_for(seconds))

    # ---- sums -------------------------------------------------------------------------------

    def _axes(self, block: Block, x: np.ndarray) -> list[Axis]:
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
        key = (
            x.shape,
            x.dtype,
            w.dtype,
            y.dtype,
            fill,
            type(fill),
            self.rtol,
            self.method,
            self.memory,
            *axes,
        )
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self._prepared[key] = self._prepare(x, w, axes, y.dtype, fill)
        beside = self.problem.max_memory - self.memory
        bound = planned(prepared, x, w, beside)
        bound.solve(x, w, y, self.workers)
        return is_local(bound)

    def _prepare(
        self, x: np.ndarray, w: np.ndarray, axes: list[Axis], dtype: np.dtype, fill: complex
    ) -> Prepared:
        options = CallOptions(
            flip=self.problem.flip,
            mode=tuple((a.low, a.high) for a in axes),
            boundary=tuple(a.boundary for a in axes),
            fill_value=fill,
            axes=tuple(a.axis for a in axes),
            stride=tuple(a.stride for a in axes),
            dilation=tuple(a.dilation for a in axes),
            dtype=dtype,
            rtol=self.rtol,
            max_memory=self.memory,
            method=self.method,
        )
        prepared = prepare(x, w, options)
        if self.problem.whole is None:
            return prepared
        problem = replace(prepared.problem, whole=self.problem.whole)
        key = ("blocks", loader.native, problem, self.method, type(fill))
        return kept(key, Prepared, problem, self.method)

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


def planned(prepared: Prepared, x: np.ndarray, w: np.ndarray, beside: int = 0) -> Bound:
    """Return the plan of a sum that has what is left of `max_memory` beside so many bytes.

    Its error is that of the call: in the bytes that it was granted.
    """
    try:
        return prepared.plan(x, w)
    except MemoryError as error:
        if "least" not in vars(error):
            raise
        granted = prepared.problem.max_memory + beside
        raise shortage_beside(granted, vars(error)["least"] + beside) from None


def _goes_on(a: np.ndarray) -> bool:
    """Return whether samples of the last axis follow each other."""
    return a.shape[-1] == 1 or a.strides[-1] == a.itemsize
