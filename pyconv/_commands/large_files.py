"""Files that ``filter`` need not hold in memory: zarr, large ``.npy`` arrays and stacks of TIFF."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import pyconv
from pyconv._commands import USAGE, CommandError, MissingPackageError
from pyconv._commands.named_kernels import magnitude
from pyconv._commands.pictures import TIFF, check_writable, reason
from pyconv._engine.dtypes import Interval, check_overflow, narrow
from pyconv._engine.mosaic import Mosaic
from pyconv._large.arrays import blocks_of, dtype_of, shape_of
from pyconv._large.streams import (
    DEFAULT_MEMORY,
    Job,
    StreamError,
    StreamInterrupted,
    mask_of,
    planned,
    progress_bar,
)
from pyconv._pieces import PiecePlan, Read
from pyconv._pieces.plan import Box, Source

Array = npt.NDArray[Any]
#: Bytes of an array, or of the pages of a picture, that is streamed.
LARGE = 1 << 27
#: Endings of folders of zarr.
ZARR = (".zarr",)


class Opened(NamedTuple):
    """A file with slices."""

    array: Any
    is_picture: bool
    close: Callable[[], None] = lambda: None


class Call(NamedTuple):
    """What the arguments of the command ask for, of an array of any size."""

    kernels: tuple[Array, ...]
    #: The keywords of `pyconv.correlate`.
    options: dict[str, Any]
    dtype: np.dtype | None
    overflow: str
    nodata: float | None
    flip: bool
    #: What becomes of results that may be NaN.
    with_nodata: Callable[[Array, np.dtype | None, str, float | None], Array]
    #: The dtype that results have until then.
    wide: np.dtype | None


def opened(source: Path, target: Path, page: int | None) -> Opened | None:
    """Return a file that is to be streamed; None for one that is read as a whole.

    Raises
    ------
    CommandError
        If it cannot be read.
    """
    found = None
    try:
        if _is_zarr(source):
            found = Opened(_zarr_array(source), False)
        elif source.suffix.lower() == ".npy" and source.is_file():
            # A damaged header is told by the reader of small files.
            with contextlib.suppress(ValueError, OSError, EOFError):
                found = Opened(np.load(source, mmap_mode="r", allow_pickle=False), False)
        elif source.suffix.lower() in TIFF and source.is_file() and page is None:
            found = _pages(source)
    except OSError as error:
        raise CommandError(f"{source}: not readable ({reason(error)})") from error
    if found is None or 0 in found.array.shape:
        return None
    array = found.array
    size = int(np.prod(array.shape, dtype=np.int64)) * dtype_of(array).itemsize
    kept = target.suffix.lower() in (".npy", *(TIFF if found.is_picture else ()))
    is_asked = _is_zarr(source) or target.suffix.lower() in ZARR
    if not is_asked and (size < LARGE or not kept):
        found.close()
        return None
    return found


def _is_zarr(path: Path) -> bool:
    names = ("zarr.json", ".zarray", ".zgroup")
    return path.is_dir() and any(path.joinpath(name).exists() for name in names)


def zarr_package() -> Any:
    """Return zarr."""
    try:
        import zarr
    except ImportError as error:
        raise MissingPackageError("reading and writing .zarr", "zarr", "zarr") from error
    return zarr


def _zarr_array(path: Path) -> Any:
    """Return the array of a folder; that of full resolution of an image."""
    zarr = zarr_package()
    found = zarr.open(str(path), mode="r")
    if hasattr(found, "dtype"):
        return found
    names = sorted(name for name, each in found.members() if hasattr(each, "dtype"))
    if "0" in names:
        return found["0"]
    if len(names) != 1:
        held = f"the arrays {', '.join(names)}" if names else "no array"
        raise CommandError(f"{path}: holds {held}; name one of them, like {path}/NAME", USAGE)
    return found[names[0]]


class Pages:
    """The pages of a TIFF file, all alike, as one array that is read page by page."""

    def __init__(self, file: Any) -> None:
        self._file = file
        first = file.pages.first
        self.shape = (len(file.pages), *first.shape)
        self.dtype = np.dtype(first.dtype).newbyteorder("=")
        self.chunks = (1, *first.shape)

    def __getitem__(self, where: tuple[slice, ...]) -> Array:
        """Return parts of some pages."""
        first, *rest = where
        chosen = range(self.shape[0])[first]
        return np.stack([self._file.pages[i].asarray()[tuple(rest)] for i in chosen])


def _pages(path: Path) -> Opened | None:
    """Return a TIFF file of several pages that are alike, without transparency."""
    try:
        import tifffile
    except ImportError:
        return None
    with contextlib.suppress(Exception):  # whoever reads it as a whole says what is wrong
        file = tifffile.TiffFile(path)
        pages = file.pages
        first = pages.first
        alike = all(pages[i].shape == first.shape for i in range(1, len(pages)))
        plain = len(first.shape) == 2 or (len(first.shape) == 3 and first.shape[2] == 3)
        if len(pages) > 1 and alike and plain and first.planarconfig != 2:
            return Opened(Pages(file), True, file.close)
        file.close()
    return None


class _Magnitude(PiecePlan):
    """The length of the gradient, of derivatives by kernels of one shape."""

    def __init__(self, plans: Sequence[PiecePlan]) -> None:
        first = plans[0]
        super().__init__("magnitude", first.source, first.reaches, first.dtype)
        self._plans = plans

    def reads(self, box: Box) -> tuple[Read, ...]:
        """Return what one of the derivatives reads."""
        return self._plans[0].reads(box)

    def solve(
        self,
        block: Array | Mosaic,
        box: Box,
        mask: Array | Mosaic | None = None,
        workers: int | None = 1,
    ) -> Array:
        """Return a box of results."""
        return magnitude([plan.solve(block, box, mask, workers) for plan in self._plans])


def run(
    arguments: argparse.Namespace,
    source: Opened,
    call: Call,
    mask: Any,
    missing: Callable[[Array], Array] | None,
) -> None:
    """Filter one file, a piece at a time."""
    array = source.array
    if mask is not None:
        mask = mask_of(mask, shape_of(array))
    masked = mask is not None or missing is not None
    given = Source(shape_of(array), dtype_of(array).newbyteorder("="), masked)
    dtype, after = call.dtype, None
    if masked:
        wide = call.wide

        def after(y: Array) -> Array:
            return call.with_nodata(y, dtype, call.overflow, call.nodata)

    elif len(call.kernels) > 1:
        wide = np.result_type(given.dtype, np.float32)

        def after(y: Array) -> Array:
            if dtype is None:
                return y
            check_overflow(Interval(y.min().item(), y.max().item(), 0), dtype, call.overflow)
            return narrow(y, dtype, call.overflow)

    else:
        wide = dtype
    function = pyconv.convolve if call.flip else pyconv.correlate
    options = call.options | {"dtype": wide, "overflow": call.overflow}
    workers = options.pop("workers")
    plans = [planned(function, given, (w,), options) for w in call.kernels]
    plan = plans[0] if len(plans) == 1 else _Magnitude(plans)
    result = plan.dtype if dtype is None else dtype
    with _target(arguments.output, plan.shape, result, array, source.is_picture) as target:
        job = Job(plan, array, target, mask, missing, after)
        granted = arguments.max_memory << 20 if arguments.max_memory else DEFAULT_MEMORY
        layout = job.layout(granted)
        try:
            with _bar(layout.count(plan.shape)) as bar:
                job.run(layout, 0, workers, None if bar is None else bar.update)
        except StreamInterrupted as error:
            raise KeyboardInterrupt(*error.args) from error
        except StreamError as error:
            raise CommandError(f"{arguments.output}: {error.__cause__ or error}") from error
    print(f"{arguments.output}: {' x '.join(map(str, plan.shape))}, {result}")


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Any]:
    """Give a progress bar on a terminal, if tqdm is installed."""
    if not sys.stderr.isatty() or total < 2:
        yield None
        return
    try:
        bar = progress_bar(total)
    except ImportError:
        yield None
        return
    with bar:
        yield bar


@contextlib.contextmanager
def _target(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, source: Any, is_picture: bool
) -> Iterator[Any]:
    """Give an array to write to, which takes the place of a file once it is complete."""
    beside = path.with_name(f".{path.name[:100]}.part")
    try:
        if path.suffix.lower() in ZARR:
            chunks = tuple(min(b, n) if b > 1 else min(n, 64) for b, n in _matched(source, shape))
            yield zarr_package().create_array(
                str(beside), shape=shape, dtype=dtype, chunks=chunks, overwrite=True, fill_value=0
            )
        elif path.suffix.lower() == ".npy":
            yield np.lib.format.open_memmap(beside, "w+", dtype, shape)
        else:
            import tifffile

            colours = len(shape) == 4 and shape[3] == 3
            yield tifffile.memmap(
                beside, shape=shape, dtype=dtype, metadata=None, bigtiff=True,
                photometric="rgb" if is_picture and colours else "minisblack",
            )  # fmt: skip
        beside.replace(path)
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path}: cannot be written ({reason(error)})") from error
    finally:
        _remove(beside)


def _matched(source: Any, shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield the lengths of blocks of a source, and of a result."""
    return zip(blocks_of(source), shape, strict=True)


def _remove(path: Path) -> None:
    """Remove what was begun: a file, or a folder of zarr that this command has made."""
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_target(path: Path, is_picture: bool) -> None:
    """Raise CommandError, before any work, for a name that no stream could be written to."""
    if path.suffix.lower() in ZARR:
        if path.exists():
            raise CommandError(f"{path}: exists already; name another folder")
        if not path.parent.is_dir():
            raise CommandError(f"{path}: there is no directory {path.parent}")
        zarr_package()
        return
    allowed = (".npy", *(TIFF if is_picture else ()))
    if path.suffix.lower() not in allowed:
        raise CommandError(
            f"{path}: such a file is not written a piece at a time; use .zarr or "
            f"{' or '.join(allowed)}",
            USAGE,
        )
    if path.suffix.lower() == ".npy":
        check_writable(path)
