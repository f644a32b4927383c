"""explain: which algorithms could answer a call, what each would cost, and which one runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.missing.call import Omission
from pyconv._calls.missing.mask import check_seen, leaves_out, split_mask
from pyconv._engine import threads
from pyconv._engine.explanation_table import Explanation, scaled
from pyconv._engine.output_arrays import check_out, plain_array, writable_in_place
from pyconv._engine.planning import (
    Cut,
    Exchange,
    Prepared,
    Solver,
    array_like,
    check_nan,
    prepare,
)
from pyconv._engine.problem import CallOptions, flag


def explanation_of(
    prepared: Prepared, x: np.ndarray, w: np.ndarray, words: str = "", sums: int = 1
) -> Explanation:
    """Return what would run for this data; the ``words`` are said of other options.

    The call makes so many ``sums`` at most.
    """
    plan = prepared.plan(x, w)
    problem, method = plan.problem, prepared.method
    rounded = f"; rounding {problem.rounding!r}" if problem.is_rounded else ""
    arrays = (
        (problem.x_shape, problem.x_dtype),
        (problem.w_shape, problem.w_dtype),
        (problem.y_shape, problem.dtype),
    )
    return Explanation(
        f"x {problem.x_shape} {problem.x_dtype}, w {problem.w_shape} {problem.w_dtype} -> "
        f"{problem.y_shape} {problem.dtype}",
        f"max_memory {scaled(problem.max_memory)}B; rtol {problem.rtol}; method {method!r}"
        f"{rounded}{words}",
        prepared.planner.explained(problem, method, plan.algorithm.name, w),
        2 * problem.products,
        sum(math.prod(shape) * dtype.itemsize for shape, dtype in arrays),
        problem.compute,
        _in_place(prepared.solver(x, w), w),
        sums,
    )


def _in_place(solver: Solver, w: np.ndarray) -> str:
    """Return what is summed in the place of a call as written, empty if nothing is."""
    if isinstance(solver, Exchange):
        return f"each item of x as the kernel of w, by {solver.algorithm.name!r}"
    if not isinstance(solver, Cut):
        return ""
    fewer = solver.fewer(w)
    cut = "without weights that read zeros alone"
    kernel = cut if np.may_share_memory(fewer, w) else "of sums of weights that read one sample"
    inner = _in_place(solver.solver, fewer) or f"by {solver.algorithm.name!r}"
    return f"w {fewer.shape} {kernel}, {inner}"


def most_sums(omission: Omission | None) -> int:
    """Return the sums that a call makes at most, each of about the cost of a row.

    Where samples are left out they are of samples, of weights and, for weights of both signs, of
    their magnitudes. Where little was seen they are made once more.
    """
    if omission is None or not omission.possible:
        return 1
    return 4 if omission.weights.sizes is None else 6


def besides(omission: Omission | None, out: np.ndarray | None, *sources: np.ndarray) -> str:
    """Return what an explanation says of missing samples and of the array for the result."""
    words = []
    if omission is not None and omission.possible:
        sums = most_sums(omission)
        words.append(f"samples are left out: {sums // 2} sums like that of a row, {sums} at most")
    if out is not None and not writable_in_place(out, *sources):
        words.append("the result is copied into out")
    return "".join(f"; {w}" for w in words)


def explain(
    x: npt.ArrayLike | None = None,
    w: npt.ArrayLike | None = None,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    shape: int | Sequence[int] | None = None,
    flip: bool = False,
    x_dtype: npt.DTypeLike | None = None,
    fill_value: complex = 0,
    axes: int | Sequence[int] | None = None,
    stride: int | Fraction | Sequence[int | Fraction] = 1,
    dilation: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    out: npt.NDArray[Any] | None = None,
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> Explanation:
    """Say which algorithm a call would run, which it would not, and why. Nothing is computed.

    It takes every option of the call, and raises its errors. What NaN and infinity
    cost where a transform is chosen, only a run finds out. A kernel longer than the array may be
    cut to the weights that read samples, or exchanged with the array: the table then says what
    is summed in the place of the call as written, of which its rows are.

    Parameters
    ----------
    x : array_like, optional
        The array of the call. Integers wider than 16 bits are looked at, because their values
        decide in which dtype they are summed; a shape stands for zeros. A tuple of numbers is an
        array as a list is; the shape of an array is `shape`.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `correlate`.
    shape : int or sequence of int, optional
        The shape of the array, in place of `x`.
    flip : bool, optional
        False explains `correlate`, True `convolve`.
    x_dtype : dtype, optional
        The dtype of the array, with `shape`. By default that of `w`.
    fill_value, axes, stride, dilation, dtype, overflow, rounding
        As for `correlate`.
    nan_policy, mask, method, rtol, max_memory
        As for `correlate`. Where samples may be left out, a row is the algorithm of one of the
        sums; how many there are at most is `Explanation.most_sums`.
    out : ndarray, optional
        The array for the result. The explanation says whether the result is made beside it and
        copied, as it is where `out` overlaps `x` or `w`.
    workers : int, optional
        Threads of the call, which decide nothing: times are those of one thread.

    Returns
    -------
    Explanation
        Prints as a table, and carries the same as data.

    Raises
    ------
    ValueError, TypeError, OverflowError, MemoryError
        As the call itself.

    See Also
    --------
    plan : bind the call to its weights.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> w = np.random.default_rng(0).random((31, 31), "float32")
    >>> print(pyconv.explain(shape=(512, 512), w=w))
    x (512, 512) float32, w (31, 31) float32 -> (482, 482) float32, summed in float32
    by definition 447 Mflop; arrays 1.98 MB; max_memory 268 MB; rtol None; method 'auto'
    <BLANKLINE>
        algorithm  predicted   flop/s  workspace  error bound
        direct ...
    ->  fft ... chosen
    ...

    A kernel longer than the array, of which 9 weights can read a sample:

    >>> pyconv.explain(shape=5, w=np.arange(99.0), mode="same").instead
    "w (9,) without weights that read zeros alone, by 'direct'"
    """
    options = CallOptions(
        flag(flip, "flip"), mode, boundary, fill_value, axes, stride, dilation, dtype, overflow,
        rounding, rtol, max_memory, method,
    )  # fmt: skip
    given, weights = array_like(x, shape, x_dtype, w)
    omission = None
    if leaves_out(given, nan_policy, mask):
        source, missing = split_mask(given, mask)
        omission = Omission(source, weights, options, nan_policy == "omit", missing is not None)
        prepared = omission.prepared
        check_seen(nan_policy, source, missing)
    else:
        source = plain_array(given, "x")
        prepared = prepare(source, weights, options)
        check_nan(nan_policy, "x", source)
    check_nan(nan_policy, "w", weights)
    threads.resolve(workers, 1)  # what is no number of threads is refused here
    if out is not None:
        problem = prepared.problem
        check_out(out, problem.y_shape, problem.dtype, "; pass dtype= for another result")
    words, sums = besides(omission, out, source, weights), most_sums(omission)
    return explanation_of(prepared, source, weights, words, sums)
