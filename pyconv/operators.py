"""Correlation as a linear map of vectors: A x = correlate(x, w), with its exact adjoint Aᴴ.

The adjoint is correlations of stride 1 of dy with the flipped kernel, one for each phase of the
strides; what a boundary reads twice is added up afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from pyconv._calls.plans import Plan, bound_by
from pyconv._engine import threads
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import supported
from pyconv._engine.layer_problem import LayerProblem, adjoint_phases
from pyconv._engine.output_arrays import is_masked, plain_array
from pyconv._engine.planning import array_of, prepare
from pyconv._engine.problem import Axis, CallOptions, Problem, check_whole_strides, flag

__all__ = ["linear_operator", "sparse_matrix"]

Array = npt.NDArray[Any]


def linear_operator(
    x_shape: tuple[int, ...],
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    flip: bool = False,
    x_dtype: npt.DTypeLike | None = None,
    axes: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    rtol: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
) -> LinearOperator:
    r"""Return correlation with a kernel as a linear operator with its exact adjoint.

    .. math:: A \, \mathrm{vec}(x) = \mathrm{vec}(\mathrm{correlate}(x, w)), \qquad
              \langle A x, y \rangle = \langle x, A^H y \rangle

    with the border in the adjoint as in the call: where a boundary reads a sample twice, the
    adjoint adds to it twice. Nothing is stored but the weights; a product takes a call of the
    engine, one with the adjoint a call or, with strides, one for each phase of them.

    Parameters
    ----------
    x_shape : tuple of int
        The shape of the array; vectors are its samples in C order.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `correlate`. A constant boundary reads zeros: anything else would not be linear.
    flip : bool, optional
        False for `correlate`, True for `convolve`.
    x_dtype : dtype, optional
        The dtype of the vectors, which others are converted to: float16 to float64 or complex. By
        default that of `w`, but float64 for integers.
    axes, stride, dilation
        As for `correlate`.
    rtol, max_memory, workers
        As for `correlate`. With ``rtol=0`` both products are plain sums.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        Of shape (samples of the result, samples of the array). ``A.x_shape`` and ``A.y_shape`` are
        the shapes of the arrays.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `correlate`.

    See Also
    --------
    sparse_matrix : the same with every entry stored.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv.operators import linear_operator
    >>> A = linear_operator((5,), [1.0, -2.0, 1.0], "same", "nearest")
    >>> A @ [0, 0, 1, 0, 0]
    array([ 0.,  1., -2.,  1.,  0.])
    >>> A.H @ [1, 0, 0, 0, 0]
    array([-1.,  1.,  0.,  0.,  0.])

    Undo a blur:

    >>> from scipy.sparse.linalg import lsqr
    >>> blur = linear_operator((8,), np.ones(3) / 3, "same", "wrap")
    >>> x = np.array([0, 0, 5, 0, 0, 0, 2, 0])
    >>> lsqr(blur, blur @ x)[0].round(6) + 0.0
    array([0., 0., 5., 0., 0., 0., 2., 0.])
    """
    weights = plain_array(w, "w")
    options = CallOptions(
        flag(flip, "flip"), mode, boundary, 0, axes, stride, dilation,
        rtol=rtol, max_memory=max_memory,
    )  # fmt: skip
    problem = _problem(x_shape, weights, x_dtype, options)
    source = array_of(problem.x_shape, problem.x_dtype, "x_shape")
    forward = bound_by(None, source, weights, problem.options())
    threads.resolve(workers, 1)  # what is no number of threads is refused here
    return _Correlation(forward, workers)


def sparse_matrix(
    x_shape: tuple[int, ...],
    w: npt.ArrayLike,
    mode: str | int | Sequence[int] | Sequence[Sequence[int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    flip: bool = False,
    x_dtype: npt.DTypeLike | None = None,
    axes: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> csr_array:
    """Return correlation with a kernel as a sparse matrix.

    ``A @ x.ravel()`` is ``correlate(x, w, ...).ravel()``, but for the order of the sums. It holds
    one entry for each weight and result: `linear_operator` needs none of that memory, and is
    faster. A matrix is for what needs entries: factorisations, sums of operators, looking at it.

    Parameters
    ----------
    x_shape : tuple of int
        The shape of the array; vectors are its samples in C order.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `linear_operator`.
    flip : bool, optional
        False for `correlate`, True for `convolve`.
    x_dtype : dtype, optional
        As for `linear_operator`; with that of `w` it gives the dtype of the entries. SciPy has no
        half precision: entries are float32 then.
    axes, stride, dilation
        As for `correlate`.

    Returns
    -------
    scipy.sparse.csr_array
        Of shape (samples of the result, samples of the array), its indices sorted, without
        duplicates.

    Raises
    ------
    ValueError, TypeError
        As for `correlate`.

    See Also
    --------
    linear_operator : the same without a matrix.

    Examples
    --------
    >>> from pyconv.operators import sparse_matrix
    >>> sparse_matrix((4,), [1.0, 2.0, 3.0], "same", "wrap").toarray()
    array([[2., 3., 0., 1.],
           [1., 2., 3., 0.],
           [0., 1., 2., 3.],
           [3., 0., 1., 2.]])
    """
    weights = plain_array(w, "w")
    options = CallOptions(flag(flip, "flip"), mode, boundary, 0, axes, stride, dilation)
    return _matrix(_problem(x_shape, weights, x_dtype, options), weights)


def _problem(
    x_shape: tuple[int, ...],
    w: np.ndarray,
    x_dtype: npt.DTypeLike | None,
    options: CallOptions,
) -> Problem:
    """Validate the call; return its problem."""
    if not isinstance(x_shape, tuple):
        raise TypeError(f"x_shape={x_shape!r}: a tuple of integers is allowed")
    native = supported(w.dtype, "w")
    default = native if native.kind in "fc" else np.dtype(np.float64)
    dtype = default if x_dtype is None else supported(x_dtype, "x_dtype")
    if dtype.kind not in "fc":
        raise TypeError(f"x_dtype={dtype}: floating-point and complex dtypes are allowed")
    problem = prepare(array_of(x_shape, dtype, "x_shape"), w, options).problem
    check_whole_strides(problem, "operators take")
    return problem


def _kernel(problem: Problem, w: np.ndarray) -> np.ndarray:
    """Return k with y = Σ_u x[i·s + u·d − p] · conj(k[u])."""
    return np.flip(w).conj() if problem.flip else w


# ---- without a matrix ---------------------------------------------------------------------------


class _Operator(LinearOperator):  # type: ignore[misc]  # SciPy is not typed
    """A linear operator that refuses masked vectors, whose masks SciPy would drop."""

    def dot(self, x: Any) -> Any:
        """Return the product with a vector, a matrix or an operator."""
        return super().dot(_unmasked(x))

    def matvec(self, x: npt.ArrayLike) -> Array:
        """Return the product with a vector."""
        return super().matvec(_unmasked(x))

    def rmatvec(self, x: npt.ArrayLike) -> Array:
        """Return the product of the adjoint with a vector."""
        return super().rmatvec(_unmasked(x))

    def matmat(self, X: npt.ArrayLike) -> Array:  # noqa: N803  (its name in SciPy)
        """Return the product with a matrix."""
        return super().matmat(_unmasked(X))

    def rmatmat(self, X: npt.ArrayLike) -> Array:  # noqa: N803  (its name in SciPy)
        """Return the product of the adjoint with a matrix."""
        return super().rmatmat(_unmasked(X))

    def _rmatmat(self, X: Array) -> Array:  # noqa: N803
        # SciPy would ask the adjoint, whose own adjoint may be SciPy's: neither would answer.
        return np.hstack([self.rmatvec(column.reshape(-1, 1)) for column in X.T])


def _unmasked(x: Any) -> Any:
    return plain_array(x, "x") if is_masked(x) else x


class _Correlation(_Operator):
    """Correlation as an operator; its adjoint is bound when it is first asked for."""

    def __init__(
        self, forward: Plan, workers: int | None, algorithms: tuple[str | None, ...] | None = None
    ) -> None:
        self.x_shape, self.y_shape = forward.x_shape, forward.y_shape
        super().__init__(forward.dtype, (math.prod(self.y_shape), math.prod(self.x_shape)))
        self._forward = forward
        self._workers = workers
        #: Those of the adjoint, where it has been bound before.
        self._algorithms = algorithms
        self._bound: _AdjointProduct | None = None

    def _backward(self) -> _AdjointProduct:
        if self._bound is None:
            problem, w = self._forward.problem_and_weights()
            self._bound = _AdjointProduct(problem, w, self._algorithms)
        return self._bound

    def _matvec(self, x: Array) -> Array:
        return self._applied(self._product, x, self.x_shape, self._forward.x_dtype)

    def _rmatvec(self, y: Array) -> Array:
        return self._applied(self._adjoint_product, y, self.y_shape, self.dtype)

    def _product(self, x: Array) -> Array:
        return self._forward(x, workers=self._workers)

    def _adjoint_product(self, y: Array) -> Array:
        return self._backward()(y, self._workers)

    def _adjoint(self) -> _Backward:
        return _Backward(self, False)

    def _transpose(self) -> _Backward:
        return _Backward(self, self.dtype.kind == "c")

    def __reduce__(self) -> tuple[object, ...]:
        """Return the plan, and what runs the adjoint: a process that reads it binds both anew."""
        return _Correlation, (self._forward, self._workers, self._backward().algorithms)

    def _applied(
        self, product: Any, vector: Array, shape: tuple[int, ...], dtype: np.dtype
    ) -> Array:
        """Return the product with a vector of any dtype, by parts where only it is complex."""
        x = plain_array(vector, "x").reshape(shape)
        if x.dtype.kind == "c" and dtype.kind != "c":
            real = product(x.real.astype(dtype)).ravel()
            return real + 1j * product(x.imag.astype(dtype)).ravel()
        return product(x.astype(dtype, copy=False)).ravel()


class _Backward(_Operator):
    """Aᴴ as an operator, or Aᵀ: its conjugate."""

    def __init__(self, operator: _Correlation, conjugate: bool) -> None:
        super().__init__(operator.dtype, operator.shape[::-1])
        self.x_shape, self.y_shape = operator.y_shape, operator.x_shape
        self._operator, self._conjugate = operator, conjugate

    def _matvec(self, y: Array) -> Array:
        return self._with(self._operator._rmatvec, y)

    def _rmatvec(self, x: Array) -> Array:
        return self._with(self._operator._matvec, x)

    def _with(self, product: Callable[[Array], Array], vector: Array) -> Array:
        return product(vector.conj()).conj() if self._conjugate else product(vector)

    def _adjoint(self) -> LinearOperator:
        return super()._adjoint() if self._conjugate else self._operator

    def _transpose(self) -> LinearOperator:
        same = self._conjugate or self.dtype.kind != "c"
        return self._operator if same else super()._transpose()


class _AdjointProduct:
    """Aᴴ of a problem bound to its weights."""

    def __init__(
        self, problem: Problem, w: np.ndarray, algorithms: tuple[str | None, ...] | None
    ) -> None:
        self._problem = problem
        self._folded = [
            a for a in problem.spatial if a.boundary != "constant" and (a.low or a.high)
        ]
        #: The axes whose samples outside count as samples, until they are folded back.
        spatial = tuple(
            replace(a, size=a.size + a.low + a.high, low=0, high=0) if a in self._folded else a
            for a in problem.spatial
        )
        shape = list(problem.x_shape)
        for a in spatial:
            shape[a.axis] = a.size
        self._shape = tuple(shape)
        kernel = _kernel(problem, w).conj()
        phases = _phases(spatial)
        if algorithms is None or len(algorithms) != len(phases):
            algorithms = (None,) * len(phases)
        self._parts = [
            (into, self._plan(axes, kernel[taps], algorithm), tuple(a.out for a in axes))
            for (taps, into, axes), algorithm in zip(phases, algorithms, strict=True)
        ]
        #: What runs each phase.
        self.algorithms = tuple(part.algorithm for _, part, _ in self._parts)
        whole = [a.size for a in spatial]
        self._whole = len(self._parts) == 1 and list(self._parts[0][2]) == whole

    def _plan(self, axes: tuple[Axis, ...], kernel: np.ndarray, algorithm: str | None) -> Plan:
        """Return the correlation of one phase."""
        options = CallOptions(
            mode=tuple((a.low, a.high) for a in axes),
            axes=tuple(a.axis for a in axes),
            dilation=tuple(a.dilation for a in axes),
            rtol=self._problem.rtol,
            max_memory=self._problem.max_memory,
        )
        source = array_of(self._problem.y_shape, self._problem.dtype, "y_shape")
        return bound_by(algorithm, source, kernel, options)

    def __call__(self, dy: np.ndarray, workers: int | None) -> np.ndarray:
        """Return Aᴴ dy."""
        if self._whole:
            extended = self._parts[0][1](dy, workers=workers)
        else:
            extended = np.zeros(self._shape, self._problem.dtype)
            where: list[slice] = [slice(None)] * extended.ndim
            for into, part, _ in self._parts:
                for a, samples in zip(self._problem.spatial, into, strict=True):
                    where[a.axis] = samples
                extended[tuple(where)] = part(dy, workers=workers)
        for a in self._folded:
            extended = _fold(extended, a)
        return extended


def _phases(
    spatial: tuple[Axis, ...],
) -> list[tuple[tuple[slice, ...], tuple[slice, ...], tuple[Axis, ...]]]:
    """Return taps, samples and axes of each phase of the strides."""
    layer = LayerProblem(1, 1, 1, 1, spatial, np.dtype(np.float64))
    # The first two slices are for a layer's batch and channels.
    return [(p.taps[2:], p.into[2:], p.axes) for p in adjoint_phases(layer)]


def _fold(extended: np.ndarray, a: Axis) -> np.ndarray:
    """Add what reached each coordinate outside to the sample that is read there."""
    rows = np.moveaxis(extended, a.axis, 0)
    read = BOUNDARIES[a.boundary].index(np.arange(-a.low, a.size + a.high), a.size)
    # The samples themselves, those of them that are not cropped: there may be none.
    first, last = (min(max(0, place), len(rows)) for place in (a.low, a.low + a.size))
    inside = np.zeros((a.size, *rows.shape[1:]), rows.dtype)
    inside[first - a.low : last - a.low] = rows[first:last]
    for outside in (slice(0, first), slice(last, None)):
        np.add.at(inside, read[outside], rows[outside])
    return np.ascontiguousarray(np.moveaxis(inside, 0, a.axis))


# ---- with a matrix ------------------------------------------------------------------------------

#: Entries of the rows that are made in one go.
_MAX_ENTRIES = 2**20


def _matrix(problem: Problem, w: np.ndarray) -> csr_array:
    """Return the entries, one row for each output, its taps in their order.

    Rows are made some at a time: SciPy looks at no signals.
    """
    dtype = np.result_type(problem.dtype, np.float32)
    values = _kernel(problem, w).conj().astype(dtype)
    step = max(1, _MAX_ENTRIES // w.size)
    made = [
        _rows(problem, values, first, min(step, math.prod(problem.y_shape) - first))
        for first in range(0, math.prod(problem.y_shape), step)
    ]
    shape = (math.prod(problem.y_shape), math.prod(problem.x_shape))
    if not made:
        return csr_array(shape, dtype=dtype)
    counts = np.concatenate([np.diff(part.indptr) for part in made])
    starts = np.zeros(shape[0] + 1, np.intp)
    np.cumsum(counts, out=starts[1:])
    indices = np.concatenate([part.indices for part in made])
    matrix = csr_array((np.concatenate([part.data for part in made]), indices, starts), shape=shape)
    matrix.has_canonical_format = True  # every part is
    return matrix


def _rows(problem: Problem, values: np.ndarray, first: int, count: int) -> csr_array:
    """Return the rows of some outputs, indices sorted, without duplicates."""
    outputs = np.unravel_index(np.arange(first, first + count), problem.y_shape)
    pitches = [math.prod(problem.x_shape[axis + 1 :]) for axis in range(len(problem.x_shape))]
    columns = np.zeros((count, *values.shape), np.intp)
    read = np.ones((count, *values.shape), np.bool)
    for axis in set(range(len(outputs))) - {a.axis for a in problem.spatial}:
        columns += (outputs[axis] * pitches[axis]).reshape(-1, *[1] * values.ndim)
    for i, a in enumerate(problem.spatial):
        shape = [count] + [a.taps if k == i else 1 for k in range(values.ndim)]
        read_at = np.add.outer(outputs[a.axis] * a.stride - a.low, np.arange(a.taps) * a.dilation)
        sources = BOUNDARIES[a.boundary].index(read_at, a.size).reshape(shape)
        columns += sources * pitches[a.axis]
        read &= sources != FILL
    starts = np.zeros(count + 1, np.intp)
    np.cumsum(read.reshape(count, values.size).sum(axis=1), out=starts[1:])
    entries = np.broadcast_to(values, columns.shape)[read]
    rows = csr_array((entries, columns[read], starts), shape=(count, math.prod(problem.x_shape)))
    rows.sum_duplicates()
    return rows
