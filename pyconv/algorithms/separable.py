"""separable: y = Σ_r u_r ∗ (v_r ∗ x) for kernels w = Σ_r u_r v_rᵀ of low rank.

Whether a kernel is one depends on its values. Whole weights are factored into whole ones where
they can be, so that integer sums stay exact; others by the singular values, within the error that
is granted.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyconv._native import loader
from pyconv.algorithms.base import Algorithm, Run, UnfitDataError, summation_bound
from pyconv.algorithms.casting import Loop, axis_rows, bind_loop, longest_reach, on_real_parts
from pyconv.dtypes import is_integer
from pyconv.machine import MACHINE, Machine
from pyconv.problem import Problem

#: Longer kernels and pads would need large strips.
MAX_SPAN = 2**12
#: Seconds of a call; kernels for which a plain sum takes no longer are not looked at.
CALL_SECONDS = 20e-6
#: Multiply-adds of one output that its two passes through the strip are worth.
PASS_PRODUCTS = 8
#: Whole weights up to this size, and products of two of them, are exact in every type used.
MAX_WHOLE = 2.0**53
#: Ranks tried from the least that the singular values allow: roundings add to what they leave out.
RANKS_TRIED = 2


class Factors(NamedTuple):
    """A kernel Σ_r down[r] across[r]ᵀ, and what it is worth."""

    down: np.ndarray
    across: np.ndarray
    #: Proven bound on max|y − exact| / (max|x| · Σ|w|).
    error: float


@dataclass(frozen=True, eq=False, slots=True)
class Separable:
    """Two passes of register tiles, for a kernel that has been factored."""

    factors: Factors | None = None

    name = "separable"

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken."""
        if len(problem.spatial) != 2:
            return "kernels of two dimensions are factored"
        rows, cols = problem.w_shape
        if rows * cols <= rows + cols:
            return "two passes would take as many products as one"
        if problem.compute == object:
            return "the exact sums need integers wider than 64 bits"
        if problem.w_dtype.kind == "c":
            return "the weights are complex"
        if any(a.stride > 1 for a in problem.spatial):
            return "rows that a stride skips would be filtered too"
        if longest_reach(problem.spatial) > MAX_SPAN:
            return f"the kernel spans or pads more than {MAX_SPAN} samples of an axis"
        if problem.exact:
            return None
        if is_integer(problem.dtype):
            return "rounded factors may round an integer result the other way"
        if problem.rtol == 0:
            return "rtol=0 allows plain sums only"
        return None

    def fit(self, problem: Problem, w: np.ndarray) -> "Algorithm | str":
        """Return the algorithm for these weights, or why they are not separable."""
        if w.dtype.kind == "f" and not np.isfinite(w).all():
            return "the weights are not finite"
        order = _order(problem)
        w = w.transpose(order)
        factors = _whole_factors(problem, np.flip(w) if problem.flip else w)
        if factors is None and not problem.exact:
            factors = _factors(problem, np.flip(w) if problem.flip else w)
        if factors is None:
            return "the kernel is of no low rank within the error that is granted"
        if factors.error > granted(problem):
            return (
                f"its proven error bound of {factors.error:.2g} "
                f"is more than the {granted(problem):.2g} that is granted"
            )
        return Separable(factors)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the larger of the time to multiply and the time to read and write."""
        rank = 1 if self.factors is None else len(self.factors.down)
        item = max(4, problem.compute.itemsize)
        slow = 4 if problem.compute.kind in "iu" else 1  # as of the plain sum
        products = rank * (sum(problem.w_shape) * slow + PASS_PRODUCTS)
        work = math.prod(problem.y_shape) * products * item / machine.direct_bytes_per_second
        samples = math.prod(problem.x_shape) + math.prod(problem.y_shape)
        return CALL_SECONDS + max(work, samples * item / machine.copy_bytes_per_second)

    def error_bound(self, problem: Problem) -> float:
        """Return what the factors leave out, and the bound of both sums."""
        return summation_bound(problem) if self.factors is None else self.factors.error

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the strips."""
        real, parts = on_real_parts(problem)
        return int(_loop(real, parts, self._known(problem)).workspace())

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return max(1, int(self.cost(problem, MACHINE) / MACHINE.seconds_per_thread))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        return bind_loop(problem, functools.partial(_bind, self._known(problem)))

    def _known(self, problem: Problem) -> Factors:
        """Return the factors, or empty ones of the least rank, for their size."""
        if self.factors is not None:
            return self.factors
        rows, cols = (problem.w_shape[i] for i in _order(problem))
        return Factors(np.zeros((1, rows)), np.zeros((1, cols)), 0.0)


def granted(problem: Problem) -> float:
    """Return the error that the call grants: by default, that of a plain sum."""
    return summation_bound(problem) if problem.rtol is None else problem.rtol


# ---- factors --------------------------------------------------------------------------------


def _order(problem: Problem) -> list[int]:
    """Return the kernel axes in the order of the axes of ``x``."""
    return sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)


def _sums_dtype(problem: Problem) -> np.dtype:
    dtype = on_real_parts(problem)[0].compute
    assert dtype is not None
    return dtype


def _whole_factors(problem: Problem, w: np.ndarray) -> Factors | None:
    """Return whole factors whose product is exactly ``w``, if there are."""
    magnitude = np.abs(w.astype(np.float64))
    if magnitude.max() > MAX_WHOLE or magnitude.max() == 0:
        return None
    whole = w.astype(np.int64)
    if w.dtype.kind == "f" and not np.array_equal(whole, w):
        return None
    i, j = np.unravel_index(magnitude.argmax(), w.shape)
    across = whole[i] // np.gcd.reduce(whole[i])
    down = whole[:, j] // across[j]
    if not np.array_equal(np.outer(down, across), whole):
        return None
    sums = _sums_dtype(problem)
    down, across = down[np.newaxis].astype(sums), across[np.newaxis].astype(sums)
    if problem.exact:
        return Factors(down, across, 0.0)
    return _rounded(problem, w, down, across)


def _factors(problem: Problem, w: np.ndarray) -> Factors | None:
    """Return factors of the least rank that keeps to the error that is granted."""
    rows, cols = w.shape
    sums = _sums_dtype(problem)
    wide = w.astype(np.float64)
    exponent = np.frexp(np.abs(wide).max())[1]
    left, values, right = np.linalg.svd(np.ldexp(wide, -exponent), full_matrices=False)
    # What is left out is at least its Frobenius norm.
    missing = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
    allowed = granted(problem) * np.abs(np.ldexp(wide, -exponent)).sum()
    factors = None
    least = 1 + int(np.argmax(np.append(missing[1:], 0) <= allowed))
    for rank in range(least, least + RANKS_TRIED):
        if rank * (rows + cols) >= rows * cols:
            break
        with np.errstate(over="ignore", under="ignore"):
            # Rows of x that are filtered stay within its own range.
            shift = np.frexp(np.abs(right[:rank]).sum(axis=1))[1]
            across = np.ldexp(right[:rank], -shift[:, np.newaxis]).astype(sums)
            down = (left[:, :rank] * values[:rank]).T
            down = np.ldexp(down, shift[:, np.newaxis] + exponent).astype(sums)
        factors = _rounded(problem, w, down, across)
        if factors.error <= granted(problem):
            return factors
    return factors


def _rounded(problem: Problem, w: np.ndarray, down: np.ndarray, across: np.ndarray) -> Factors:
    """Return the factors with their error.

    With u = ε/2 a sum of n products errs by at most n·u / (1 − n·u) of the sum of their
    magnitudes. One output passes through cols + rank·rows of such roundings, and two more where
    x is converted and the result narrowed, over Σ_r Σ|u_r| Σ|v_r|. What the factors leave of w
    is found in float64, whose own rounding is added.
    """
    rank, rows = down.shape
    wide, u, v = (a.astype(np.float64) for a in (w, down, across))
    total = np.abs(wide).sum()
    if total == 0:
        return Factors(down, across, 0.0)
    product = (np.abs(u).sum(axis=1) * np.abs(v).sum(axis=1)).sum() / total
    left_out = np.abs(wide - u.T @ v).sum() / total
    own = (rank + 1) * float(np.finfo(np.float64).eps) / 2 * product
    roundings = (across.shape[1] + rank * rows + 2) * float(np.finfo(problem.dtype).eps) / 2
    return Factors(down, across, float(left_out + own + roundings / (1 - roundings) * product))


# ---- the loop -------------------------------------------------------------------------------


def _loop(real: Problem, parts: int, factors: Factors) -> Any:
    """Return the compiled loop of a real problem, or of samples that are parts of a complex one."""
    axes = [real.spatial[i] for i in _order(real)]
    last = axes[1].axis
    batch = [a for a in range(last) if a != axes[0].axis]
    return loader.native.SeparableLoop(
        real.compute,
        axis_rows(axes),
        batch,
        math.prod(real.x_shape[a] for a in batch),
        math.prod(real.x_shape[last + 1 :]),
        factors.down.astype(real.compute),
        factors.across.astype(real.compute),
    )


def _bind(factors: Factors, problem: Problem, fill: np.ndarray) -> Loop:
    loop = _loop(problem, len(fill), factors)
    group = math.prod(problem.x_shape[max(a.axis for a in problem.spatial) + 1 :])
    fill = fill if len(fill) == 1 else np.tile(fill, group // len(fill))

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        if group > 1:
            x = np.ascontiguousarray(x)
        if not loop.run(x, y, fill, clip, workers):
            raise UnfitDataError

    return run
