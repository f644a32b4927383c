"""Mosaic: a window whose samples lie in several arrays, side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._native import layout

Array = npt.NDArray[Any]
#: For each axis the parts of arrays along it, from and to.
Spans = tuple[tuple[tuple[int, int], ...], ...]


class Mosaic:
    """A window whose samples are parts of several arrays.

    Some loops read it as it is. For others it is joined, which takes about half as long as a small
    kernel.

    Parameters
    ----------
    arrays : list of ndarray
        The arrays, those along the last axis after each other.
    spans : tuple of tuple of (int, int)
        For each axis the parts of the arrays along it, from and to.
    room : callable, optional
        Returns the array of a shape and a dtype in which samples are joined, `numpy.empty` by
        default.
    """

    __slots__ = ("_room", "_spans", "array", "arrays", "dtype", "rows", "shape")

    def __init__(
        self,
        arrays: list[Array],
        spans: Spans,
        room: Callable[[tuple[int, ...], np.dtype], Array] = np.empty,
    ) -> None:
        self.arrays, self._spans, self._room = arrays, spans, room
        self.dtype = arrays[0].dtype
        self.shape = tuple(sum(b - a for a, b in cuts) for cuts in spans)
        #: Where the rows lie, None where loops cannot read them.
        self.rows = layout.list_rows(arrays, spans) if math.prod(self.shape) else None
        #: The samples, once they are joined.
        self.array: Array | None = None

    def joined(self) -> Array:
        """Return an array of the samples."""
        y = self.array = self._room(self.shape, self.dtype)
        if self.rows is not None:
            layout.join_rows(self.rows, y)
            return y
        bounds = [[0, *itertools.accumulate(b - a for a, b in cuts)] for cuts in self._spans]
        counts = [range(len(cuts)) for cuts in self._spans]
        for array, at in zip(self.arrays, itertools.product(*counts), strict=True):
            into = tuple(slice(b[i], b[i + 1]) for b, i in zip(bounds, at, strict=True))
            part = tuple(slice(*cuts[i]) for cuts, i in zip(self._spans, at, strict=True))
            y[into] = array[part]
        return y
