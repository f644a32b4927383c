"""A call that leaves samples out."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._calls.missing.block_sums import BlockSums, Run, Sums, planned
from pyconv._calls.missing.mask import check_seen, holds_nan, items_with_gaps, split_mask
from pyconv._calls.missing.precision import SPARSE, THIN, is_affordable, is_local, is_transformed
from pyconv._calls.missing.weights import Weights, check_balance, weights_of
from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine import threads
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.algorithms.base import (
    NOTHING_LEFT,
    Algorithm,
    Left,
    Normalisation,
    Omit,
    OmittingAlgorithm,
    UnfitDataError,
    is_omitting,
)
from pyconv._engine.boundaries import boundary_name
from pyconv._engine.dtypes import DTYPES, is_integer, natural_dtype, supported
from pyconv._engine.output_arrays import check_out, empty, plain_array, writable_in_place
from pyconv._engine.planner import CALLS, kept
from pyconv._engine.planning import FEW_BYTES, Prepared, check_nan, exact_key, planner_of, prepare
from pyconv._engine.planning import BoundProblem as Bound
from pyconv._engine.problem import (
    CallOptions,
    Problem,
    check_whole_strides,
    flag,
    make_problem,
)
from pyconv._engine.separable_passes import Part
from pyconv._native import layout, loader

#: Samples of items that are gathered, of those with gaps and of those without.
#: Larger items are read and written where they lie, one by one.
GATHERED = 1 << 18
#: Sums of blocks that a call keeps prepared.
MOST_BLOCKS = 64
_NO_LOOP: tuple[Any, int, Any] = (None, 0, None)


def check_quotient(dtype: Any) -> None:
    """Raise TypeError for a dtype that cannot hold the results of a call with gaps."""
    if is_integer(supported(dtype, "dtype")):
        raise TypeError(
            f"dtype={dtype!r}: where samples are left out a result is a quotient, or NaN; a "
            "floating-point dtype is allowed"
        )


class _AtOnce(NamedTuple):
    """The plan of a call, and the loop that makes both of its sums."""

    bound: Bound
    solve: Omit
    #: Threads that its memory is enough for.
    most: int
    w: np.ndarray


class Omission:
    """A call that leaves samples out, without its samples.

    Parameters
    ----------
    x : ndarray
        An array of the call's shape and dtype.
    w : ndarray
        The weights.
    options : CallOptions
        The options of the call.
    omit_nan : bool
        Whether NaN are left out.
    masked : bool
        Whether samples may be masked.
    part : Part, optional
        Which results are made, if the array holds no more than the samples that those read.
    """

    def __init__(
        self,
        x: np.ndarray,
        w: np.ndarray,
        options: CallOptions,
        omit_nan: bool,
        masked: bool,
        part: Part | None = None,
    ) -> None:
        fill = options.fill_value
        #: Whether what is outside counts as missing: a fill value that is NaN says so.
        self._outside = omit_nan and isinstance(fill, float | complex | np.number) and fill != fill
        if self._outside:
            words = options.boundary
            for word in words if isinstance(words, tuple | list) else (words,):
                boundary_name(word, fill)
            options = options._replace(fill_value=0)
        self._omit_nan = omit_nan
        x_dtype, w_dtype = supported(x.dtype, "x"), supported(w.dtype, "w")
        #: Whether a sample can be missing at all.
        self.possible = masked or self._outside or (omit_nan and x_dtype.kind in "fc")
        natural = natural_dtype(x_dtype, w_dtype)
        exact = is_integer(natural)
        if self.possible:
            options = options._replace(dtype=_settled_dtype(options.dtype, natural))
        if part is None:
            self.prepared: Prepared = prepare(x, w, options)
        else:
            self.prepared = _prepared_part(x, w, options, part)
        self.problem: Problem = self.prepared.problem
        check_whole_strides(self.problem, "nan_policy='omit', mask and coverage take")
        self._w = w
        result = self.problem.dtype
        sums = DTYPES[np.result_type(natural, result)].compute
        self._sums = np.dtype(np.float64) if sums is None else sums
        self._exact = exact
        self.weights = self.weights_in(self._sums)
        #: The last plan, with finer sums than its own; the last loops of both sums, of each way.
        self._finest: tuple[Bound, Sums | None] | None = None
        self._loops: dict[tuple[str, Normalisation], tuple[Bound, int, Omit]] = {}
        #: Whether there are several items, of which some may have no gaps.
        spatial = {a.axis for a in self.problem.spatial}
        self._several = math.prod(n for i, n in enumerate(x.shape) if i not in spatial) > 1
        #: What has made both sums of a whole array, and will make those of the next.
        self._at_once: _AtOnce | None = None
        #: Prepared sums of blocks, by what decides them.
        self._of_blocks: dict[object, Prepared] = {}

    def weights_in(self, sums: np.dtype) -> Weights:
        """Return what the division of sums in a dtype has to know of the weights."""
        return weights_of(self._w, sums, self._exact, self.problem.flip)

    def solve(
        self,
        x: np.ndarray,
        mask: np.ndarray | None,
        out: np.ndarray | None,
        workers: int | None,
        nan: bool | None = None,
    ) -> np.ndarray:
        """Return the result for ``x`` without the samples where ``mask`` is True.

        Whether any is NaN is looked for if ``nan`` does not say it.
        """
        problem = self.problem
        nan = self._omit_nan and self.possible and (holds_nan(x) if nan is None else nan)
        known = self._at_once
        direct = out is not None and writable_in_place(out, x, self._w)
        y = out if direct else None
        if known is not None and nan and mask is None and layout.readable(x):
            return self._given(self._again(known, x, y, workers), out)
        masked = mask is not None and bool(mask.any())
        outside = self._outside and problem.reads_fill
        plain = not (nan or masked or outside)
        if plain and problem.whole is not None and self.possible:
            plain = layout.readable(x) and self._sums_alike(x)
        if plain or 0 in problem.y_shape:
            y = self.prepared.solver(x, self._w).solve(x, self._w, y, workers)
        else:
            y = empty(problem.y_shape, problem.dtype) if y is None else y
            self._omit(y, x, mask if masked else None, nan, outside, workers)
        return self._given(y, out)

    @staticmethod
    def _given(y: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        """Return the result, in ``out`` if that was given."""
        if out is None or y is out:
            return y
        out[...] = y
        return out

    def _again(
        self, known: _AtOnce, x: np.ndarray, y: np.ndarray | None, workers: int | None
    ) -> np.ndarray:
        """Return the result for ``x``, of which some is NaN, as for the array before it.

        On a small array the way to the loop would take longer than that.
        """
        problem, bound = self.problem, known.bound
        if y is None:
            y = empty(problem.y_shape, problem.dtype)
        count = min(threads.resolve(workers, bound.useful_threads), known.most)
        left: Left | None = None
        with contextlib.suppress(UnfitDataError), threads.running():
            left = known.solve(layout.settled(x), None, known.w, y, True, count)
        if left is not NOTHING_LEFT:
            with np.errstate(all="ignore"):
                self._finish(y, Run(x, None, True, bound, workers), left)
        return y

    def _omit(
        self,
        y: np.ndarray,
        x: np.ndarray,
        mask: np.ndarray | None,
        nan: bool,
        outside: bool,
        workers: int | None,
    ) -> None:
        """Write the results to ``y``; items of which nothing is missing are plain calls."""
        problem = self.problem
        # The loops that make both sums read samples as they are; other loops round differently.
        native = x.dtype.newbyteorder("=")
        copied = not (x.flags.aligned and x.dtype.isnative)
        gaps = None
        if self._several and not outside and problem.whole is None and not self._sums_alike(x):
            spatial = sorted(a.axis for a in problem.spatial)
            batch = [axis for axis in range(x.ndim) if axis not in spatial]
            gaps = items_with_gaps(x, mask, nan, tuple(spatial))
        if gaps is None or gaps.all():
            if copied and x.nbytes <= problem.max_memory:
                x = x.astype(native)
            self._fill(y, x, mask, nan, workers)
            return
        front = range(len(batch))
        every, into = np.moveaxis(x, batch, front), np.moveaxis(y, batch, front)
        masks = None if mask is None else np.moveaxis(mask, batch, front)
        size = x.size // gaps.size
        large = size >= GATHERED and not copied and into[(0,) * len(batch)].flags.c_contiguous
        most = 1 if large else max(1, GATHERED // size)
        parts: dict[int, Omission] = {}
        for some in (False, True):
            places = np.nonzero(gaps == some)
            for start in range(0, len(places[0]), most):
                at = tuple(place[start : start + most] for place in places)
                count = len(at[0])
                part = parts.get(count)
                if part is None:
                    part = parts[count] = self._of_items(count)
                if large:
                    one = tuple(slice(i, i + 1) for (i,) in at)
                    shape = (1, *every.shape[len(batch) :])
                    items, result = every[one].reshape(shape), into[one]
                    result = result.reshape(1, *into.shape[len(batch) :])
                else:
                    items = every[at].astype(native, copy=False)
                    result = empty(part.problem.y_shape, problem.dtype)
                if some:
                    part._fill(result, items, None if masks is None else masks[at], nan, workers)
                else:
                    solver = part.prepared.solver(items, self._w)
                    solver.solve(items, self._w, result, workers)
                if not large:
                    into[at] = result

    def _sums_alike(self, x: np.ndarray) -> bool:
        """Return whether windows that miss nothing have the bits of the plain call.

        So they have in the loop of plain sums.
        """
        bound = planned(self.prepared, x, self._w)
        algorithm, problem = bound.algorithm, bound.problem
        return (
            self.prepared.runs_as_written
            and is_omitting(algorithm)
            and not is_transformed(bound)
            and self._is_real(bound)
            and algorithm.omission_workspace(problem) <= problem.max_memory
        )

    def _of_items(self, count: int) -> Omission:
        """Return the call on so many items, which one axis in front counts."""
        items, method = _items(self.problem, count), self.prepared.method
        part = copy.copy(self)
        part._finest, part._loops, part._at_once = None, {}, None
        part._of_blocks = {}
        part.problem = items
        part.prepared = kept(("items", items, method), Prepared, items, method)
        return part

    def _fill(
        self,
        y: np.ndarray,
        x: np.ndarray,
        mask: np.ndarray | None,
        nan: bool,
        workers: int | None,
    ) -> None:
        """Write the results of items that all have gaps to ``y``."""
        bound = planned(self.prepared, x, self._w)
        with np.errstate(all="ignore"):
            self._fill_run(y, Run(x, mask, nan, bound, workers))

    def _fill_run(self, y: np.ndarray, run: Run) -> None:
        """Write the results to ``y``, and those of low coverage once more if that is finer."""
        bound = run.bound
        left = self._fill_at_once(y, run, bound.algorithm, self._finer(bound) is not None)
        self._finish(y, run, left)

    def _finish(self, y: np.ndarray, run: Run, left: Left | None) -> None:
        """Write the results to ``y`` that are left of it, all for None."""
        finer = self._finer(run.bound)
        if left is None:
            sums = Sums(self._sums, run.bound.problem.rtol, self.prepared.method)
            low = self._by_blocks(run, sums).fill(y, finer is not None)
            left = Left.LOW_COVERAGE if low else Left(0)
        if finer is None:  # what saw too little for that is NaN
            left, finer = left & Left.QUIET, Sums(self._sums, None, "auto")
        if left and self._saw_nothing(y, run):
            return
        if left and finer.dtype != self._sums:
            again = self._refill_at_once(y, run, finer.dtype)
            left = left if again is None else again & Left.QUIET
        if left:
            self._by_blocks(run, finer).refill(y)

    def _saw_nothing(self, y: np.ndarray, run: Run) -> bool:
        """Return whether all results that are NaN are so because all of their samples are missing.

        Within a hole that is larger than the kernel others would be sought for in vain.
        """
        problem = self.problem
        memory = problem.max_memory - (run.x.size + 5 * y.size)
        if problem.whole is not None or memory <= 0 or problem.dtype.kind != "f":
            return False
        seen = np.isnan(run.x) if run.nan else np.zeros(run.x.shape, np.bool)
        if run.mask is not None:
            seen |= run.mask
        np.logical_not(seen, out=seen)
        ones = np.ones(self._w.shape, np.uint8)
        options = problem.options()._replace(
            fill_value=int(not self._outside), dtype=np.dtype(np.int32), overflow="wrap",
            rounding=None, rtol=None, max_memory=memory, method="auto",
        )  # fmt: skip
        try:
            count = prepare(seen.view(np.uint8), ones, options).run(seen.view(np.uint8), ones)
        except MemoryError:
            return False
        return not count[np.isnan(y)].any()

    def _finer(self, bound: Bound) -> Sums | None:
        """Return the sums of outputs of low coverage; None if no others are finer."""
        finest = self._finest
        if finest is None or finest[0] is not bound:  # it takes longer than a small array
            finest = self._finest = bound, self._finer_than(bound)
        return finest[1]

    def _finer_than(self, bound: Bound) -> Sums | None:
        problem, wide = bound.problem, np.result_type(self._sums, np.float64)
        if is_local(bound) or is_affordable(problem, bound.algorithm.name):
            return Sums(self._sums, 0.0, "auto")
        if problem.rtol is not None or wide != self._sums:
            return Sums(wide, None, "auto")
        return None

    def _by_blocks(self, run: Run, how: Sums) -> BlockSums:
        """Return a run by blocks, whose sums are made so."""
        same = how.dtype == self._sums
        w = self._w if same else self._w.astype(np.result_type(self._w, np.float64))
        weights = self.weights if same else self.weights_in(how.dtype)
        if len(self._of_blocks) > MOST_BLOCKS:
            self._of_blocks = {}
        return BlockSums(self.problem, w, weights, self._outside, run, how, self._of_blocks)

    def _is_real(self, bound: Bound) -> bool:
        """Return whether a loop may make both sums: real ones, of weights of one sign."""
        return (
            self.problem.dtype == bound.problem.compute == self._sums
            and self._sums.kind == "f"
            and self.weights.sign != 0
        )

    def _may_run(self, run: Run) -> bool:
        """Return whether a loop may make both sums of these samples."""
        return self._is_real(run.bound) and layout.readable(run.x)

    def _fill_at_once(
        self, y: np.ndarray, run: Run, algorithm: Algorithm, finer: bool
    ) -> Left | None:
        """Write the results to ``y`` if one loop makes both sums; None if it does not.

        Return which are left: those are NaN, and those of low coverage only where others are
        ``finer``.
        """
        if not self._may_run(run) or not is_omitting(algorithm):
            return None
        weights = self.weights
        thin, sparse = (THIN * weights.scale, SPARSE) if finer else (weights.void, 0.0)
        normalisation = Normalisation(
            weights.sign, weights.void, 0.0, float(weights.total), thin, sparse
        )
        return self._divided(y, run, algorithm, run.bound.problem, normalisation)

    def _refill_at_once(self, y: np.ndarray, run: Run, sums: np.dtype) -> Left | None:
        """Write the results to ``y`` that are NaN, by transforms in double precision.

        Return which are left; None if no loop does.
        """
        transform = next(a for a in ALGORITHMS if a.name == "fft")
        problem = replace(run.bound.problem.summed_in(sums), rtol=None)
        if (
            not self._may_run(run)
            or not is_omitting(transform)
            or transform.rejects(problem) is not None
        ):
            return None
        weights = self.weights_in(sums)
        normalisation = Normalisation(
            weights.sign, weights.void, 0.0, float(weights.total), weights.void, refilling=True
        )
        return self._divided(y, run, transform, problem, normalisation)

    def _divided(
        self,
        y: np.ndarray,
        run: Run,
        algorithm: OmittingAlgorithm,
        problem: Problem,
        normalisation: Normalisation,
    ) -> Left | None:
        """Run a loop that makes both sums; None if it takes too much memory, or not the samples."""
        key = algorithm.name, normalisation
        bound, most, solve = self._loops.get(key, _NO_LOOP)
        if bound is not run.bound:
            most = problem.max_memory // algorithm.omission_workspace(problem)
            if most < 1:
                return None
            if self._outside:
                problem = replace(problem, fill_value=math.nan)
            solve = algorithm.bind_omission(problem, normalisation)
            self._loops[key] = run.bound, most, solve
        count = min(threads.resolve(run.workers, run.bound.useful_threads), most)
        w = layout.settled(self._w.astype(problem.compute, copy=False))
        mask = None if run.mask is None else layout.settled(run.mask)
        x, y = layout.settled(run.x), layout.settled(y)
        try:
            with threads.running():
                left = solve(x, mask, w, y, run.nan or self._outside, count)
        except UnfitDataError:
            return None
        if not (self._several or normalisation.refilling) and self.problem.whole is None:
            self._at_once = _AtOnce(run.bound, solve, most, w)
        return left

    def coverage(
        self, x: np.ndarray, mask: np.ndarray | None, y: np.ndarray, workers: int | None
    ) -> None:
        """Write Σ|w|·m / Σ|w| for each output to ``y``, of the weights |w|."""
        if y.size:
            bound = planned(self.prepared, x, self._w)
            with np.errstate(all="ignore"):
                run = Run(x, mask, self._omit_nan, bound, workers)
                self._by_blocks(run, Sums(self._sums, None, self.prepared.method)).cover(y)


def _items(problem: Problem, count: int) -> Problem:
    """Return the problem of so many items, which one axis in front counts."""
    axes = sorted(a.axis for a in problem.spatial)
    return replace(
        problem,
        x_shape=(count, *(problem.x_shape[axis] for axis in axes)),
        y_shape=(count, *(problem.y_shape[axis] for axis in axes)),
        spatial=tuple(replace(a, axis=1 + axes.index(a.axis)) for a in problem.spatial),
        whole=None if problem.whole is None else _items(problem.whole, count),
    )


def _prepared_part(x: np.ndarray, w: np.ndarray, options: CallOptions, part: Part) -> Prepared:
    """Return the prepared problem of a part of the results."""
    whole = make_problem(part.whole, x.dtype, w.shape, w.dtype, **options.of_problem())
    method = planner_of(whole).check_method(options.method)
    key = ("part", whole, method, x.shape, part.firsts, part.outs, type(whole.fill_value))
    return kept(key, lambda: Prepared(whole.part(x.shape, part.firsts, part.outs), method))


def _settled_dtype(dtype: Any, natural: np.dtype) -> Any:
    """Return the dtype of the result, float64 for integers; TypeError for one without NaN."""
    if dtype is None:
        return np.dtype(np.float64) if is_integer(natural) else None
    check_quotient(dtype)
    return dtype


def _omission(
    x: np.ndarray, w: np.ndarray, options: tuple[Any, ...], omit_nan: bool, masked: bool
) -> Omission:
    """Return the call, kept with the weights of small kernels."""
    exact = None if w.nbytes > FEW_BYTES or w.dtype.hasobject else exact_key(options)
    if exact is None:
        return Omission(x, w, CallOptions._make(options), omit_nan, masked)
    key = (
        "omission", loader.native, x.shape, x.dtype, w.shape, w.dtype, w.tobytes(), exact, omit_nan,
        masked,
    )  # fmt: skip
    found: Omission | None = CALLS.found.get(key)
    if found is None:  # nobody else may change the weights that are kept
        made = Omission(x, w.copy(), CallOptions._make(options), omit_nan, masked)
        found = CALLS.keep(key, made)
    return found


def omit(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    options: tuple[Any, ...],
    nan_policy: object,
    mask: npt.ArrayLike | None,
    out: np.ndarray | None,
    workers: int | None,
) -> np.ndarray:
    """Return the result of a call with `CallOptions` that `leaves_out` samples.

    Of the options only the tuple is made yet: it is the cache's key.
    """
    samples, missing = split_mask(x, mask)
    weights = plain_array(w, "w")
    omits = isinstance(nan_policy, str) and nan_policy == "omit"
    call = _omission(samples, weights, options, omits, missing is not None)
    if out is not None:
        check_out(out, call.problem.y_shape, call.problem.dtype, "; pass dtype= for another result")
    if not omits:
        check_seen(nan_policy, samples, missing)
        check_nan(nan_policy, "w", weights)
    return call.solve(samples, missing, out, workers)


def coverage(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    flip: bool = False,
    fill_value: complex = 0,
    axes: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    mask: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Return how much of the weights was seen by each output of a call that leaves samples out.

    .. math:: c[i] = \frac{\sum_u m[i \cdot s + u \cdot d - p] \; |w[u]|}{\sum_u |w[u]|}

    with :math:`m` = 0 for samples of `x` that are NaN or masked, and 1 for others. It is 1 where
    nothing is missing and 0 where nothing was seen.

    Parameters
    ----------
    x : array_like
        Source array, as for `correlate`.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `correlate`.
    flip : bool, optional
        False for `correlate`, True for `convolve`.
    fill_value : scalar, optional
        What ``boundary='constant'`` reads outside: it counts as seen, unless it is NaN.
    axes, stride, dilation
        As for `correlate`.
    mask : array_like of bool, optional
        True for samples to leave out.
    out, max_memory, workers
        As for `correlate`.

    Returns
    -------
    ndarray
        Numbers from 0 to 1, of the shape of the result: float32 where the result of the call
        would be half or single precision, float64 otherwise. `out` if that was given.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `correlate`; `max_memory` that is too little is told a bound from below.

    See Also
    --------
    correlate : with ``nan_policy='omit'`` or `mask`.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> x = [1.0, np.nan, 3.0, 5.0, 4.0]
    >>> pyconv.coverage(x, [1.0, 2.0, 1.0])
    array([0.5 , 0.75, 1.  ])

    Outputs that saw less than half are better not believed:

    >>> y = pyconv.correlate(x, [1.0, 2.0, 1.0], "same", nan_policy="omit", fill_value=np.nan)
    >>> seen = pyconv.coverage(x, [1.0, 2.0, 1.0], "same", fill_value=np.nan)
    >>> np.where(seen > 0.5, y, np.nan).round(2)
    array([  nan,   nan, 14.67, 17.  , 17.33])
    """
    options = CallOptions(
        flag(flip, "flip"), mode, boundary, fill_value, axes, stride, dilation,
        max_memory=max_memory,
    )  # fmt: skip
    if is_planned(x, mask):
        return in_pieces("coverage", x, w, mask, out, workers, options)
    samples, missing = split_mask(x, mask)
    sizes, dtype = magnitudes(samples.dtype, plain_array(w, "w"))
    call = Omission(samples, sizes, options, True, missing is not None)
    shape = call.problem.y_shape
    if out is not None:
        check_out(out, shape, dtype)
    masks = () if missing is None else (missing,)
    direct = out is not None and writable_in_place(out, samples, *masks)
    y = out if direct and out is not None else empty(shape, dtype)
    call.coverage(samples, missing, y, workers)
    if out is None or y is out:
        return y
    out[...] = y
    return out


def magnitudes(x_dtype: np.dtype, w: np.ndarray) -> tuple[np.ndarray, np.dtype]:
    """Return |w|, and the dtype of the part of it that is seen; ValueError where weights cancel."""
    sums = natural_dtype(supported(x_dtype, "x"), supported(w.dtype, "w"))
    check_balance(w)
    single = sums.kind in "fc" and np.finfo(sums).bits <= 32
    sizes = np.abs(w.astype(np.result_type(w, np.float64)))
    return sizes, np.dtype(np.float32 if single else np.float64)
