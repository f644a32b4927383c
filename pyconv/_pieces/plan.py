"""PiecePlan: a call on a whole array, to be made a box of its results at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.mosaic import Mosaic
from pyconv._pieces.reach import Reach, Read, Run

Array = npt.NDArray[Any]
#: A box of results or samples: from and to along each axis.
Box = tuple[tuple[int, int], ...]


class Source(NamedTuple):
    """The array that a call is planned for, without its samples.

    A public function that is given one returns the `PiecePlan` of the call.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    #: Whether a mask of the same shape comes with the samples.
    masked: bool = False

    def zeros(self) -> Array:
        """Return an array of the shape that takes no memory."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shape)


class PiecePlan:
    """A call whose results are made a box at a time. It pickles, and holds no samples.

    Parameters
    ----------
    name : str
        What the call does, in a word or two: of tasks.
    source : Source
        The array that the call is planned for.
    reaches : sequence of Reach
        What results read along the axes that are summed over; one result of each other axis reads
        the sample at its place.
    dtype : dtype
        The dtype of the results.
    lead : tuple of int, optional
        Axes of the results in front of those of the array.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        reaches: Sequence[Reach],
        dtype: np.dtype,
        lead: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.source = source
        self.reaches = tuple(reaches)
        self.dtype = np.dtype(dtype)
        self.lead = lead
        shape = [*source.shape]
        for r in self.reaches:
            shape[r.axis] = r.out
        #: The shape of the results.
        self.shape = (*lead, *shape)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.source.shape

    @property
    def x_dtype(self) -> np.dtype:
        """The dtype of the array."""
        return self.source.dtype

    def _runs(self, box: Box) -> list[Run]:
        """Return how a box of results is made, along each axis of the array."""
        runs = [Run(Read(a, b), 0, b - a, 0, a) for a, b in box[len(self.lead) :]]
        for r in self.reaches:
            runs[r.axis] = r.run(*box[len(self.lead) + r.axis])
        return runs

    def reads(self, box: Box) -> tuple[Read, ...]:
        """Return the samples that a box of results reads, along each axis of the array."""
        return tuple(run.read for run in self._runs(self._tiled(box)))

    def _tiled(self, box: Box) -> Box:
        tiled, n = [*box], len(self.lead)
        for r in self.reaches:
            tiled[n + r.axis] = r.whole_tiles(*box[n + r.axis])
        return tuple(tiled)

    def solve(
        self,
        block: Array | Mosaic,
        box: Box,
        mask: Array | Mosaic | None = None,
        workers: int | None = 1,
    ) -> Array:
        """Return a box of results.

        Parameters
        ----------
        block : ndarray or Mosaic
            The samples that the box reads, as `reads` says.
        box : tuple of (int, int)
            From and to along each axis of the results.
        mask : ndarray or Mosaic of bool, optional
            What is left out of them, of the same shape.
        workers : int, optional
            Threads to use at most.

        Returns
        -------
        ndarray
            The results.
        """
        if any(start >= stop for start, stop in box):
            return np.empty([b - a for a, b in box], self.dtype)
        tiled = any(r.tile for r in self.reaches)
        if isinstance(mask, Mosaic):
            mask = mask.joined()
        if isinstance(block, Mosaic):
            if not tiled and mask is None:
                runs = self._runs(box)
                y = self._solve_mosaic(block, runs, workers)
                if y is not None:
                    return self._wanted(y, box, runs)
            block = block.joined()
        if not tiled:
            return self._made(block, box, self._runs(box), mask, workers)
        return self._by_tiles(block, box, mask, workers)

    def _by_tiles(self, block: Array, box: Box, mask: Array | None, workers: int | None) -> Array:
        """Return a box of results whose tiles are summed one by one, each as a whole."""
        n = len(self.lead)
        y = np.empty([b - a for a, b in box], self.dtype)
        origin = self.reads(box)
        along = [[pair] for pair in box]
        for r in self.reaches:
            along[n + r.axis] = [*r.tiles(*box[n + r.axis])]
        for tile in itertools.product(*along):
            runs = self._runs(tile)
            reads = [run.read for run in runs]
            part = _taken(block, reads, origin, self.x_shape)
            seen = None if mask is None else _taken(mask, reads, origin, self.x_shape)
            results = self._made(part, tile, runs, seen, workers)
            both = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(tile, box, strict=True)]
            into = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(both, box, strict=True))
            some = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(both, tile, strict=True))
            y[into] = results[some]
        return y

    def _made(
        self, block: Array, box: Box, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        """Return results of a box, of which the first ones may be made in vain."""
        return self._wanted(self._solve(block, runs, mask, workers), box, runs)

    def _wanted(self, y: Array, box: Box, runs: list[Run]) -> Array:
        """Return the results of a box, without those that were made in vain."""
        n = len(self.lead)
        cut = tuple(
            slice(run.skipped, run.skipped + b - a)
            for run, (a, b) in zip(runs, box[n:], strict=True)
        )
        lead = tuple(slice(a, b) for a, b in box[:n])
        if y.shape == tuple(b - a for a, b in box):
            return y
        return y[(*lead, *cut)]

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        """Return all results that runs make of a block."""
        raise NotImplementedError

    def _solve_mosaic(self, block: Mosaic, runs: list[Run], workers: int | None) -> Array | None:
        """Return the same of samples that lie in several arrays; None if they have to be joined."""
        return None


def _taken(
    block: Array, reads: Sequence[Read], origin: Sequence[Read], shape: Sequence[int]
) -> Array:
    """Return the samples of some reads from a block that begins elsewhere."""
    for axis, (read, held, n) in enumerate(zip(reads, origin, shape, strict=True)):
        if held.start <= read.start and read.stop <= held.stop:
            before = (slice(None),) * axis
            block = block[(*before, slice(read.start - held.start, read.stop - held.start))]
        else:  # the block is the whole of an axis that wraps
            block = block.take(np.arange(read.start, read.stop) % n, axis)
    return block


def piece_plan(
    function: Callable[..., Any],
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    *arguments: Any,
    masked: bool = False,
    **options: Any,
) -> PiecePlan:
    """Return the plan of a call of a public function on an array of a shape.

    Parameters
    ----------
    function : callable
        A function whose first argument is an array: `pyconv.correlate`, those of
        `pyconv.filters` and of `pyconv.ndimage`, and others that take dask arrays.
    shape : sequence of int
        The shape of the whole array.
    dtype : dtype
        Its dtype.
    *arguments, **options
        The other arguments of the call.
    masked : bool, optional
        Whether a mask of the same shape comes with the samples, in the place of ``mask=``.

    Returns
    -------
    PiecePlan
        The plan.

    Raises
    ------
    TypeError
        For a function that cannot be made piece by piece.
    """
    source = Source(tuple(map(int, shape)), np.dtype(dtype), masked)
    plan = function(source, *arguments, **options)
    if not isinstance(plan, PiecePlan):
        name = getattr(function, "__name__", repr(function))
        raise TypeError(f"{name} is no function that is made a piece at a time")
    return plan
