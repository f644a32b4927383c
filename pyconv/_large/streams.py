"""stream: a call on an array that is read, filtered and written a piece at a time.

While a piece is filtered, the next one is read and the last one written, by a thread each. Pieces
are written in one order. So what is written is known at any time, and a stream that has stopped is
resumed where it was.
"""

from __future__ import annotations

import functools
import itertools
import math
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._calls.correlation import convolve, correlate
from pyconv._calls.missing import coverage
from pyconv._calls.plans import Plan
from pyconv._engine.output_arrays import Rooms, recycling
from pyconv._engine.problem import flag, integer, memory_limit, several
from pyconv._large.arrays import (
    AT_ONCE,
    Writer,
    blocks_of,
    check_array,
    dtype_of,
    is_same,
    shape_of,
)
from pyconv._large.pieces import Layout, Storage, lay_out
from pyconv._large.windows import Window, dtype_of_samples
from pyconv._pieces import PiecePlan
from pyconv._pieces.plan import Source

Array = npt.NDArray[Any]
Box = tuple[tuple[int, int], ...]
#: The samples of a piece, and which of them are left out.
Samples = tuple[Array, Array | None]
#: Bytes that a stream holds at most if the caller does not say.
DEFAULT_MEMORY = 512 << 20


class Written(NamedTuple):
    """What a stream that has stopped has written: the first pieces of a result.

    A tuple of plain integers, which may be stored and given to ``resume=`` by another process.
    """

    #: How many pieces are written.
    done: int
    #: The axis along which pieces follow each other, and the lengths of a piece.
    axis: int
    piece: tuple[int, ...]

    def missing(self, shape: Sequence[int]) -> list[tuple[slice, ...]]:
        """Return the parts of a result of a shape that are not written."""
        layout = Layout(self.axis, self.piece, 1)
        return [_slices(box) for box in itertools.islice(layout.boxes(shape), self.done, None)]


class StreamError(RuntimeError):
    """A stream has failed on the way: its cause says why, and `written` what the target holds.

    Parameters
    ----------
    message : str
        What has happened.
    written : Written
        How much was written: ``resume=error.written`` goes on from there.

    Attributes
    ----------
    written : Written
        How much was written.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> class Torn(np.ndarray):
    ...     def __getitem__(self, where):
    ...         if not isinstance(where, tuple) or where[0].stop > 900:
    ...             raise OSError("the tape is torn")
    ...         return np.asarray(self)[where]
    >>> tape, target = np.ones((1000, 2000)), np.zeros((1000, 2000))
    >>> try:
    ...     pyconv.stream(pyconv.filters.box, tape.view(Torn), target, 3, max_memory=10**7)
    ... except pyconv.StreamError as stopped:
    ...     error = stopped
    >>> error.__cause__
    OSError('the tape is torn')
    >>> bool(0 < target.sum() < 2_000_000)
    True
    >>> _ = pyconv.stream(pyconv.filters.box, tape, target, 3, resume=error.written)
    >>> float(target.min())
    1.0
    """

    def __init__(self, message: str, written: Written) -> None:
        super().__init__(message)
        self.written = written


class StreamInterrupted(KeyboardInterrupt):
    """A stream was interrupted, by Ctrl-C for example; `written` says what the target holds.

    Parameters
    ----------
    message : str
        What has happened.
    written : Written
        How much was written: ``resume=error.written`` goes on from there.

    Attributes
    ----------
    written : Written
        How much was written.

    Examples
    --------
    >>> import pyconv
    >>> issubclass(pyconv.StreamInterrupted, KeyboardInterrupt)
    True
    """

    def __init__(self, message: str, written: Written) -> None:
        super().__init__(message)
        self.written = written


def stream(
    function: Callable[..., Any],
    source: Any,
    target: Any,
    *arguments: Any,
    max_memory: int | None = None,
    workers: int | None = None,
    progress: bool = False,
    resume: Sequence[Any] | None = None,
    **options: Any,
) -> Any:
    r"""Filter an array that does not fit into memory, a piece at a time.

    Parameters
    ----------
    function : callable
        `correlate`, `convolve`, `coverage`, a function of `pyconv.filters` or `pyconv.ndimage`, a
        convolution of `pyconv.signal`, or a `Plan`. The target receives
        ``function(source, *arguments, **options)``: the same bits however it is cut, which are
        those of an array in memory but for transforms and for samples that are left out.
    source : array
        Anything with ``shape``, ``dtype`` and slices: an array of zarr or h5py, a memory map
        (``np.load(name, mmap_mode="r")``), an array.
    target : array
        Such an array of the shape and dtype of the result, which can be written to. It is written
        in whole blocks, where it is stored in such (``shards``, ``chunks``).
    *arguments
        The arguments of `function` behind its array.
    max_memory : int, optional
        Bytes that samples, results and workspace together may take; 512 MiB by default.
    workers : int, optional
        Threads that filter, as for `correlate`. One more reads, and one writes.
    progress : bool, optional
        Show a bar of tqdm.
    resume : sequence, optional
        The ``written`` of a stream of the same call that has stopped. What it has written is not
        made again.
    **options
        The keywords of `function`. A ``mask`` may be such an array as `source`, of fewer axes too,
        or a function of samples, such as ``lambda x: x == -9999``. `out` is `target`.

    Returns
    -------
    array
        `target`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `function`, for a `function` that cannot be made a piece at a time, and for a target of
        another shape or dtype. Nothing has been written then.
    MemoryError
        If one block of the target needs more than `max_memory`; the message names the least that
        would do.
    StreamError
        If the source or the target fails, or an integer result might not hold an exact sum. The
        error is its cause.
    StreamInterrupted
        For Ctrl-C.
    ImportError
        If `progress` asks for tqdm, which is not installed.

    See Also
    --------
    pyramid : several resolutions of an array.

    Notes
    -----
    Pieces follow each other along one axis, and what two of them read is read once. Pages of memory
    maps are given back as soon as they were read or written.

    Examples
    --------
    A file as source and another as target, in the memory of a few rows:

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> import pyconv
    >>> from pyconv import filters
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name)
    >>> np.save(path / "x.npy", np.arange(2_000_000, dtype="f4").reshape(1000, 2000))
    >>> x = np.load(path / "x.npy", mmap_mode="r")
    >>> y = np.lib.format.open_memmap(path / "y.npy", "w+", "f4", x.shape)
    >>> _ = pyconv.stream(filters.gaussian, x, y, 2, boundary="mirror", max_memory=4_000_000)
    >>> bool((y == filters.gaussian(x, 2, boundary="mirror")).all())
    True
    >>> del x, y
    >>> folder.cleanup()
    """
    check_array(source, "source")
    check_array(target, "target")
    granted = DEFAULT_MEMORY if max_memory is None else memory_limit(max_memory)
    show = flag(progress, "progress")
    if options.pop("out", None) is not None:
        raise TypeError("out= is no option of a stream, whose results go to `target`")
    shape, dtype = shape_of(source), dtype_of_samples(source)
    if isinstance(function, Plan):
        function, arguments, options = _call_of(function, shape, dtype, arguments, options)
    mask = options.pop("mask", None)
    source_of_plan = Source(shape, dtype, masked=mask is not None)
    missing = mask if callable(mask) else None
    mask = None if mask is None or callable(mask) else mask_of(mask, shape)
    plan = planned(function, source_of_plan, arguments, options)
    job = Job(plan, source, target, mask, missing)
    layout = job.layout(granted)
    done = 0
    if resume is not None:
        layout, done = _resumed(resume, plan, layout)
    with progress_bar(layout.count(plan.shape) - done) if show else nullcontext() as bar:
        job.run(layout, done, workers, None if bar is None else bar.update)
    return target


def planned(
    function: Callable[..., Any],
    source: Source,
    arguments: tuple[Any, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> PiecePlan:
    """Return what makes a call on an array a piece at a time; TypeError for other functions."""
    if not any(function is allowed for allowed in _made_in_pieces()):
        name = getattr(function, "__name__", repr(function))
        raise TypeError(
            f"function={name} is not made a piece at a time; correlate, convolve, coverage, those "
            "of pyconv.filters and pyconv.ndimage, the convolutions of pyconv.signal, and plans "
            "are allowed"
        )
    plan: PiecePlan = function(source, *arguments, **options or {})
    return plan


@functools.cache
def _made_in_pieces() -> tuple[Callable[..., Any], ...]:
    """Return the functions that return a plan for a `Source`."""
    from pyconv import filters, ndimage, signal
    from pyconv.signal._pieces import PLANS

    everything = [getattr(m, name) for m in (filters, ndimage) for name in m.__all__]
    everything += [getattr(signal, name.removeprefix("_")) for name in PLANS]
    return correlate, convolve, coverage, *everything


def _call_of(
    plan: Plan,
    shape: tuple[int, ...],
    dtype: np.dtype,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Return the function and the arguments that a plan was made of; its weights are among them."""
    if arguments or options:
        given = [*map(repr, arguments), *(f"{word}=" for word in options)]
        raise TypeError(f"{', '.join(given)}: a plan has all arguments of its call already")
    if (shape, dtype) != (plan.x_shape, plan.x_dtype):
        raise ValueError(
            f"source has shape {shape} and dtype {dtype}, but the plan is for {plan.x_shape} and "
            f"{plan.x_dtype}"
        )
    made: Any = plan.__reduce__()[1]
    _, _, w, options, nan_policy, mask, _ = made
    call = {**options, "nan_policy": nan_policy, "mask": mask}
    return (convolve if call.pop("flip") else correlate), (w,), call


class Job:
    """A source, a target, and what is made of the one for the other.

    Parameters
    ----------
    plan : PiecePlan
        What is made.
    source, target : array
        Where samples are read, and results are written.
    mask : array, optional
        What is left out.
    missing : callable, optional
        Returns which of some samples are left out, too.
    after : callable, optional
        What becomes of the results of a piece before they are written.
    """

    def __init__(
        self,
        plan: PiecePlan,
        source: Any,
        target: Any,
        mask: Any = None,
        missing: Callable[[Array], Array] | None = None,
        after: Callable[[Array], Array] | None = None,
    ) -> None:
        self.plan, self.source, self.target = plan, source, target
        self.mask, self.missing, self.after = mask, missing, after
        shape, dtype = shape_of(target), dtype_of(target)
        if shape != plan.shape:
            raise ValueError(f"target has shape {shape}; the result has {plan.shape}")
        made = dtype if after is not None else plan.dtype
        if dtype.newbyteorder("=") != made:
            raise TypeError(
                f"target has dtype {dtype}; the result has {made}: make a target of that dtype, or "
                f"pass dtype={str(dtype)!r} where the function takes it"
            )
        if is_same(source, target) or (mask is not None and is_same(mask, target)):
            raise ValueError(
                "target shares the samples of the source, which later pieces still read; write to "
                "another array"
            )

    def layout(self, max_memory: int) -> Layout:
        """Return how the result is cut."""
        if 0 in self.plan.shape:
            return Layout(0, tuple(max(1, n) for n in self.plan.shape), 1)
        storage = Storage(
            blocks_of(self.source),
            blocks_of(self.target),
            copied=0 if isinstance(self.source, np.ndarray) else 2 * AT_ONCE,
            encoded=0 if isinstance(self.target, np.ndarray) else 1,
        )
        return lay_out(self.plan, storage, max_memory)

    def run(
        self,
        layout: Layout,
        done: int,
        workers: int | None,
        update: Callable[[int], Any] | None = None,
    ) -> None:
        """Write all pieces but the first ones, which are there."""
        plan, axis = self.plan, layout.axis - len(self.plan.lead)
        windows = [Window(self.source, plan.x_shape, axis, layout.block, plan.x_dtype)]
        if self.mask is not None:
            windows.append(Window(self.mask, plan.x_shape, axis, layout.block, np.dtype(np.bool_)))

        def read(box: Box) -> tuple[Array, Array | None]:
            reads = plan.reads(box)
            block, *masks = [window.read(reads) for window in windows]
            if self.missing is not None:
                masks.append(_checked(self.missing(block), block.shape))
            return block, functools.reduce(np.logical_or, masks) if masks else None

        state, write = _State(done, update), Writer(self.target)
        # Results are made in the memory of those that are written, and so is what passes leave.
        result = math.prod(layout.piece) * max(4, plan.dtype.itemsize) + 2 * mmap.PAGESIZE
        rooms = Rooms(4 * result, 2 * result)
        boxes = itertools.islice(layout.boxes(plan.shape), done, None)
        # Whatever stops the loop, what has begun to be written is written to its end.
        with ExitStack() as stack:
            reader = stack.enter_context(ThreadPoolExecutor(1, "pyconv-read"))
            writer = stack.enter_context(ThreadPoolExecutor(1, "pyconv-write"))
            try:
                for box, (block, mask) in _ahead(reader, read, boxes):
                    with recycling(rooms):
                        y = plan.solve(block, box, mask, workers)
                    windows[0].forget(block)
                    made = [y if self.after is None else self.after(y)]
                    del y, block, mask
                    state.wait()
                    state.writing = writer.submit(_write, write, _slices(box), made)
                state.wait()
            except BaseException as error:
                raise self._stopped(error, state, layout) from error

    def _stopped(self, error: BaseException, state: _State, layout: Layout) -> BaseException:
        """Return the error that says what is written."""
        try:
            state.wait()
        except Exception as other:  # noqa: BLE001 - the first error is the one that is told
            error.add_note(f"The piece that was being written failed, too: {other}")
        written = Written(state.done, layout.axis, layout.piece)
        message = (
            f"{state.done} of {layout.count(self.plan.shape)} pieces are written; "
            f"resume={tuple(written)} makes the others"
        )
        if isinstance(error, KeyboardInterrupt):
            return StreamInterrupted(message, written)
        if isinstance(error, Exception):
            return StreamError(f"{str(error) or type(error).__name__}: {message}", written)
        return error


class _State:
    """How many pieces are written, and the one that is being written."""

    def __init__(self, done: int, update: Callable[[int], Any] | None) -> None:
        self.done = done
        self.writing: Future[None] | None = None
        self._update = update

    def wait(self) -> None:
        """Wait for the piece that is being written, and count it."""
        if self.writing is None:
            return
        self.writing.result()
        self.writing = None
        self.done += 1
        if self._update is not None:
            self._update(1)


def _ahead(
    reader: ThreadPoolExecutor, read: Callable[[Box], Samples], boxes: Iterator[Box]
) -> Iterator[tuple[Box, Samples]]:
    """Yield pieces and their samples, while those of the next one are read."""
    box = next(boxes, None)
    reading = None if box is None else reader.submit(read, box)
    while box is not None and reading is not None:
        samples = reading.result()
        following = next(boxes, None)
        reading = None if following is None else reader.submit(read, following)
        yield box, samples
        box = following


def _write(write: Writer, where: tuple[slice, ...], made: list[Array]) -> None:
    """Write results, which nobody else holds: their memory is free once this returns."""
    write(where, made.pop())


def _slices(box: Box) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in box)


def _checked(mask: Any, shape: tuple[int, ...]) -> Array:
    """Return what a function says is left out; TypeError if it is no mask of the samples."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != shape:
        raise TypeError(
            f"mask= has returned {type(mask)}, and has to return an array of bool in the shape of "
            f"the samples, {shape}"
        )
    return mask


def mask_of(mask: Any, shape: tuple[int, ...]) -> Any:
    """Return a mask with slices, whose shape can be broadcast to that of the source."""
    mask = mask if all(hasattr(mask, a) for a in ("shape", "dtype")) else np.asarray(mask)
    if dtype_of(mask) != np.bool_:
        raise TypeError(
            f"mask has dtype {dtype_of(mask)}; bool is allowed, True for what is left out"
        )
    try:
        fits = np.broadcast_shapes(shape_of(mask), shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"mask has shape {shape_of(mask)}, which is not broadcast to {shape}")
    return mask


def _resumed(resume: Any, plan: PiecePlan, layout: Layout) -> tuple[Layout, int]:
    """Return the pieces of a stream that has stopped, and how many of them are written."""
    given = several(resume)
    piece = None if given is None or len(given) != 3 else several(given[2])
    if given is None or piece is None or len(piece) != len(plan.shape):
        raise ValueError(
            f"resume={resume!r}: the written= of the error of a stream of this call is allowed, "
            "(done, axis, piece)"
        )
    count, axis = integer(given[0], "resume"), integer(given[1], "resume")
    steps = tuple(integer(step, "resume") for step in piece)
    if not 0 <= axis < len(steps) or min(steps, default=1) < 1:
        raise ValueError(f"resume={resume!r} is no part of a result of shape {plan.shape}")
    resumed = Layout(axis, steps, layout.block if axis == layout.axis else 1)
    if not 0 <= count <= resumed.count(plan.shape):
        raise ValueError(
            f"resume={resume!r}: the result has {resumed.count(plan.shape)} such pieces"
        )
    return resumed, count


def progress_bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from error
    return tqdm(total=total, unit="piece")
