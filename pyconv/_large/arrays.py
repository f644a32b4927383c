"""Arrays that need not lie in memory: what is asked of them, and how their parts are read.

A source has a shape, a dtype and slices; a target can be written to by slices, too. Both may say in
which blocks they are stored, by ``chunks`` or ``shards``.
"""

from __future__ import annotations

import itertools
import math
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.output_arrays import is_masked

Array = npt.NDArray[Any]
#: From and to along one axis of an array, within it.
Span = tuple[int, int]

#: Bytes that are read at once from an array that makes a copy of what it is asked for.
AT_ONCE = 16 << 20


def check_array(value: Any, argument: str) -> None:
    """Raise TypeError for what is no array with slices."""
    missing = [name for name in ("shape", "dtype", "__getitem__") if not hasattr(value, name)]
    if argument == "target" and not hasattr(value, "__setitem__"):
        missing.append("__setitem__")
    if missing:
        raise TypeError(
            f"{argument} is of {type(value)} and has no {', '.join(missing)}; an array of zarr, "
            "h5py or NumPy is allowed, such as np.load(name, mmap_mode='r') or zarr.open(name)"
        )
    if is_masked(value):
        raise TypeError(
            f"{argument} is a masked array, whose mask would be ignored; pass "
            f"{argument}.filled(value), and the mask as mask="
        )
    if argument == "target" and isinstance(value, np.ndarray) and not value.flags.writeable:
        raise ValueError("target cannot be written to; open it with mode='r+'")


def dtype_of(array: Any) -> np.dtype:
    """Return the dtype of the samples of an array."""
    return np.dtype(getattr(array.dtype, "numpy_dtype", array.dtype))


def shape_of(array: Any) -> tuple[int, ...]:
    """Return the shape of an array."""
    return tuple(map(int, array.shape))


def blocks_of(array: Any) -> tuple[int, ...]:
    """Return the lengths of the blocks that an array is stored in; 1 where it is not."""
    for name in ("shards", "chunks"):
        blocks = getattr(array, name, None)
        if blocks is None:
            continue
        if all(isinstance(b, tuple) for b in blocks):  # dask: the chunks along each axis
            return tuple(max(b, default=1) for b in blocks)
        return tuple(max(1, int(b)) for b in blocks)
    layout = getattr(array, "chunk_layout", None)  # of tensorstore
    if layout is not None:
        return tuple(int(b) for b in layout.write_chunk.shape)
    return (1,) * len(array.shape)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two arrays are known to share their samples."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        files = getattr(one, "filename", None), getattr(other, "filename", None)
        if None not in files and Path(str(files[0])).samefile(str(files[1])):
            return True
        return bool(np.may_share_memory(one, other))
    if isinstance(one, np.ndarray) or type(one) is not type(other):
        return False
    where = [getattr(a, "store_path", None) for a in (one, other)]
    if None not in where:  # zarr 3
        return bool(where[0] == where[1])
    try:
        return bool(one == other)  # h5py compares what it has opened
    except (TypeError, ValueError):
        return False


def read_into(
    into: Array, source: Any, parts: Sequence[Sequence[slice]], blocks: Sequence[int]
) -> None:
    """Read samples: along each axis the parts follow each other.

    A source that makes a copy of what it is asked for is asked for little at a time, so that there
    is not a second array of the same size.
    """
    ends = [list(itertools.accumulate(s.stop - s.start for s in along)) for along in parts]
    along = [
        [(part, slice(end - part.stop + part.start, end)) for part, end in zip(ps, es, strict=True)]
        for ps, es in zip(parts, ends, strict=True)
    ]
    copies = not isinstance(source, np.ndarray)
    for at in itertools.product(*along):
        where, place = tuple(a[0] for a in at), tuple(a[1] for a in at)
        if not copies:
            into[place] = source[where]
            continue
        for some in _little(where, blocks, into.dtype.itemsize):
            within = tuple(
                slice(p.start + s.start - w.start, p.start + s.stop - w.start)
                for p, s, w in zip(place, some, where, strict=True)
            )
            into[within] = np.asarray(source[some])


def _little(
    where: tuple[slice, ...], blocks: Sequence[int], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Yield parts along the first long axis, each of whole blocks."""
    sizes = [s.stop - s.start for s in where]
    axis = next((i for i, n in enumerate(sizes) if n > blocks[i]), None)
    if axis is None or math.prod(sizes) * itemsize <= AT_ONCE:
        yield where
        return
    row = math.prod(sizes) // sizes[axis] * itemsize
    block, part = blocks[axis], where[axis]
    step = max(1, AT_ONCE // (row * block)) * block
    start = part.start
    while start < part.stop:
        stop = min(part.stop, (start // block) * block + step)
        yield (*where[:axis], slice(start, stop), *where[axis + 1 :])
        start = stop


def touch(part: Array) -> None:
    """Have the system read the pages of a part of a mapped file, which is not copied."""
    if isinstance(part, np.memmap) and part.flags.c_contiguous:
        part.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max(initial=0)


def forget(array: Any, part: Array | None = None) -> None:
    """Let the system take the pages of a mapped file that have been read or written.

    They are still in the cache of files, and no longer a part of what the process holds. By
    default those of the whole file, or of a part of it.
    """
    mapped = getattr(array, "_mmap", None)
    shared = getattr(array, "mode", None) in ("r", "r+", "w+")
    if not isinstance(mapped, mmap.mmap) or not shared or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start, stop = 0, len(mapped)
    if part is not None and part.size:
        base = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
        low, high = np.lib.array_utils.byte_bounds(part)
        start = max(0, (low - base) // mmap.PAGESIZE * mmap.PAGESIZE)
        stop = min(stop, high - base)
    if start < stop:
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)


class Writer:
    """Writes parts of a target.

    To a mapped file it writes by the file, where the system keeps one cache for both: a disk that
    is full is an error then, where a page that cannot be written would end the process.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self._file = _mapped_file(target)

    def __call__(self, where: tuple[slice, ...], y: Array) -> None:
        """Write samples to a part."""
        if self._file is None:
            self._target[where] = y
            return
        path, start, base = self._file
        part = self._target[where]
        if part.flags.c_contiguous:
            rest = np.ascontiguousarray(y, part.dtype).reshape(-1).view(np.uint8).data
            at = start + part.__array_interface__["data"][0] - base
            with path.open("r+b", buffering=0) as file:
                while rest:
                    count = os.pwrite(file.fileno(), rest, at)
                    rest, at = rest[count:], at + count
            return
        part[...] = y
        forget(self._target, part)


def _mapped_file(array: Any) -> tuple[Path, int, int] | None:
    """Return the file that an array is a map of, where the map begins in it, and in memory.

    None where it is none, or where its name is by now that of another file.
    """
    mapped, name = getattr(array, "_mmap", None), getattr(array, "filename", None)
    shared = getattr(array, "mode", None) in ("r+", "w+")
    if not (isinstance(mapped, mmap.mmap) and name and shared and sys.platform == "linux"):
        return None
    base: int = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    try:
        status = Path(name).stat()
        for line in (
            Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            ends, _, _, device, inode = line.split()[:5]
            low, high = (int(end, 16) for end in ends.split("-"))
            if low <= base < high:
                major, minor = (int(part, 16) for part in device.split(":"))
                same = os.makedev(major, minor) == status.st_dev and int(inode) == status.st_ino
                start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
                return (Path(name), start, base) if same else None
    except (OSError, ValueError):
        return None
    return None
