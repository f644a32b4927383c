"""plan: a call without its samples, bound to its weights once and applied to many arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.explanation import besides, explanation_of, most_sums
from pyconv._calls.missing.call import Omission
from pyconv._calls.missing.mask import check_seen, leaves_out, split_mask
from pyconv._engine.dtypes import ACCUMULATORS, is_integer
from pyconv._engine.explanation_table import Explanation
from pyconv._engine.output_arrays import check_out, is_masked, plain_array, writable_in_place
from pyconv._engine.planning import (
    Prepared,
    array_like,
    array_of,
    check_nan,
    prepare,
)
from pyconv._engine.problem import CallOptions, Problem, flag

Array = npt.NDArray[Any]


class Plan:
    """A correlation or convolution bound to its weights; `plan` makes it.

    Called with an array, it returns exactly what `correlate` or `convolve` would. It never
    changes and has no workspace of its own: threads may share it, and a copy is the plan itself.

    A plan can be pickled. A pickle holds the arguments of the plan, the weights among them, and
    the name of the algorithm; the process that reads it binds the call anew, to the loops of its
    own machine. On the same machine the results are the same bits. Elsewhere, where that
    algorithm cannot run, another one does.

    Parameters
    ----------
    prepared : Prepared
        The validated call, as `pyconv._engine.planning` keeps it.
    w : ndarray
        The weights, which are copied.
    nan_policy : {'propagate', 'raise', 'omit'}
        What happens to NaN.
    omission : Omission, optional
        The call as `pyconv._calls.missing` keeps it, where samples may be left out.
    mask : ndarray of bool, optional
        Samples that are always left out.
    asked : mapping, optional
        Options of the call that `prepared` has not, by name.

    Attributes
    ----------
    algorithm : str or None
        The name of the algorithm that runs; None where the values of the data decide: where sums
        of integers wider than 16 bits have to be exact.
    x_shape, w_shape, y_shape : tuple of int
        Shapes of the arrays, of the weights and of the results.
    x_dtype, dtype : dtype
        Dtypes of the arrays and of the results.

    See Also
    --------
    plan : make one.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> smooth = pyconv.plan(shape=5, w=np.array([1.0, 2.0, 1.0]))
    >>> smooth.algorithm, smooth.y_shape, smooth.dtype
    ('direct', (3,), dtype('float64'))
    >>> smooth([0, 0, 4, 0, 0])
    array([4., 8., 4.])
    """

    __slots__ = (
        "_asked", "_mask", "_nan_policy", "_omission", "_prepared", "_settled", "_w", "_x_dtype",
        "_x_shape",
    )  # fmt: skip

    def __init__(
        self,
        prepared: Prepared,
        w: np.ndarray,
        nan_policy: str,
        omission: Omission | None = None,
        mask: np.ndarray | None = None,
        asked: Mapping[str, object] | None = None,
    ) -> None:
        check_nan(nan_policy, "w", w)
        self._asked = dict(asked or {})
        self._nan_policy = nan_policy
        self._prepared = prepared
        self._omission = omission
        self._mask = mask
        self._w = w.copy(order="K")
        self._w.flags.writeable = False
        problem = prepared.problem
        self._x_shape, self._x_dtype = problem.x_shape, problem.x_dtype
        #: Bound here, so that a call that cannot be answered fails here.
        self._settled = None
        if _data_decide(problem):
            compute = ACCUMULATORS[0][0] if problem.compute is None else problem.compute
            if prepared.exchange is None:
                prepared.planner.choose(problem.summed_in(compute), prepared.method, self._w)
        else:
            self._settled = prepared.solver(self._zeros(), self._w)

    @property
    def algorithm(self) -> str | None:
        """The name of the algorithm that runs, None where the data decide."""
        return None if self._settled is None else self._settled.algorithm.name

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of the arrays that the plan takes."""
        return self._x_shape

    @property
    def x_dtype(self) -> np.dtype:
        """The dtype of the arrays that the plan takes."""
        return self._x_dtype

    @property
    def w_shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return self._prepared.problem.w_shape

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the results."""
        return self._prepared.problem.y_shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the results."""
        return self._prepared.problem.dtype

    def __call__(
        self, x: npt.ArrayLike, out: Array | None = None, workers: int | None = None
    ) -> Array:
        """Return the result for one array.

        Parameters
        ----------
        x : array_like
            Source array of the shape and dtype that the plan is for, in any memory layout. What
            is no array yet is converted to that dtype where `numpy.can_cast` allows it.
        out : ndarray, optional
            Array that receives the result; it may overlap `x`.
        workers : int, optional
            Threads to use at most, as for `correlate`.

        Returns
        -------
        ndarray
            The result; `out` if that was given.

        Raises
        ------
        ValueError, TypeError
            If the shape or dtype of `x` is not that of the plan, or `out` does not fit.
        OverflowError
            Under ``overflow='raise'``, if an integer result might not hold the exact sum.
        """
        if self._omission is not None:
            return self._omitted(self._omission, x, out, workers)
        if type(x) is not np.ndarray or x.shape != self._x_shape or x.dtype != self._x_dtype:
            x = self._taken(x)
        if out is not None:
            problem = self._prepared.problem
            check_out(out, problem.y_shape, problem.dtype)
        if self._nan_policy == "raise":
            check_nan("raise", "x", x)
        settled = self._settled or self._prepared.solver(x, self._w)
        if out is None:
            return settled.solve(x, self._w, None, workers)
        # No caller has an array that could share the weights' memory.
        y = settled.solve(x, self._w, out if writable_in_place(out, x) else None, workers)
        if y is not out:
            out[...] = y
        return out

    def _omitted(
        self, omission: Omission, value: npt.ArrayLike, out: Array | None, workers: int | None
    ) -> Array:
        samples, mask = split_mask(value, self._mask)
        if mask is not None and not omission.possible:
            raise TypeError(
                "x is a masked array of integers, but the plan is for plain ones: its result is "
                "of integers too; make it with mask=False"
            )
        x = self._taken(samples if is_masked(value) else value)
        if out is not None:
            check_out(out, omission.problem.y_shape, omission.problem.dtype)
        if self._nan_policy == "raise":
            check_seen("raise", x, mask)
        return omission.solve(x, mask, out, workers)

    def explain(self) -> Explanation:
        """Say which algorithm runs, which do not, and why.

        Returns
        -------
        Explanation
            As `pyconv.explain` gives it. Where the values of the data decide in which dtype they
            are summed, it is that of zeros.
        """
        words, sums = besides(self._omission, None), most_sums(self._omission)
        return explanation_of(self._prepared, self._zeros(), self._w, words, sums)

    def problem_and_weights(self) -> tuple[Problem, np.ndarray]:
        """Return the validated call and its weights, which cannot be written to."""
        return self._prepared.problem, self._w

    def _zeros(self) -> np.ndarray:
        """Return an array that the plan takes and that takes no memory."""
        return np.broadcast_to(np.zeros((), self._x_dtype), self._x_shape)

    def _taken(self, value: npt.ArrayLike) -> np.ndarray:
        """Return ``value`` as an array of the plan's shape and dtype, in any byte order."""
        x = plain_array(value, "x")
        if x.shape != self._x_shape:
            raise ValueError(f"x has shape {x.shape}, but the plan is for {self._x_shape}")
        if x.dtype.newbyteorder("=") == self._x_dtype:
            return x
        if not isinstance(value, np.ndarray) and np.can_cast(x.dtype, self._x_dtype):
            return x.astype(self._x_dtype)
        raise TypeError(f"x has dtype {x.dtype}, but the plan is for {self._x_dtype}")

    def __copy__(self) -> Plan:
        """Return the plan itself, which never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Plan:
        """Return the plan itself, which never changes."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Return the call, for another process to bind."""
        problem = self._prepared.problem
        options = problem.options()._replace(method=self._prepared.method)._asdict()
        call = (self._x_shape, self._x_dtype, self._w, options | self._asked)
        return _restored, (*call, self._nan_policy, self._mask, self.algorithm)

    def __repr__(self) -> str:
        """Name what runs and what it takes."""
        return (
            f"<pyconv.Plan {self.algorithm or 'integers'}: "
            f"x {self._x_shape} {self._x_dtype}, w {self.w_shape} -> {self.y_shape} {self.dtype}>"
        )


def _data_decide(problem: Problem) -> bool:
    """Return whether the values of ``x`` decide in which dtype a problem is summed, or if at all.

    Integers of 8 and 16 bits are bounded by the limits of their dtype, whatever their values.
    """
    if problem.compute is None or problem.is_rounded:
        return problem.x_dtype.kind == "f" or problem.x_dtype.itemsize > 2
    return is_integer(problem.dtype) and problem.overflow == "raise"


def plan(
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
    method: str = "auto",
    rtol: float | None = None,
    max_memory: int | None = None,
) -> Plan:
    """Bind a correlation or a convolution to its weights, to be applied to many arrays.

    Everything that does not depend on the samples is done here, once: arguments are validated,
    the algorithm is chosen and bound, the weights are copied. Errors are raised here, not by the
    calls of the plan.

    Parameters
    ----------
    x : array_like, optional
        Such an array, of which only shape and dtype count. A tuple of numbers is an array as a
        list is; the shape of an array is `shape`.
    w : array_like
        Kernel of 1, 2 or 3 dimensions; a copy of it is kept.
    mode, boundary
        As for `correlate`.
    shape : int or sequence of int, optional
        The shape of the arrays, in place of `x`.
    flip : bool, optional
        False plans `correlate`, True `convolve`: the kernel is flipped and not conjugated.
    x_dtype : dtype, optional
        The dtype of the arrays, with `shape`. By default that of `w`.
    fill_value, axes, stride, dilation, dtype, overflow, rounding
        As for `correlate`.
    nan_policy, method, rtol, max_memory
        As for `correlate`.
    mask : array_like of bool, optional
        True for samples that are left out of every array. With it, or with
        ``nan_policy='omit'``, the plan also takes masked arrays.

    Returns
    -------
    Plan
        ``plan(x, out=None, workers=None)`` is the result, the same bits as those of the call.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As for `correlate`.
    OverflowError
        As for `correlate`, where the dtype of `x` bounds the results; for integers wider than 16
        bits, and for floats that become integers, the calls of the plan raise it.

    See Also
    --------
    explain : what would run, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> edges = pyconv.plan(
    ...     shape=(4, 4), x_dtype="uint8", w=[[1, 0, -1]], mode="same", boundary="nearest"
    ... )
    >>> picture = np.repeat(np.array([[9, 9, 1, 1]], "uint8"), 4, axis=0)
    >>> edges(picture)[0]
    array([0, 8, 8, 0])

    Of a convolution:

    >>> w = np.array([0.0, 1.0, 2.0])
    >>> pyconv.plan(shape=3, w=w, mode="full", flip=True)([1, 2, 3])
    array([0., 1., 4., 7., 6.])
    """
    options = CallOptions(
        flag(flip, "flip"), mode, boundary, fill_value, axes, stride, dilation, dtype, overflow,
        rounding, rtol, max_memory, method,
    )  # fmt: skip
    source, weights = array_like(x, shape, x_dtype, w)
    return _planned(source, weights, options, nan_policy, mask)


def _planned(
    source: npt.ArrayLike,
    w: np.ndarray,
    options: CallOptions,
    nan_policy: str,
    mask: npt.ArrayLike | None,
    asked: Mapping[str, object] | None = None,
) -> Plan:
    """Return the plan of a call."""
    if not leaves_out(source, nan_policy, mask):
        return Plan(prepare(plain_array(source, "x"), w, options), w, nan_policy, asked=asked)
    samples, missing = split_mask(source, mask)
    weights = w.copy()
    omission = Omission(samples, weights, options, nan_policy == "omit", missing is not None)
    kept = None if missing is None else missing.copy()
    #: A fill value of NaN says that samples outside are missing, and is none of the problem's.
    fill = {"fill_value": options.fill_value}
    return Plan(omission.prepared, weights, nan_policy, omission, kept, fill | dict(asked or {}))


def bound_by(
    algorithm: str | None,
    source: np.ndarray,
    w: np.ndarray,
    options: CallOptions,
    nan_policy: str = "propagate",
    mask: np.ndarray | None = None,
) -> Plan:
    """Return the plan of a call that an algorithm has run before, by that algorithm if it can.

    Predictions may differ in another process, where `tune` has found something else; so may what
    is possible, with loops of another instruction set.
    """
    made = _planned(source, w, options, nan_policy, mask)
    if algorithm in (None, made.algorithm):
        return made
    forced = options._replace(method=algorithm)
    try:
        return _planned(source, w, forced, nan_policy, mask, {"method": options.method})
    except (ValueError, MemoryError):
        return made


def _restored(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: np.ndarray,
    options: dict[str, Any],
    nan_policy: str,
    mask: np.ndarray | None,
    algorithm: str | None,
) -> Plan:
    """Return the plan that a pickle describes."""
    source = array_of(shape, x_dtype, "shape")
    return bound_by(algorithm, source, w, CallOptions(**options), nan_policy, mask)
