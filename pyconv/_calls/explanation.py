"""explain: which algorithms could answer a call, what each would cost, and which one runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms import ALGORITHMS, Algorithm, slabs
from pyconv._engine.explanation_table import Candidate, Explanation, scaled
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.planning import Prepared, array_like, fitted, prepare
from pyconv._engine.problem import Problem


def _candidate(
    algorithm: Algorithm, problem: Problem, w: np.ndarray, method: str, chosen: str
) -> Candidate:
    able = fitted(algorithm, problem, w)
    if isinstance(able, str):
        return Candidate(algorithm.name, able, False, None, None, None)
    algorithm, rejected = able, None
    workspace = slabs.workspace(algorithm, problem) if math.prod(problem.y_shape) else 0
    if workspace > problem.max_memory:
        rejected = f"it needs {workspace} bytes, more than max_memory={problem.max_memory}"
    elif method not in ("auto", algorithm.name):
        rejected = f"method={method!r} is forced"
    return Candidate(
        algorithm.name,
        rejected,
        algorithm.name == chosen,
        workspace,
        algorithm.error_bound(problem),
        algorithm.cost(problem, MACHINE),
    )


def explanation_of(prepared: Prepared, x: np.ndarray, w: np.ndarray) -> Explanation:
    """Return what would run for this data."""
    plan = prepared.plan(x, w)
    problem, method, chosen = plan.problem, prepared.method, plan.algorithm.name
    arrays = (
        (problem.x_shape, problem.x_dtype),
        (problem.w_shape, problem.w_dtype),
        (problem.y_shape, problem.dtype),
    )
    return Explanation(
        f"x {problem.x_shape} {problem.x_dtype}, w {problem.w_shape} {problem.w_dtype} -> "
        f"{problem.y_shape} {problem.dtype}",
        f"max_memory {scaled(problem.max_memory)}B; rtol {problem.rtol}; method {method!r}",
        tuple(_candidate(a, problem, w, method, chosen) for a in ALGORITHMS),
        2 * problem.products,
        sum(math.prod(shape) * dtype.itemsize for shape, dtype in arrays),
        problem.compute,
    )


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
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
) -> Explanation:
    """Say which algorithm a call would run, which it would not, and why. Nothing is computed.

    Data with NaN or infinity are summed plainly even where a transform is chosen; only a run
    finds that out.

    Parameters
    ----------
    x : array_like, optional
        The array of the call. Integers wider than 16 bits are looked at, because their values
        decide in which dtype they are summed; a shape stands for zeros.
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
    fill_value, axes, stride, dilation, dtype, overflow
        As for `correlate`.
    method, rtol, max_memory
        As for `correlate`.

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
    """
    options = (
        bool(flip), mode, boundary, fill_value, axes, stride, dilation, dtype, overflow, rtol,
        max_memory, method,
    )  # fmt: skip
    given, weights = array_like(x, shape, x_dtype, w)
    source = plain_array(given, "x")
    return explanation_of(prepare(source, weights, options), source, weights)
