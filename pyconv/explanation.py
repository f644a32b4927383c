"""explain: which algorithms could answer a call, what each would cost, and which one runs."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyconv.algorithms import ALGORITHMS, Algorithm
from pyconv.machine import MACHINE
from pyconv.planning import Prepared, array_like, fitted, prepare
from pyconv.problem import Problem
from pyconv.results import plain_array


@dataclass(frozen=True, slots=True)
class Candidate:
    """One algorithm beside a call; a row of the table. Numbers are None where it cannot run."""

    #: The word for ``method=``.
    algorithm: str
    #: Why it cannot answer the call, None if it can.
    rejected: str | None
    chosen: bool
    #: Bytes that one thread needs besides the arrays.
    workspace: int | None
    #: The proven bound on max|y − exact| / (max|x| · Σ|w|).
    error_bound: float | None
    #: Predicted time on one thread.
    seconds: float | None


class Explanation:
    """What would run for a call, and why; its ``str`` is a table. `explain` makes it.

    Parameters
    ----------
    w : ndarray
        The weights.
    problem : Problem
        The call without its data, the dtype of its sums settled.
    method : str
        The method that is forced, or ``auto``.
    chosen : str
        The name of the algorithm that runs.

    Attributes
    ----------
    algorithm : str
        The name of the algorithm that runs.
    candidates : tuple
        A row for each algorithm, with the attributes ``algorithm``, ``rejected`` (why it cannot
        run, or None), ``chosen``, ``workspace`` (bytes of one thread), ``error_bound`` (proven,
        as a part of ``max|x| * sum|w|``) and ``seconds`` (predicted, on one thread).
    flops : int
        Operations of the definition: a multiplication and an addition for each weight of each
        result.
    nbytes : int
        Bytes of the array, the weights and the result, which every algorithm reads or writes.
    sums : dtype
        In which dtype products are summed.

    See Also
    --------
    explain : make one.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> w = np.arange(31 * 31, dtype="float32").reshape(31, 31)
    >>> why = pyconv.explain((512, 512), w % 7, rtol=0)
    >>> why.algorithm
    'direct'
    >>> [row.rejected for row in why.candidates if row.algorithm == "fft"]
    ['its proven error bound of ... is more than rtol=0']
    """

    __slots__ = ("_method", "_problem", "algorithm", "candidates", "flops", "nbytes", "sums")

    def __init__(self, problem: Problem, w: np.ndarray, method: str, chosen: str) -> None:
        self._problem = problem
        self._method = method
        self.algorithm = chosen
        self.candidates = tuple(_candidate(a, problem, w, method, chosen) for a in ALGORITHMS)
        self.flops = 2 * problem.products
        self.nbytes = sum(
            math.prod(shape) * dtype.itemsize
            for shape, dtype in (
                (problem.x_shape, problem.x_dtype),
                (problem.w_shape, problem.w_dtype),
                (problem.y_shape, problem.dtype),
            )
        )
        self.sums: np.dtype = problem.compute

    def __str__(self) -> str:
        """Return the table."""
        problem = self._problem
        head = (
            f"x {problem.x_shape} {problem.x_dtype}, w {problem.w_shape} {problem.w_dtype} -> "
            f"{problem.y_shape} {problem.dtype}, summed in {self.sums}\n"
            f"by definition {_scaled(self.flops)}flop; arrays {_scaled(self.nbytes)}B; "
            f"max_memory {_scaled(problem.max_memory)}B; rtol {problem.rtol}; "
            f"method {self._method!r}\n"
        )
        lines = [head]
        rows = [("", "algorithm", "predicted", "flop/s", "workspace", "error bound", "")]
        rows += [self._words(c) for c in self.candidates]
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        for row in rows:
            cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
            cells += [row[i].rjust(widths[i]) for i in range(2, 6)]
            lines.append("  ".join([*cells, row[6]]).rstrip())
        return "\n".join(lines)

    def _words(self, row: Candidate) -> tuple[str, str, str, str, str, str, str]:
        mark = "->" if row.chosen else ""
        if row.seconds is None or row.workspace is None or row.error_bound is None:
            return (mark, row.algorithm, "-", "-", "-", "-", f"cannot: {row.rejected}")
        reason = "chosen" if row.chosen else f"cannot: {row.rejected}" if row.rejected else ""
        return (
            mark,
            row.algorithm,
            f"{_scaled(row.seconds)}s",
            f"{_scaled(self.flops / row.seconds)}" if row.seconds else "-",
            f"{_scaled(row.workspace)}B",
            f"{row.error_bound:.2g}" if row.error_bound else "exact",
            reason,
        )

    def __repr__(self) -> str:
        """Return the table, so that a prompt shows it."""
        return str(self)


def _candidate(
    algorithm: Algorithm, problem: Problem, w: np.ndarray, method: str, chosen: str
) -> Candidate:
    able = fitted(algorithm, problem, w)
    if isinstance(able, str):
        return Candidate(algorithm.name, able, False, None, None, None)
    algorithm, rejected = able, None
    workspace = algorithm.workspace(problem) if math.prod(problem.y_shape) else 0
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


def _scaled(value: float) -> str:
    """Return a number with a prefix: 0.0012 → '1.2 m'."""
    if value == 0:
        return "0 "
    prefixes = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
    power = max(-3, min(5, math.floor(math.log10(abs(value)) / 3)))
    return f"{value / 1000.0**power:.3g} {prefixes[power]}"


def explanation_of(prepared: Prepared, x: np.ndarray, w: np.ndarray) -> Explanation:
    """Return what would run for this data."""
    plan = prepared.plan(x, w)
    return Explanation(plan.problem, w, prepared.method, plan.algorithm.name)


def explain(
    x: npt.ArrayLike | tuple[int, ...],
    w: npt.ArrayLike,
    mode: str | list[tuple[int, int]] = "valid",
    boundary: str | tuple[str, ...] = "constant",
    *,
    flip: bool = False,
    x_dtype: npt.DTypeLike | None = None,
    fill_value: complex = 0,
    axes: int | tuple[int, ...] | None = None,
    stride: int | tuple[int, ...] = 1,
    dilation: int | tuple[int, ...] = 1,
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
    x : tuple of int or array_like
        The array of the call, or its shape. Integers wider than 16 bits are looked at, because
        their values decide in which dtype they are summed; a shape stands for zeros.
    w : array_like
        Kernel of 1, 2 or 3 dimensions.
    mode, boundary
        As for `correlate`.
    flip : bool, optional
        False explains `correlate`, True `convolve`.
    x_dtype : dtype, optional
        The dtype of the array, where `x` is a shape. By default that of `w`.
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
    >>> print(pyconv.explain((512, 512), np.random.default_rng(0).random((31, 31), "float32")))
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
    weights = plain_array(w, "w")
    source = array_like(x, x_dtype, weights)
    return explanation_of(prepare(source, weights, options), source, weights)
