"""How a result is cut into pieces that fit the memory, and what is held while they are made.

Pieces are boxes of whole blocks of the target. They follow each other along one axis, so that
samples that two of them read are read once. Only where a slab of all other axes is too large are
these cut, too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyconv._pieces import PiecePlan, Read

#: Bytes of samples that one piece reads, where there is more memory. What two pieces read is summed
#: twice along the other axes: of planes of 1 MiB, with 5 taps, a ninth; of half as many a fifth.
ENOUGH = 40 << 20
#: Pieces there are at least, where blocks are small enough: reading, sums and writing overlap.
OVERLAPPING = 4
#: Arrays of the samples of a piece, in the dtype of its sums, that loops hold beside them.
WORKSPACE = 2


class Layout(NamedTuple):
    """How a result is cut.

    `Written` holds it in the words of a caller.
    """

    #: The axis of the result along which pieces follow each other.
    axis: int
    #: The lengths of a piece along each axis of the result.
    piece: tuple[int, ...]
    #: Samples along the axis that are read together, as they are stored together.
    block: int

    def boxes(self, shape: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
        """Yield the pieces of a result, those along the axis after each other."""
        along = [
            [(start, min(start + step, n)) for start in range(0, n, step)]
            for n, step in zip(shape, self.piece, strict=True)
        ]
        others = [spans for i, spans in enumerate(along) if i != self.axis]
        for rest in itertools.product(*others):
            for span in along[self.axis]:
                yield (*rest[: self.axis], span, *rest[self.axis :])

    def count(self, shape: Sequence[int]) -> int:
        """Return the number of pieces."""
        return math.prod(-(-n // step) for n, step in zip(shape, self.piece, strict=True))


class Storage(NamedTuple):
    """How a source and a target are stored."""

    #: The lengths of their blocks along each axis.
    source: tuple[int, ...]
    target: tuple[int, ...]
    #: Bytes that a source makes copies of, and results that a target does, on the way.
    copied: int = 0
    encoded: int = 0


def lay_out(plan: PiecePlan, storage: Storage, max_memory: int) -> Layout:
    """Return how a result is cut.

    Raises
    ------
    MemoryError
        If one block of the target takes more than ``max_memory``; the message names the least.
    """
    lead, shape = len(plan.lead), plan.shape
    units = [min(max(1, b), n) for b, n in zip(storage.target, shape, strict=True)]
    for axis in range(lead, len(shape)):
        piece = [*shape]
        piece[axis] = units[axis]
        if held(plan, storage, axis, piece, 1) <= max_memory:
            return _thick(plan, storage, axis, piece, units, max_memory)
    # The axis of the fewest blocks is not cut, if another can be.
    axis, piece = lead, [*shape]
    piece[axis] = units[axis]
    while held(plan, storage, axis, piece, 1) > max_memory:
        blocks = [n / u for n, u in zip(piece, units, strict=True)]
        longest = max(range(len(piece)), key=lambda i: blocks[i])
        if blocks[longest] <= 1:
            least = held(plan, storage, axis, piece, 1)
            raise MemoryError(
                f"max_memory={max_memory} is too little: a block of the target, of shape "
                f"{tuple(units)}, takes {least} bytes with what it reads; grant as many, or make "
                "a target of smaller blocks"
            )
        half = math.ceil(blocks[longest] / 2)
        piece[longest] = half * units[longest]
    return _thick(plan, storage, axis, piece, units, max_memory)


def _thick(
    plan: PiecePlan,
    storage: Storage,
    axis: int,
    piece: list[int],
    units: Sequence[int],
    max_memory: int,
) -> Layout:
    """Return pieces as thick as the memory allows, and as is of use."""
    n, unit = plan.shape[axis], units[axis]
    most = max(1, n // (OVERLAPPING * unit))
    block = storage.source[axis - len(plan.lead)]
    thin = [*piece[:axis], unit, *piece[axis + 1 :]]
    whole = held(plan, storage, axis, thin, block) <= max_memory
    block = block if whole else 1

    def fits(count: int) -> bool:
        trial = [*piece]
        trial[axis] = min(n, count * unit)
        if held(plan, storage, axis, trial, block) > max_memory:
            return False
        samples = math.prod(read.size for read in _middle(plan, axis, trial))
        return samples * plan.x_dtype.itemsize <= ENOUGH

    low, high = 1, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    piece[axis] = min(n, low * unit)
    return Layout(axis, tuple(piece), block)


def _middle(plan: PiecePlan, axis: int, piece: Sequence[int]) -> tuple[Read, ...]:
    """Return what a piece in the middle reads, which is what the largest reads."""
    box = []
    for i, (n, step) in enumerate(zip(plan.shape, piece, strict=True)):
        start = (n // 2 // step) * step if i == axis or step < n else 0
        box.append((start, min(n, start + step)))
    return plan.reads(tuple(box))


def held(plan: PiecePlan, storage: Storage, axis: int, piece: Sequence[int], block: int) -> int:
    """Return the bytes that are held at most while pieces are read, made and written.

    Two windows of samples, two results, what loops hold, and what files make of both.
    """
    reads = _middle(plan, axis, piece)
    sizes = [read.size for read in reads]
    at = axis - len(plan.lead)
    sizes[at] = min(plan.x_shape[at], sizes[at] + block - 1)
    samples = math.prod(sizes)
    results = math.prod(piece)
    window = samples * (plan.x_dtype.itemsize + plan.source.masked)
    sums = max(4, min(8, plan.dtype.itemsize))
    stored = min(window, storage.copied) + storage.encoded * results * plan.dtype.itemsize
    return 2 * window + 2 * results * plan.dtype.itemsize + WORKSPACE * samples * sums + stored
