"""A window of samples that rolls along an axis of a source: what two pieces share is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._large.arrays import blocks_of, dtype_of, forget, read_into, shape_of, touch
from pyconv._pieces import Read

Array = npt.NDArray[Any]


class Window:
    """The samples that pieces read of one array.

    Two arrays hold them in turn, so that one may be read while the other is filtered.

    Parameters
    ----------
    source : array
        The array, or one of fewer samples that is broadcast to ``shape``.
    shape : tuple of int
        The shape of the array that the pieces are of.
    axis : int
        The axis along which the window rolls.
    block : int
        Samples along the axis that are read together.
    dtype : dtype
        What samples become.
    """

    def __init__(
        self, source: Any, shape: tuple[int, ...], axis: int, block: int, dtype: np.dtype
    ) -> None:
        self._source = source
        self._shape = shape
        self._axis, self._block, self._dtype = axis, block, dtype
        own = shape_of(source)
        missing = len(shape) - len(own)
        #: Whether an axis of the source is one sample that stands for all.
        self._single = [i < missing or own[i - missing] < n for i, n in enumerate(shape)]
        self._missing = missing
        self._blocks = blocks_of(source)
        #: What the last array holds: from and to along the axis, and what it reads of the others.
        self._reads: tuple[Read, ...] | None = None
        self._held = Read(0, 0)
        self._last: Array | None = None
        self._spare: list[Array | None] = [None, None]
        self._turn = 0
        #: Whether samples are taken where they lie.
        self._in_place = (
            isinstance(source, np.ndarray)
            and own == shape
            and source.dtype == dtype
            and source.dtype.isnative
            and source.flags.aligned
        )

    def read(self, reads: Sequence[Read]) -> Array:
        """Return the samples of a piece."""
        inside = all(0 <= r.start <= r.stop <= n for r, n in zip(reads, self._shape, strict=True))
        if self._in_place and inside:
            part: Array = self._source[tuple(slice(r.start, r.stop) for r in reads)]
            touch(part)
            return part
        axis, wanted = self._axis, reads[self._axis]
        others = (*reads[:axis], Read(0, 0), *reads[axis + 1 :])
        if self._reads != others:
            self._last, self._reads = None, others
        stored = self._as_stored(wanted)
        into = self._array([r.size for r in (*reads[:axis], stored, *reads[axis + 1 :])])
        kept = self._kept(stored, into)
        for new in _without(stored, kept):
            place = self._along(new.start - stored.start, new.stop - stored.start)
            self._fill(into[place], (*reads[:axis], new, *reads[axis + 1 :]))
        self._last, self._held = into, stored
        forget(self._source)
        return into[self._along(wanted.start - stored.start, wanted.stop - stored.start)]

    def forget(self, part: Array) -> None:
        """Let the system take the pages of samples that lie where they are stored."""
        if self._in_place:
            forget(self._source, part)

    def _as_stored(self, wanted: Read) -> Read:
        """Return the samples from the first that are wanted to the end of their last block."""
        n, block = self._shape[self._axis], self._block
        if not 0 <= wanted.start < wanted.stop <= n:
            return wanted
        return Read(wanted.start, min(n, -(-wanted.stop // block) * block))

    def _kept(self, stored: Read, into: Array) -> Read:
        """Copy what was read before, and return it."""
        kept = Read(max(stored.start, self._held.start), min(stored.stop, self._held.stop))
        if self._last is None or kept.size <= 0:
            return Read(stored.start, stored.start)
        before = self._along(kept.start - self._held.start, kept.stop - self._held.start)
        place = self._along(kept.start - stored.start, kept.stop - stored.start)
        into[place] = self._last[before]
        return kept

    def _array(self, sizes: Sequence[int]) -> Array:
        """Return an array that the last piece is not in."""
        self._turn = 1 - self._turn
        count = int(np.prod(sizes, dtype=np.int64))
        spare = self._spare[self._turn]
        if spare is None or spare.size < count:
            self._spare[self._turn] = None
            spare = self._spare[self._turn] = np.empty(count, self._dtype)
        return spare[:count].reshape(sizes)

    def _along(self, start: int, stop: int) -> tuple[slice, ...]:
        return (*(slice(None),) * self._axis, slice(start, stop))

    def _fill(self, into: Array, reads: Sequence[Read]) -> None:
        """Read samples, those of an axis that wraps from both of its ends."""
        if 0 in into.shape:
            return
        parts, places = [], []
        for single, read, n in zip(self._single, reads, self._shape, strict=True):
            parts.append([slice(0, 1)] if single else [*read.slices(n)])
            places.append(slice(0, 1) if single else slice(None))
        read_into(
            into[tuple(places)][self._front()], self._source, parts[self._missing :], self._blocks
        )
        for axis, single in enumerate(self._single):
            if single and into.shape[axis] > 1:
                one = (*(slice(None),) * axis, slice(0, 1))
                into[:] = np.broadcast_to(into[one].copy(), into.shape)

    def _front(self) -> tuple[int, ...]:
        return (0,) * self._missing


def _without(whole: Read, part: Read) -> list[Read]:
    """Return what is before and behind a part."""
    both = Read(whole.start, part.start), Read(part.stop, whole.stop)
    return [read for read in both if read.size > 0]


def dtype_of_samples(array: Any) -> np.dtype:
    """Return the dtype of samples in the byte order of the machine."""
    return dtype_of(array).newbyteorder("=")
