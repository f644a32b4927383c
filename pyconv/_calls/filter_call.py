"""A call of a filter: its source, its options, and the way to its result.

Kernels that are products of factors go along one axis after the other (`separable_passes`). Other
kernels, and those of a call that asks for one kernel of all axes, are those of `correlate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import kernels
from pyconv._calls.correlation import correlate
from pyconv._calls.missing.call import check_quotient
from pyconv._calls.missing.mask import (
    check_seen,
    holds_nan,
    items_with_gaps,
    leaves_out,
    split_mask,
)
from pyconv._calls.missing.weights import check_balance
from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.dtypes import (
    LIMITS,
    check_rounded,
    is_integer,
    native_dtype,
    result_interval,
    supported,
)
from pyconv._engine.output_arrays import check_out, empty, writable_in_place
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import PLAIN, PLANNER, exact_key, prepare
from pyconv._engine.problem import (
    CallOptions,
    boundary_names,
    integer,
    memory_limit,
    positive,
    several,
    spatial_axes,
)
from pyconv._engine.rounding_planning import rounded_run
from pyconv._engine.separable_passes import (
    Filter,
    Runner,
    Wanted,
    means_runner,
    narrowed,
    runner,
)
from pyconv._native.calls import filter_key

Array = npt.NDArray[Any]
Axes = int | Sequence[int] | None
Boundary = str | Sequence[str]

#: Samples of a block that stays in the cache while it is rounded, or its squares are summed.
BLOCK = 2**15
#: What a message about ``out`` ends with.
HINT = "; pass dtype= for another result"
#: What a message calls the weights of a filter.
KERNEL = "the kernel"
#: Samples of items with gaps that are gathered. Larger items are filtered one by one.
GATHERED = 1 << 18


class Options(NamedTuple):
    """What every filter takes besides its array and its kernel.

    A call hands them on as a plain tuple, in this order, as this one takes a tenth of a small call.
    """

    boundary: Boundary
    fill_value: complex
    stride: int | Sequence[int]
    dtype: npt.DTypeLike | None
    overflow: str
    nan_policy: str
    mask: npt.ArrayLike | None
    out: Array | None
    method: str
    rtol: float | None
    max_memory: int | None
    workers: int | None


_MASK, _OUT, _WORKERS = map(Options._fields.index, ("mask", "out", "workers"))


def filtered(
    solve: Callable[..., Array],
    x: Any,
    axes: Axes,
    ndims: tuple[int, ...],
    given: tuple[Any, ...],
    *arguments: object,
) -> Array:
    """Return ``solve(call, *arguments)`` of the `Options` that are given.

    Where that is no more than a planned run, the run is kept with all that decides it: of a small
    array the rest of a call takes several times as long.
    """
    out = given[_OUT]
    key = filter_key(solve, x, axes, arguments, given, _OUT, PLAIN)
    if key is None:
        key = _exact_key(solve, x, axes, arguments, given)
    if key is not None:
        found: tuple[Runner, tuple[int, ...], np.dtype] | None = CALLS.found.get(key)
        if found is not None:
            run, shape, dtype = found
            if out is None:
                return run(x, None, given[_WORKERS])
            check_out(out, shape, dtype, HINT)
            return _written(run, x, out, given[_WORKERS])
    options = Options._make(given)
    if key is None and is_planned(x, options.mask):
        return in_pieces("filter", solve, x, axes, ndims, options, arguments)
    call = Call(x, axes, ndims, options)
    y = solve(call, *arguments)
    if key is not None and call.run is not None and options.nan_policy == "propagate":
        CALLS.keep(key, (call.run, y.shape, native_dtype(y.dtype)))
    return y


def _exact_key(
    solve: Callable[..., Array],
    x: Any,
    axes: Axes,
    arguments: tuple[object, ...],
    given: tuple[Any, ...],
) -> tuple[object, ...] | None:
    """Return what tells a call with sequences among its options from others, as `filter_key`."""
    out = given[_OUT]
    if type(x) is not np.ndarray or given[_MASK] is not None:
        return None
    if out is not None:
        if type(out) is not np.ndarray:
            return None
        given = (*given[:_OUT], out.dtype, *given[_OUT + 1 :])
    exact = exact_key((axes, *arguments, *given))
    return None if exact is None else (solve, x.shape, x.dtype, exact)


def _written(run: Runner, x: Array, out: Array, workers: int | None) -> Array:
    """Return ``out`` with the result of a run; it may share memory with ``x``."""
    y = run(x, out if writable_in_place(out, x) else None, workers)
    if y is not out:
        out[...] = y
    return out


def _rounded(
    run: Runner,
    shape: tuple[int, ...],
    dtype: np.dtype,
    x: Array,
    y: Array | None,
    workers: int | None,
) -> Array:
    """Return a run's floats, rounded to integers."""
    return run(x, empty(shape, dtype) if y is None else y, workers)


class Call:
    """A source and the axes along which it is filtered."""

    def __init__(
        self, x: npt.ArrayLike, axes: Axes, ndims: tuple[int, ...], options: Options
    ) -> None:
        leaves_out_samples = leaves_out(x, options.nan_policy, options.mask)
        self.x, self.mask = split_mask(x, options.mask)
        supported(self.x.dtype, "x")
        self.axes = _filtered_axes(axes, ndims, self.x.shape)
        #: Every so many results are kept along each axis, empty for all; the shape of the result.
        self.strides: tuple[int, ...] = ()
        self.shape = self.x.shape
        if type(options.stride) is not int or options.stride != 1:  # which small calls would notice
            self.strides = positive(options.stride, self.n, "stride")
            shape = [*self.x.shape]
            for axis, stride in zip(self.axes, self.strides, strict=True):
                shape[axis] = -(-shape[axis] // stride)
            self.shape = tuple(shape)
        if options.max_memory is not None:
            memory_limit(options.max_memory)
        PLANNER.check_method(options.method)
        if options.dtype is not None:
            options = options._replace(dtype=supported(options.dtype, "dtype"))
        check_seen(options.nan_policy, self.x, self.mask)
        #: Whether the kernel has to be one that can leave samples out.
        self.leaves_out = leaves_out_samples
        self.options = options
        #: What gave the whole result, if that is no more than a planned run.
        self.run: Runner | None = None

    @property
    def n(self) -> int:
        """Return how many axes are filtered."""
        return len(self.axes)

    def position(self, axis: object) -> int:
        """Return the kernel axis that acts on an axis of ``x``."""
        number = integer(axis, "axis")
        counted = number + self.x.ndim if number < 0 else number
        if counted not in self.axes:
            raise ValueError(f"axis={axis!r}: one of axes={self.axes} is allowed")
        return self.axes.index(counted)

    def into(self, y: Array) -> Call:
        """Return the call whose result is written to ``y``."""
        other = copy(self)
        other.options = self.options._replace(dtype=y.dtype, out=y)
        return other

    # ---- one kernel

    def products(self, terms: Sequence[Sequence[Array]], mean: bool = False) -> Array:
        """Return the result of a sum of product kernels, given by their factors along the axes.

        Real sums go along one axis after the other (`passes`). Exact ones, and those of an
        algorithm or an error that are asked for, which are of one call, are those of one kernel.
        """
        whole = all(is_integer(row.dtype) for rows in terms for row in rows)
        if self._is_one_kernel():
            return self.once(self._kernel(terms), mean)
        if whole and is_integer(self.x.dtype):
            return self.once(kernels.summed(terms), mean)
        if self.leaves_out:
            return self.without_missing(
                lambda call: call.products(terms, mean), lambda: self._kernel(terms)
            )
        return self._result(partial(self._passes, terms), partial(kernels.summed, terms), mean)

    def _is_one_kernel(self) -> bool:
        """Return whether something is asked for that one call of all axes has."""
        return self.options.rtol is not None or self.options.method != "auto"

    def _kernel(self, terms: Sequence[Sequence[Array]]) -> Array:
        """Return the kernel of all axes; ValueError if it would have too many weights."""
        terms = self._narrowed(terms)
        for rows in terms:
            kernels.check_all(rows, self._asked())
        return kernels.summed(terms)

    def _asked(self) -> str:
        """Return the argument that asks for one kernel of all axes."""
        options = self.options
        if options.rtol is not None:
            return f"rtol={options.rtol!r}"
        if options.method != "auto":
            return f"method={options.method!r}"
        if self.mask is not None:
            return "mask"
        if self.leaves_out:
            return f"nan_policy={options.nan_policy!r}"
        return f"max_memory={options.max_memory!r}"

    def _narrowed(self, terms: Sequence[Sequence[Array]]) -> Sequence[Sequence[Array]]:
        """Return factors that read each sample once, where all of an axis can be made such."""
        boundaries = boundary_names(self.options.boundary, self.n, self.options.fill_value)
        along = []
        for i, every in enumerate(zip(*terms, strict=True)):
            size, boundary, low = self.x.shape[self.axes[i]], boundaries[i], len(every[0]) // 2
            fewer = [narrowed(row, low, size, boundary) if size else (row, low) for row in every]
            if size == 1 and boundary != "constant" and all(row.min() >= 0 for row in every):
                along.append([row.sum(keepdims=True) for row in every])
            elif all(low == len(row) // 2 and len(row) == len(fewer[0][0]) for row, low in fewer):
                along.append([row for row, _ in fewer])
            else:
                along.append([*every])
        return list(zip(*along, strict=True))

    def means(self, rows: Sequence[Array]) -> Array:
        """Return the means of boxes that are given by their weights along the axes."""
        size = tuple(map(len, rows))
        if self.leaves_out:
            if self._is_one_kernel():
                return self.once(self._kernel([rows]))
            return self.without_missing(lambda call: call.means(rows), lambda: self._kernel([rows]))
        run = partial(self._boxes, rows)
        if self._is_one_kernel():
            kernels.check_all(rows, self._asked())
            run = partial(self._one_kernel, self._weights(kernels.outer(rows)))
        else:
            run = partial(self._means, size, run)
        return self._result(run, partial(kernels.outer, rows), mean=True)

    def _passes(
        self, terms: Sequence[Sequence[Array]], options: Options, rounded: Array | None = None
    ) -> Array:
        what = self._filter(terms, [len(row) // 2 for row in terms[0]], options)
        planned = partial(runner, self.x.shape, self.x.dtype, what)
        return self._filtered(planned, terms, options, rounded)

    def _boxes(
        self, rows: Sequence[Array], options: Options, rounded: Array | None = None
    ) -> Array:
        size = tuple(map(len, rows))
        what = self._filter([], [n // 2 for n in size], options)
        planned = partial(means_runner, self.x.shape, self.x.dtype, size, what)
        return self._filtered(planned, [rows], options, rounded)

    def _filter(
        self, terms: Sequence[Sequence[Array]], lows: Sequence[int], options: Options
    ) -> Filter:
        boundaries = boundary_names(options.boundary, self.n, options.fill_value)
        return Filter(
            tuple(tuple(row.astype(np.float64, copy=False) for row in rows) for rows in terms),
            self.axes,
            tuple(lows),
            boundaries,
            options.fill_value,
            strides=self.strides,
        )

    def _filtered(
        self,
        planned: Callable[[Wanted], Runner],
        terms: Sequence[Sequence[Array]],
        options: Options,
        rounded: Array | None,
    ) -> Array:
        """Return what passes write to an array that they may write to.

        Where they would take more memory than is granted, it is the result of one kernel.
        """
        out = options.out
        if rounded is None and out is not None:
            check_out(out, self.shape, self._result_dtype(options), HINT)
        try:
            run = planned(self._wanted(options, rounded))
        except MemoryError:
            w = self._weights(self._kernel(terms))
            return self._one_kernel(w, options, rounded)
        if rounded is not None:
            self.run = partial(_rounded, run, rounded.shape, rounded.dtype)
            return run(self.x, rounded, options.workers)
        self.run = run
        if out is None:
            return run(self.x, None, options.workers)
        return _written(run, self.x, out, options.workers)

    def _wanted(self, options: Options, rounded: Array | None) -> Wanted:
        """Return what is wanted of passes; results that are to be ``rounded`` are real ones."""
        result = None if options.dtype is None or rounded is not None else np.dtype(options.dtype)
        return Wanted(self._sums_of_real_weights(), result, options.overflow, options.max_memory)

    def _result_dtype(self, options: Options) -> np.dtype:
        """Return the dtype of real sums."""
        if options.dtype is not None:
            return np.dtype(options.dtype)
        return np.result_type(self.x.dtype, np.float32)

    def _means(
        self,
        size: tuple[int, ...],
        run: Callable[..., Array],
        options: Options,
        rounded: Array | None = None,
    ) -> Array:
        """Return the means of boxes; those of 8 bits are rounded from exact sums."""
        if rounded is None:
            return run(options, rounded)
        exact = rounded_run(
            self.x.shape, self.x.dtype, size, None, "same", options.boundary, options.fill_value,
            self.axes, rounded.dtype, options.overflow, stride=self.strides or 1,
            max_memory=options.max_memory,
        )  # fmt: skip
        if exact is None:
            return run(options, rounded)
        self.run = exact
        return exact(self.x, rounded, options.workers)

    def once(self, w: Array, mean: bool = False) -> Array:
        """Return the result of one kernel; that of a ``mean`` lies among the samples."""
        w = self._weights(w)
        if self.leaves_out:
            check_balance(w, KERNEL)
            if self._may_miss():
                return self._gapped(w)
        return self._result(partial(self._one_kernel, w), lambda: w, mean)

    def _one_kernel(self, w: Array, options: Options, rounded: Array | None = None) -> Array:
        prepared = prepare(self.x, w, call_options(self.axes, options))
        if rounded is not None:

            def run(x: Array, y: Array | None, workers: int | None) -> Array:
                return prepared.plan(x, w).solve(x, w, y, workers)

            self.run = partial(_rounded, run, rounded.shape, rounded.dtype)
            return run(self.x, rounded, options.workers)
        self.run = lambda x, y, workers: prepared.run(x, w, y, workers)
        if options.out is None:
            return self.run(self.x, None, options.workers)
        problem = prepared.problem
        check_out(options.out, problem.y_shape, problem.dtype, HINT)
        return _written(self.run, self.x, options.out, options.workers)

    def _weights(self, w: Array) -> Array:
        """Return ``w`` in the dtype in which products are summed: integers stay exact."""
        if is_integer(w.dtype) and is_integer(self.x.dtype):
            return w
        return w.astype(self._sums_of_real_weights())

    def _sums_of_real_weights(self) -> np.dtype:
        """Return the dtype of weights that are not whole, or of samples that are not."""
        sums = np.result_type(self.x.dtype, np.float32, self._real_part(self.options.dtype))
        return np.zeros((), sums).real.dtype

    @staticmethod
    def _real_part(dtype: Any) -> np.dtype:
        return np.dtype(np.float32) if dtype is None or is_integer(dtype) else dtype

    def _result(self, run: Callable[..., Array], kernel: Callable[[], Array], mean: bool) -> Array:
        """Return the result of ``run`` in the dtype that is asked for.

        Integer results of fractional weights are rounded from floating-point ones: those that
        are asked of `correlate` have to be plain sums.
        """
        options = self.options
        dtype: Any = options.dtype
        half = np.dtype(np.float16)
        if dtype is None and self.x.dtype.newbyteorder("=") == half:
            return run(options._replace(dtype=half))
        if dtype is None or not is_integer(dtype) or self.x.dtype.kind == "c":
            return run(options)
        if mean and options.overflow == "raise" and self._holds_samples(dtype):
            options = options._replace(overflow="saturate")  # only rounding could lead out
        if options.rtol is not None or (is_integer(self.x.dtype) and is_integer(kernel().dtype)):
            return run(options)
        if options.overflow == "raise":
            self._check_range(kernel(), dtype)
        policy = "saturate" if options.overflow == "raise" else options.overflow
        y = self.destination(self.shape, dtype)
        run(options._replace(dtype=None, overflow=policy, out=None), y)
        if options.overflow == "raise":
            self.run = None  # other samples may overflow
        return self.returned(y)

    def _check_range(self, w: Array, dtype: np.dtype) -> None:
        """Raise OverflowError if rounded sums may not fit an integer dtype."""
        sums = self._sums_of_real_weights()
        check_rounded(result_interval(self.x, w, self._fill()), w.size, sums, dtype, "raise")

    def _fill(self) -> float | None:
        """Return the number that is read outside, if one is."""
        fill: Any = self.options.fill_value
        names = boundary_names(self.options.boundary, self.n, fill)
        return fill if "constant" in names and isinstance(fill, int | float) else None

    def _holds_samples(self, dtype: np.dtype) -> bool:
        """Return whether an integer dtype has a value for everything that is read."""
        low, high = LIMITS[dtype]
        fill = self._fill()
        return np.can_cast(self.x.dtype, dtype) and (fill is None or bool(low <= fill <= high))

    # ---- missing samples

    def _may_miss(self) -> bool:
        """Return whether a sample can be missing at all."""
        omits = self.options.nan_policy == "omit"
        return self.mask is not None or (omits and (self.x.dtype.kind in "fc" or self._outside()))

    def _outside(self) -> bool:
        """Return whether what is outside counts as missing: a fill value that is NaN says so."""
        fill: Any = self.options.fill_value
        names = boundary_names(self.options.boundary, self.n, fill)
        return (
            "constant" in names and isinstance(fill, float | complex | np.number) and fill != fill
        )

    def misses(self) -> bool:
        """Return whether a sample is missing."""
        if self.mask is not None and self.mask.any():
            return True
        return self.options.nan_policy == "omit" and (self._outside() or holds_nan(self.x))

    def without_missing(
        self,
        plain: Callable[[Call], Array],
        kernel: Callable[[], Array],
        gapped: Callable[[Call, Array], Array] | None = None,
    ) -> Array:
        """Return the result of ``plain`` for items with nothing missing, others by one kernel.

        An item has the bits that it has alone.
        """
        w = self._weights(kernel())
        check_balance(w, KERNEL)
        whole = copy(self)
        whole.leaves_out = False
        if not self._may_miss():
            return plain(whole)
        solve = Call._gapped if gapped is None else gapped
        dtype = self._quotient_dtype(w)
        if self.options.out is not None:
            check_out(self.options.out, self.shape, dtype, HINT)
        whole.options = self.options._replace(dtype=dtype)
        if not self.misses():
            return plain(whole)
        gaps = None
        batch = [axis for axis in range(self.x.ndim) if axis not in self.axes]
        several_items = math.prod(self.x.shape[axis] for axis in batch) > 1
        if several_items and not self._outside() and self.options.max_memory is None:
            omits = self.options.nan_policy == "omit"
            gaps = items_with_gaps(self.x, self.mask, omits, self.axes)
        if gaps is None or gaps.all():
            return solve(self, w)
        y = self.destination(self.shape, dtype)
        plain(whole.into(y))
        self._fill_gapped(y, gaps, batch, lambda call: solve(call, w))
        return self.returned(y)

    def unsharp(
        self, rows: Sequence[Array], amount: float, terms: Sequence[Sequence[Array]]
    ) -> Array:
        """Return samples and ``amount`` times what a Gaussian, given by its factors, takes away.

        A sample that is missing is what the Gaussian makes of the others. With none missing it is
        the result of ``terms``.
        """

        def gapped(call: Call, w: Array) -> Array:
            dtype = call._quotient_dtype(w)
            smooth = copy(call)
            sums = np.promote_types(dtype, np.float32)
            smooth.options = call.options._replace(dtype=sums, out=None)
            y = smooth._gapped(w)
            call._sharpen(y, amount)
            with np.errstate(all="ignore"):
                return call.returned(y.astype(dtype, copy=False))

        return self.without_missing(
            lambda call: call.products(terms), lambda: self._kernel([rows]), gapped
        )

    def _kept(self) -> tuple[slice, ...]:
        """Return where the results lie that the strides leave."""
        kept = [slice(None)] * self.x.ndim
        for axis, stride in zip(self.axes, self.strides, strict=False):
            kept[axis] = slice(None, None, stride)
        return tuple(kept)

    def _sharpen(self, y: Array, amount: float) -> None:
        """Write samples and ``amount`` times their difference from ``y`` to that."""
        kept = self._kept()
        x = self.x[kept]
        mask = None if self.mask is None else self.mask[kept]
        rows = max(1, BLOCK * len(y) // max(1, y.size))
        with np.errstate(all="ignore"):
            for start in range(0, len(y), rows):
                some = slice(start, start + rows)
                smooth, samples = y[some], x[some].astype(y.dtype)
                missing = np.zeros(samples.shape, np.bool) if mask is None else mask[some].copy()
                if self.options.nan_policy == "omit":
                    missing |= np.isnan(samples)
                samples[missing] = smooth[missing]
                y[some] = samples + amount * (samples - smooth)

    def _quotient_dtype(self, w: Array) -> np.dtype:
        """Return the dtype of a result that may be NaN; TypeError for one that cannot."""
        options, given = self.options, self.x.dtype.newbyteorder("=")
        if options.dtype is None:
            whole = is_integer(given) and is_integer(w.dtype)
            natural = np.dtype(np.float64) if whole else np.result_type(given, w)
            return given if given == np.float16 else natural
        check_quotient(options.dtype)
        return np.dtype(options.dtype)

    def _fill_gapped(
        self, y: Array, gaps: Array, batch: Sequence[int], solve: Callable[[Call], Array]
    ) -> None:
        """Write the results of items with gaps to ``y``."""
        front = range(len(batch))
        every, into = np.moveaxis(self.x, batch, front), np.moveaxis(y, batch, front)
        masks = None if self.mask is None else np.moveaxis(self.mask, batch, front)
        axes, places = sorted(self.axes), np.nonzero(gaps)
        most = max(1, GATHERED * gaps.size // self.x.size)
        some = copy(self)
        some.axes = tuple(1 + axes.index(axis) for axis in self.axes)
        some.options = self.options._replace(dtype=y.dtype, out=None)
        for start in range(0, len(places[0]), most):
            at = tuple(place[start : start + most] for place in places)
            some.x, some.mask = every[at], None if masks is None else masks[at]
            some.shape = (len(at[0]), *into.shape[len(batch) :])
            into[at] = solve(some)

    def _gapped(self, w: Array) -> Array:
        """Return the result of one kernel without what is missing."""
        options = self.options
        if options.dtype is None and self.x.dtype.newbyteorder("=") == np.float16:
            options = options._replace(dtype=np.dtype(np.float16))
        named = call_options(self.axes, options)._asdict()
        del named["flip"]
        return correlate(
            self.x,
            w,
            **named,
            nan_policy=options.nan_policy,
            mask=self.mask,
            out=options.out,
            workers=options.workers,
        )

    # ---- several kernels

    def real_dtype(self) -> np.dtype:
        """Return the dtype of a result whose parts are real, floating-point numbers."""
        if self.x.dtype.kind == "c":
            raise TypeError(f"x has dtype {self.x.dtype}; real dtypes are allowed")
        dtype: Any = self.options.dtype
        if dtype is None:
            half = self.x.dtype.newbyteorder("=") == np.float16
            return np.dtype(np.float16) if half else np.result_type(self.x.dtype, np.float32)
        if dtype.kind != "f":
            raise TypeError(f"dtype={dtype}: floating-point dtypes are allowed")
        return dtype

    def destination(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Return where a result of several kernels is made: ``out``, if it may be written to.

        One of them may be refused by the algorithm, or for the memory, that is asked for.
        """
        options, out = self.options, self.options.out
        if out is None:
            return empty(shape, dtype)
        check_out(out, shape, dtype, HINT)
        refused = options.method != "auto" or options.max_memory is not None
        return out if not refused and writable_in_place(out, self.x) else empty(shape, dtype)

    def returned(self, y: Array) -> Array:
        """Return the result, in ``out`` if that was given."""
        out = self.options.out
        if out is None or y is out:
            return y
        out[...] = y
        return out

    def _besides(self, taken: int) -> Call:
        """Return the call beside arrays of so many bytes."""
        granted = self.options.max_memory
        if granted is None:
            return self
        if granted < taken:
            raise MemoryError(
                f"max_memory={granted} is too little workspace for the parts of the result; "
                f"the least that would do is above {taken} bytes"
            )
        other = copy(self)
        other.options = self.options._replace(max_memory=granted - taken)
        return other

    def root_of_squares(self, parts: Sequence[Callable[[Call], Array]], y: Array) -> Array:
        """Write √(Σ part²) to ``y``; each part is what a call of some kernel returns."""
        sums = np.promote_types(y.dtype, np.float32)
        others = len(parts) - (y.dtype == sums)
        call = self._besides(others * y.size * sums.itemsize)
        results = [y] * (y.dtype == sums) + [empty(y.shape, sums) for _ in range(others)]
        runs: list[Runner | None] = []
        for part, result in zip(parts, results, strict=True):
            one = call.into(result)
            part(one)
            runs.append(one.run)
        _root_of_squares(results)
        if results[0] is not y:
            with np.errstate(all="ignore"):
                y[...] = results[0]
        elif None not in runs:
            self.run = partial(_root_of_runs, runs, y.shape, y.dtype)
        return y


def _root_of_runs(
    runs: Sequence[Any],
    shape: tuple[int, ...],
    dtype: np.dtype,
    x: Array,
    y: Array | None,
    workers: int | None,
) -> Array:
    """Return what `Call.root_of_squares` has returned, for another array."""
    results = [empty(shape, dtype) for _ in runs]
    for run, result in zip(runs, results, strict=True):
        run(x, result, workers)
    _root_of_squares(results)
    if y is None:
        return results[0]
    y[...] = results[0]
    return y


def _filtered_axes(axes: Axes, ndims: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that are filtered, where it is clear which."""
    words = " or ".join(map(str, ndims))
    if axes is None:
        n = len(shape)
        if n < min(ndims):
            return spatial_axes(None, min(ndims), shape)  # which says that it cannot be
        if n not in ndims or (n > 2 and len(ndims) > 1):
            raise ValueError(
                f"x has shape {shape}: axes= says along which {words} of its axes it is filtered, "
                "like (0, 1) for rows and columns, or (0, 1, 2) for a volume"
            )
        return tuple(range(n))
    given = several(axes)
    n = 1 if given is None else len(given)
    if n not in ndims:
        raise ValueError(f"axes={axes!r} names {n} axes; this filter acts on {words}")
    return spatial_axes(axes, n, shape)


def call_options(axes: Axes, options: Options) -> CallOptions:
    """Return the options of `correlate` for one kernel."""
    return CallOptions(
        mode="same",
        boundary=options.boundary,
        fill_value=options.fill_value,
        axes=axes,
        stride=options.stride,
        dtype=options.dtype,
        overflow=options.overflow,
        rtol=options.rtol,
        max_memory=options.max_memory,
        method=options.method,
    )


def _root_of_squares(parts: Sequence[Array]) -> None:
    """Write the root of the sum of squares to the first of some contiguous arrays.

    A block at a time stays in the cache. Where a square is too large or too small for the dtype
    the slow ``np.hypot`` is taken.
    """
    flat = [part.reshape(-1) for part in parts]
    total, square = (np.empty(min(BLOCK, flat[0].size), flat[0].dtype) for _ in range(2))
    for start in range(0, flat[0].size, BLOCK):
        first, *rest = (part[start : start + BLOCK] for part in flat)
        t, s = total[: first.size], square[: first.size]
        try:
            with np.errstate(over="raise", under="raise", invalid="ignore"):
                np.multiply(first, first, out=t)
                for part in rest:
                    np.multiply(part, part, out=s)
                    np.add(t, s, out=t)
                np.sqrt(t, out=first)
        except FloatingPointError:
            with np.errstate(all="ignore"):
                first[...] = reduce(np.hypot, rest, np.abs(first))
