"""Arrays of a caller: what is read as an array, and what receives a result."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from pyconv._engine.dtypes import native_dtype
from pyconv._engine.threads import ForkedLock
from pyconv._native import calls, layout


def is_masked(value: object) -> TypeGuard[np.ma.MaskedArray]:
    """Return whether ``value`` is a masked array.

    There is none where nothing has imported NumPy's module of them, which takes longer than many
    calls. A call that imported it could leave a child that is forked meanwhile waiting for it.
    """
    if type(value) is np.ndarray:
        return False
    module = sys.modules.get("numpy.ma")
    return module is not None and isinstance(value, getattr(module, "MaskedArray", ()))


def plain_array(value: npt.ArrayLike, argument: str) -> np.ndarray:
    """Return ``value`` as an array; a mask, which would be ignored, is refused."""
    if type(value) is np.ndarray:
        return value
    if is_masked(value):
        raise TypeError(
            f"{argument} is a masked array, whose mask would be ignored; "
            f"pass {argument}.filled(value)"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{argument} is no array: {error}") from error


def check_out(out: object, shape: tuple[int, ...], dtype: np.dtype, hint: str = "") -> None:
    """Raise TypeError or ValueError if ``out`` cannot receive a result."""
    if (
        type(out) is np.ndarray
        and out.dtype == dtype
        and out.shape == shape
        and layout.writable(out)
    ):
        return  # nothing below applies, and it takes a microsecond
    if not isinstance(out, np.ndarray) or is_masked(out):
        raise TypeError(f"out is a {type(out).__name__}; a NumPy array is allowed")
    if native_dtype(out.dtype) != dtype:
        raise TypeError(f"out has dtype {out.dtype}, but the result is {dtype}{hint}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has shape {shape}")
    check_apart(out, "out")
    if not out.flags.writeable:
        raise ValueError("out is read-only; a writeable array is allowed")


def check_apart(a: np.ndarray, argument: str) -> None:
    """Raise ValueError if two results that are written to an array would share a place."""
    if overlaps_itself(a):
        raise ValueError(
            f"{argument} has shape {a.shape} and strides {a.strides}: two results would share a "
            "place; an array without overlap is allowed"
        )


def overlaps_itself(a: np.ndarray) -> bool:
    """Return whether two elements of an array share memory, as those of a strided view may."""
    if a.flags.c_contiguous or a.size < 2:
        return False
    axes = sorted((abs(s), n) for n, s in zip(a.shape, a.strides, strict=True) if n > 1)
    reach = a.itemsize  # bytes from the first of the axes so far to the end of the last
    apart = True
    for stride, n in axes:
        apart = apart and stride >= reach
        reach += stride * (n - 1)
    if apart:
        return False
    if axes[0][0] < a.itemsize or reach < a.size * a.itemsize:
        return True
    # Axes that reach across each other may still keep all elements apart: every one is looked at.
    places = np.zeros(1, np.intp)
    for stride, n in axes:
        places = (places[:, np.newaxis] + np.arange(n) * stride).ravel()
    places.sort()
    return bool((np.diff(places) < a.itemsize).any())


def writable_in_place(out: np.ndarray, *sources: np.ndarray) -> bool:
    """Return whether a loop that reads ``sources`` may write its result straight into ``out``."""
    if not layout.writable(out):
        return False
    for source in sources:  # noqa: SIM110  (all() would take as long as the rest of the call)
        if not layout.apart(out, source):
            return False
    return True


#: Results from here on begin at a cache line, so that no vector store is split between two.
_ALIGNED_FROM = 16 << 10


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return a fresh array; large ones begin at a cache line."""
    size = math.prod(shape) * dtype.itemsize
    return np.empty(shape, dtype) if size < _ALIGNED_FROM else _aligned(shape, dtype, size)


def _aligned(shape: tuple[int, ...], dtype: np.dtype, size: int) -> np.ndarray:
    """Return a fresh array of so many bytes that begins at a cache line."""
    rooms = vars(_recycling).get("rooms")
    if rooms is None:
        return calls.aligned(shape, dtype, size)
    raw = rooms.take(size + 64)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(dtype).reshape(shape)


#: Bytes of the least array whose memory is used again; the system keeps that of smaller ones.
_LEAST_RECYCLED = 128 << 10


def _references(rooms: list[np.ndarray], i: int) -> int:
    return sys.getrefcount(rooms[i])


#: The references of an array that nothing but a list holds.
_UNUSED = _references([np.empty(1, np.uint8)], 0)
#: Whether the count of references is one that other threads do not change meanwhile.
_COUNTS = bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Rooms:
    """Memory of arrays that are gone, for later ones: fresh pages take as long as their results.

    It is the base of what it is lent to, so that the count of references says when that is gone.
    What is not asked for again is let go first.

    Parameters
    ----------
    most : int
        Bytes that are held at most.
    largest : int
        Bytes of the largest array.
    lock : context manager, optional
        Held meanwhile, where several threads take memory.
    """

    def __init__(
        self, most: int, largest: int, lock: AbstractContextManager[None] | None = None
    ) -> None:
        self._most, self._largest = most, largest
        self._rooms: list[np.ndarray] = []
        self._held = 0
        self._lock = nullcontext() if lock is None else lock

    def take(self, size: int) -> np.ndarray:
        """Return memory of so many bytes or a few more."""
        if not (_LEAST_RECYCLED <= size <= self._largest and _COUNTS):
            return np.empty(size, np.uint8)
        rooms = self._rooms
        with self._lock:
            for i in range(len(rooms)):
                fits = size <= rooms[i].size <= size + size // 4
                if fits and _references(rooms, i) == _UNUSED:
                    rooms.append(rooms.pop(i))
                    return rooms[-1]
            while rooms and self._held + size > self._most:
                self._held -= rooms.pop(0).size
            room = np.empty(size, np.uint8)
            rooms.append(room)
            self._held += size
            return room


#: What all threads share. Of arrays larger than these the system clears few pages, which are large.
_SHARED = Rooms(64 << 20, 16 << 20, ForkedLock())
_recycling = threading.local()


@contextmanager
def recycling(rooms: Rooms = _SHARED) -> Iterator[None]:
    """Have this thread make arrays of memory whose earlier arrays are gone."""
    vars(_recycling)["rooms"] = rooms
    try:
        yield
    finally:
        vars(_recycling).clear()


def turned(x: np.ndarray) -> np.ndarray:
    """Return a contiguous copy of an array whose rows lie across those of the memory."""
    y = empty(x.shape, x.dtype)
    layout.turn_rows(x, y)
    return y


#: Bytes that the system has taken from other programs, and cleared, within a tenth of a second.
_BYTES_BETWEEN_SIGNALS = 32 << 20


def ones(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of ones, written in pieces: NumPy looks at no signal while it fills one."""
    a = empty(shape, dtype)
    line, step = a.reshape(-1), max(1, _BYTES_BETWEEN_SIGNALS // dtype.itemsize)
    for start in range(0, a.size, step):
        line[start : start + step] = 1
    return a


def allocator(shape: tuple[int, ...], dtype: np.dtype) -> Callable[[], np.ndarray]:
    """Return `empty` for arrays of one kind, which decides once whether they are large."""
    size = math.prod(shape) * dtype.itemsize
    if size < _ALIGNED_FROM:
        return partial(np.empty, shape, dtype)
    return partial(_aligned, shape, dtype, size)
