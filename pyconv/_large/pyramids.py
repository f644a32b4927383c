"""pyramid: an array at several resolutions, each blurred and thinned out from the one before.

    y[i] = Σ_u x[i · f + u − p] · w[u]

along the axes that shrink by factors f. The blur and the stride are one pass: results that the
stride leaves out are never made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._calls.correlation import correlate
from pyconv._engine.dtypes import native_dtype, supported
from pyconv._engine.output_arrays import empty, is_masked, plain_array
from pyconv._engine.problem import (
    boundary_names,
    flag,
    integer,
    memory_limit,
    positive,
    several,
    spatial_axes,
)
from pyconv._large.arrays import dtype_of, shape_of
from pyconv._large.ome_zarr import (
    AXES,
    axis_names,
    blocks,
    described,
    made_array,
    opened_group,
)
from pyconv._large.pieces import Layout
from pyconv._large.streams import DEFAULT_MEMORY, Job, planned, progress_bar
from pyconv._large.windows import dtype_of_samples
from pyconv._pieces import PiecePlan, Reach
from pyconv._pieces.plan import Source
from pyconv._pieces.reach import Run

Array = npt.NDArray[Any]
#: Binary digits of the numbers that sums in single and in double precision hold exactly.
SINGLE, DOUBLE = 24, 53
#: The standard deviation of a Gaussian for each sample of its factor.
SIGMA = 0.5
#: Axes that may shrink.
MAX_AXES = 3
#: What samples may become.
METHODS = ("mean", "gaussian", "nearest")


class Reduction:
    """One step of a pyramid: how an array of any size becomes the next smaller one.

    Parameters
    ----------
    method : {'mean', 'gaussian', 'nearest'}
        How samples are made of those that they stand for.
    axes, factors : sequence of int
        The axes that shrink, and by how much.
    sigma : sequence of float or None
        Standard deviations along the axes, of ``gaussian``.
    boundary : sequence of str
        What is read outside along each of the axes.
    """

    def __init__(
        self,
        method: str,
        axes: Sequence[int],
        factors: Sequence[int],
        sigma: Sequence[float] | None,
        boundary: Sequence[str],
    ) -> None:
        kept = [i for i, factor in enumerate(factors) if factor > 1]
        self.method = method
        self.axes = tuple(axes[i] for i in kept)
        self.factors = tuple(factors[i] for i in kept)
        widths = [SIGMA * f for f in factors] if sigma is None else sigma
        self.sigma = tuple(widths[i] for i in kept)
        self.boundary = tuple(boundary[i] for i in kept)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that an array of a shape shrinks to."""
        smaller = [*shape]
        for axis, factor in zip(self.axes, self.factors, strict=True):
            smaller[axis] = -(-shape[axis] // factor)
        return tuple(smaller)

    def places(
        self, levels: int, spacing: Sequence[float]
    ) -> tuple[list[list[float]], list[list[float]]]:
        """Return the distance of samples of each level, and where its first sample lies.

        A mean lies in the middle of what it is the mean of.
        """
        scales, shifts = [[*spacing]], [[0.0] * len(spacing)]
        for _ in range(1, levels):
            scale, shift = [*scales[-1]], [*shifts[-1]]
            for axis, factor in zip(self.axes, self.factors, strict=True):
                if self.method == "mean":
                    shift[axis] += (factor - 1) / 2 * scale[axis]
                scale[axis] *= factor
            scales.append(scale)
            shifts.append(shift)
        return scales, shifts

    def plan(
        self, shape: tuple[int, ...], dtype: np.dtype, same: bool
    ) -> tuple[PiecePlan, Quotient | None]:
        """Return what makes the next array, or the ``same``, piece by piece."""
        if same or not self.axes or self.method == "nearest":
            return Picked(shape, dtype, None if same else self), None
        step = self.step(shape, dtype)
        source = Source(shape, dtype)
        return planned(step.function, source, step.arguments, step.options), step.after

    def step(self, shape: tuple[int, ...], dtype: np.dtype) -> Step:
        """Return the call that makes the next array of one that has a shape and a dtype."""
        axes, stride, boundary = self.axes, self.factors, self.boundary
        whole = dtype.kind in "iu"
        if self.method == "gaussian":
            from pyconv._filters.smoothing import gaussian

            options: dict[str, Any] = {"axes": axes, "stride": stride, "boundary": boundary}
            return Step(
                gaussian, (self.sigma,), options | ({"dtype": native_dtype(dtype)} if whole else {})
            )
        ends = [-shape[a] % f for a, f in zip(axes, stride, strict=True)]
        options = {
            "mode": [(0, end) for end in ends],
            "boundary": boundary,
            "axes": axes,
            "stride": stride,
        }
        count = math.prod(stride)
        exact = count & (count - 1) == 0  # the weights are, and products
        if not whole:
            sums = np.float32 if exact and dtype.newbyteorder("=").char in "efF" else np.float64
            options["dtype"] = native_dtype(dtype)
            return Step(correlate, (np.full(stride, 1 / count, sums),), options)
        digits = 8 * dtype.itemsize + count.bit_length() - 1
        if exact and digits <= DOUBLE:  # no sum is rounded before the last
            sums = np.float32 if digits <= SINGLE else np.float64
            options |= {"dtype": native_dtype(dtype), "overflow": "saturate"}
            return Step(correlate, (np.full(stride, 1 / count, sums),), options)
        return Step(
            correlate, (np.ones(stride, np.uint8),), options, Quotient(count, native_dtype(dtype))
        )

    def __call__(self, x: Any, workers: int | None = None) -> Any:
        """Return the next smaller array, of an array of NumPy or dask."""
        if not self.axes or 0 in x.shape or self.method == "nearest":
            kept = x[self.kept(x.ndim)]
            return kept.copy() if isinstance(x, np.ndarray) else kept
        step = self.step(x.shape, x.dtype)
        y = step.function(x, *step.arguments, **step.options, workers=workers)
        return y if step.after is None else step.after(y)

    def kept(self, ndim: int) -> tuple[slice, ...]:
        """Return every so many samples along each axis."""
        kept = [slice(None)] * ndim
        for axis, factor in zip(self.axes, self.factors, strict=True):
            kept[axis] = slice(None, None, factor)
        return tuple(kept)


class Step(NamedTuple):
    """A call of this package, without its array, and what becomes of each of its results."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    after: Quotient | None = None


@dataclass(frozen=True, slots=True)
class Quotient:
    """The division of exact sums of integers, rounded half to even."""

    count: int
    dtype: np.dtype

    def __call__(self, sums: Any) -> Any:
        """Return the quotients, of an array of NumPy or dask."""
        count = sums.dtype.type(self.count)
        quotient = sums // count
        rest = sums - quotient * count
        # 2 · rest could overflow.
        up = (rest > count - rest) | ((rest == count - rest) & (quotient & 1 == 1))
        return (quotient + up).astype(self.dtype)


def reduction(
    shape: tuple[int, ...],
    dtype: np.dtype,
    factor: int | Sequence[int],
    method: object,
    sigma: float | Sequence[float] | None,
    axes: int | Sequence[int] | None,
    boundary: str | Sequence[str],
) -> Reduction:
    """Return the steps of a pyramid of an array; ValueError, TypeError for what is not allowed."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; allowed are {', '.join(METHODS)}")
    supported(dtype, "x")
    if method != "nearest" and dtype.kind == "b":
        raise TypeError(f"x has dtype bool, and no {method}; allowed is method='nearest'")
    if axes is None and len(shape) > 2:
        raise ValueError(
            f"x has shape {shape}: axes= says which axes shrink, like (-2, -1) for rows and columns"
        )
    named = (axes,) if several(axes) is None else several(axes)
    n = len(shape) if axes is None else len(named or ())
    if not 1 <= n <= MAX_AXES:
        raise ValueError(f"axes={axes!r}: from 1 to {MAX_AXES} axes are allowed")
    where = spatial_axes(tuple(range(n)) if axes is None else axes, n, shape)
    factors = positive(factor, n, "factor")
    names = boundary_names(boundary, n, 0)
    if sigma is None:
        return Reduction(method, where, factors, None, names)
    if method != "gaussian":
        raise ValueError(f"sigma={sigma!r} is for method='gaussian', not {method!r}")
    given = several(sigma)
    widths: Sequence[Any] = (sigma,) * n if given is None else given
    if len(widths) != n:
        raise ValueError(f"sigma={sigma!r}: a number, or {n} of them, are allowed")
    return Reduction(method, where, factors, widths, names)


class Picked(PiecePlan):
    """Every so many samples, or all of them, as they are."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, step: Reduction | None) -> None:
        factors = {} if step is None else dict(zip(step.axes, step.factors, strict=True))
        reaches = [
            Reach(axis, shape[axis], -(-shape[axis] // factor), stride=factor)
            for axis, factor in factors.items()
        ]
        super().__init__("pick", Source(shape, dtype), reaches, dtype)
        self._steps = [factors.get(axis, 1) for axis in range(len(shape))]

    def _solve(
        self, block: Array, runs: list[Run], mask: Array | None, workers: int | None
    ) -> Array:
        kept = zip(runs, self._steps, strict=True)
        part = block[tuple(slice(run.first, None, step) for run, step in kept)]
        y = empty(part.shape, part.dtype)
        np.copyto(y, part)
        return y


def streamed(
    x: Any,
    levels: int,
    step: Reduction,
    target: Any,
    version: str,
    names: str | Sequence[str] | None,
    spacing: float | Sequence[float],
    units: str | Mapping[str, str] | None,
    chunks: int | Sequence[int] | None,
    shards: int | Sequence[int] | None,
    overwrite: bool,
    max_memory: int | None,
    progress: bool,
    workers: int | None,
) -> list[Any]:
    """Write the levels of a pyramid to OME-Zarr; return their arrays."""
    shape, dtype = shape_of(x), dtype_of_samples(x)
    if 0 in shape:
        raise ValueError(f"x has shape {shape}, and no samples to write to target=")
    granted = DEFAULT_MEMORY if max_memory is None else memory_limit(max_memory)
    named = axis_names(names, len(shape))
    scales, translations = step.places(levels, _spacing(spacing, len(shape)))
    of_units = _units(units, named)
    group = opened_group(target, version, flag(overwrite, "overwrite"))
    arrays: list[Any] = []
    jobs: list[tuple[Job, Layout]] = []
    for level in range(levels):
        size = blocks(shape, step.axes, chunks)
        shard = None if shards is None else _shards(blocks(shape, step.axes, shards), size, shape)
        made = made_array(group, str(level), shape, dtype, size, shard, named)
        # What is read from x is not compressed, or no longer than what was made of it.
        before = x if level < 2 else arrays[-1]
        arrays.append(made)
        plan, after = step.plan(shape_of(before), dtype, level == 0)
        job = Job(plan, before, made, after=after)
        jobs.append((job, job.layout(granted)))
        shape = step.shape(shape)
    count = sum(layout.count(job.plan.shape) for job, layout in jobs)
    with progress_bar(count) if flag(progress, "progress") else nullcontext() as bar:
        for job, layout in jobs:
            job.run(layout, 0, workers, None if bar is None else bar.update)
    title = str(group.name).strip("/") or "image"
    group.attrs.update(
        described(named, of_units, scales, translations, version, step.method, title)
    )
    return arrays


def _check_unused(
    version: Any, names: Any, spacing: Any, units: Any, chunks: Any, shards: Any, max_memory: Any
) -> None:
    """Raise TypeError for options of a file where none is written."""
    given = {
        "version": None if isinstance(version, str) and version == "0.5" else version,
        "names": names,
        "spacing": None if isinstance(spacing, int | float) and spacing == 1 else spacing,
        "units": units,
        "chunks": chunks,
        "shards": shards,
        "max_memory": max_memory,
    }
    for name, value in given.items():
        if value is not None:
            raise TypeError(f"{name}={value!r} is an option of target=, which is not given")


def _spacing(spacing: Any, ndim: int) -> tuple[float, ...]:
    given = several(spacing)
    found = (spacing,) * ndim if given is None else given
    numbers = all(isinstance(s, int | float | np.number) and s > 0 for s in found)
    if len(found) != ndim or not numbers:
        raise ValueError(f"spacing={spacing!r}: a positive number, or {ndim} of them, are allowed")
    return tuple(map(float, found))


def _units(units: Any, names: Sequence[str]) -> dict[str, str]:
    """Return the units of axes by their names; one word is that of all of space."""
    if units is None:
        return {}
    if isinstance(units, str):
        return {name: units for name in names if AXES[name] == "space"}
    if not isinstance(units, Mapping) or not set(units) <= set(names):
        raise ValueError(
            f"units={units!r}: a word for the axes of space, or a mapping from the names of axes, "
            f"{', '.join(names)}, is allowed"
        )
    return dict(units)


def _shards(shards: Sequence[int], chunks: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Return shards of whole chunks, no larger than the array asks for."""
    most = [-(-n // c) * c for n, c in zip(shape, chunks, strict=True)]
    return tuple(min(-(-s // c) * c, m) for s, c, m in zip(shards, chunks, most, strict=True))


def pyramid(
    x: Any,
    levels: int,
    factor: int | Sequence[int] = 2,
    *,
    method: str = "mean",
    sigma: float | Sequence[float] | None = None,
    axes: int | Sequence[int] | None = None,
    boundary: str | Sequence[str] = "symmetric",
    workers: int | None = None,
    target: Any = None,
    version: str = "0.5",
    names: str | Sequence[str] | None = None,
    spacing: float | Sequence[float] = 1.0,
    units: str | Mapping[str, str] | None = None,
    chunks: int | Sequence[int] | None = None,
    shards: int | Sequence[int] | None = None,
    overwrite: bool = False,
    max_memory: int | None = None,
    progress: bool = False,
) -> list[Any]:
    r"""Return an array at several resolutions, each made of the one before.

    Parameters
    ----------
    x : array_like or dask.array.Array
        The array of full resolution; integer, floating-point or complex. bool has no means, and
        needs ``method='nearest'``. With a `target` anything with ``shape``, ``dtype`` and slices,
        as for `stream`.
    levels : int
        How many arrays are returned, `x` among them.
    factor : int or sequence of int, optional
        By how much each step shrinks all of `axes`, or each; 1 leaves an axis as it is.
    method : {'mean', 'gaussian', 'nearest'}, optional
        What a sample becomes that stands for `factor` samples along each axis:

        - ``mean``, the default: their mean
        - ``gaussian``: the first of them in the smoothed array
        - ``nearest``: the first of them. Labels have no means.
    sigma : float or sequence of float, optional
        Standard deviations of ``gaussian`` in samples; by default half of `factor`.
    axes : int or sequence of int, optional
        One to three axes that shrink. By default all axes of an array of one or two dimensions. An
        array of more needs `axes`.
    boundary : str or sequence of str, optional
        What is read outside, as for `correlate`. An axis that is no multiple of `factor` ends with
        a sample that stands for fewer samples, and reads outside for the others: with a `factor`
        of 2 and ``symmetric`` it is the last sample.
    workers : int, optional
        Threads to use at most, as for `correlate`.
    target : path or zarr.Group, optional
        Where all levels are written, as OME-Zarr. What is held in memory is `max_memory`.
    version : {'0.5', '0.4'}, optional
        The version of OME-Zarr; 0.5 is of zarr's format 3, 0.4 of format 2.
    names : str or sequence of str, optional
        The names of the axes, letters of ``tczyx`` in this order; by default the last ones.
    spacing : float or sequence of float, optional
        The distance of neighbouring samples of `x`, along all axes or each.
    units : str or mapping, optional
        The unit of `spacing` along the axes of space, or units by names of axes, such as
        ``{"t": "second", "x": "micrometer"}``.
    chunks, shards : int or sequence of int, optional
        In which blocks arrays are stored, along all axes or each. By default chunks have about
        2\ :sup:`18` samples, and there are no shards.
    overwrite : bool, optional
        Replace what `target` holds, which is an error otherwise.
    max_memory : int, optional
        Bytes that are held at most where a `target` is written, as for `stream`.
    progress : bool, optional
        Show a bar of tqdm while a `target` is written.

    Returns
    -------
    list of ndarray, dask.array.Array or zarr.Array
        The arrays, from `x` on, or those of `target`. Level :math:`k` of an axis of n samples has
        :math:`\lceil n / f^k \rceil`. All have the dtype of `x`. Integers are rounded half to
        even: means from exact sums, others from floating-point sums. Of a dask array nothing is
        computed yet.

    Raises
    ------
    ValueError, TypeError
        For values, dtypes and combinations that are not allowed.
    OverflowError
        If the sums of means of 64-bit integers might not fit 64 bits.
    MemoryError, StreamError, StreamInterrupted
        As `stream`, where a `target` is written. Its metadata are written last.
    ImportError
        If a `target` is given and zarr 3 is not installed.

    See Also
    --------
    pyconv.filters.gaussian : with ``stride``, one step of a Gaussian pyramid.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = np.arange(16, dtype=np.uint8).reshape(4, 4)
    >>> for level in pyconv.pyramid(x, 3):
    ...     print(level.tolist())
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    [[2, 4], [10, 12]]
    [[7]]

    A stack, whose planes stay as many:

    >>> stack = np.zeros((5, 64, 48), np.uint16)
    >>> [level.shape for level in pyconv.pyramid(stack, 3, method="gaussian", axes=(1, 2))]
    [(5, 64, 48), (5, 32, 24), (5, 16, 12)]
    """
    count = integer(levels, "levels")
    if count < 1:
        raise ValueError(f"levels={levels!r}: at least 1 is allowed")
    taken = hasattr(x, "dask") or (target is not None and hasattr(x, "shape"))
    array = x if taken and not is_masked(x) else plain_array(x, "x")
    flag(overwrite, "overwrite")
    flag(progress, "progress")
    if target is None:
        _check_unused(version, names, spacing, units, chunks, shards, max_memory)
    step = reduction(shape_of(array), dtype_of(array), factor, method, sigma, axes, boundary)
    if target is not None:
        return streamed(
            array, count, step, target, version, names, spacing, units, chunks, shards, overwrite,
            max_memory, progress, workers,
        )  # fmt: skip
    found = [array]
    while len(found) < count:
        found.append(step(found[-1], workers))
    return found
