"""Factors of kernels: w = Σ_r u_r v_rᵀ, times t along z, and the error of that.

Whole weights are factored into whole ones where they can be, so that integer sums stay exact;
others by the singular values or by least squares, within the error that is granted.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine.algorithms.base import BLOCK_TERMS, epsilon, narrowing, summation_bound
from pyconv._engine.algorithms.loop_adapters import on_real_parts
from pyconv._engine.problem import Problem

#: Whole weights up to this size, and products of two of them, are exact in every type used.
MAX_WHOLE = 2.0**53
#: Ranks tried from the least that the singular values allow: roundings add to what they leave out.
RANKS_TRIED = 2
#: Roundings by which a factor may differ from its mirror image, and is made that: they are part of
#: the error of the factors.
EVENED = 8
#: Roundings of a weight by which one product of factors may differ from it, for the error of an
#: output to be a part of what its window holds.
LOCAL = 16
#: Of the alternating least squares in three dimensions.
TURNS = 2


class Factors(NamedTuple):
    """A kernel Σ_r down[r] across[r]ᵀ, times ``deep`` along z; and what it is worth."""

    down: np.ndarray
    across: np.ndarray
    #: Proven bound on max|y − exact| / (max|x| · Σ|w|).
    error: float
    #: None in two dimensions; in three the rank is one.
    deep: np.ndarray | None = None
    #: Whether their product is each weight but for LOCAL roundings of it.
    local: bool = False


def granted(problem: Problem) -> float:
    """Return the error that the call grants: by default, that of a plain sum, in blocks if long."""
    if problem.rtol is not None:
        return problem.rtol
    blocks = 3 * math.sqrt(math.prod(problem.w_shape)) + BLOCK_TERMS + 2
    return min(summation_bound(problem), blocks * epsilon(problem) + narrowing(problem))


def order_of(problem: Problem) -> list[int]:
    """Return the kernel axes in the order of the axes of ``x``."""
    return sorted(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)


def _sums_dtype(problem: Problem) -> np.dtype:
    dtype = on_real_parts(problem)[0].compute
    assert dtype is not None
    return dtype


def whole_factors(problem: Problem, w: np.ndarray) -> Factors | None:
    """Return whole factors whose product is exactly ``w``, if there are."""
    magnitude = np.abs(w.astype(np.float64))
    if magnitude.max() > MAX_WHOLE or magnitude.max() == 0:
        return None
    whole = w.astype(np.int64)
    if w.dtype.kind == "f" and not np.array_equal(whole, w):
        return None
    sides, at = _fibres(whole)
    sides[1:] = [side // np.gcd.reduce(side) for side in sides[1:]]
    sides[0] = sides[0] // math.prod(int(s[i]) for s, i in zip(sides[1:], at[1:], strict=True))
    if not np.array_equal(functools.reduce(np.multiply.outer, sides), whole):
        return None
    sums = _sums_dtype(problem)
    *deep, down, across = (side.astype(sums) for side in sides)
    factors = Factors(down[np.newaxis], across[np.newaxis], 0.0, deep[0] if deep else None)
    return factors if problem.exact else _rounded(problem, w, factors)


def factors_of_two(problem: Problem, w: np.ndarray) -> Factors | None:
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
            across = _evened(np.ldexp(right[:rank], -shift[:, np.newaxis]), sums).astype(sums)
            down = _evened((left[:, :rank] * values[:rank]).T, sums)
            down = np.ldexp(down, shift[:, np.newaxis] + exponent).astype(sums)
        factors = _rounded(problem, w, Factors(down, across, 0.0))
        if factors.error <= granted(problem):
            return factors
    return factors


def _fibres(w: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """Return the weights along each axis through the largest, and where that is."""
    at = [int(i) for i in np.unravel_index(np.abs(w).argmax(), w.shape)]
    fibres = []
    for i in range(w.ndim):
        place: list[Any] = [*at]
        place[i] = slice(None)
        fibres.append(w[tuple(place)])
    return fibres, at


def factors_of_three(problem: Problem, w: np.ndarray) -> Factors:
    """Return three factors: those through the largest weight, improved in turn.

    Each becomes the best for the two others (alternating least squares); a kernel that is a
    product but for its rounding needs few turns.
    """
    wide = w.astype(np.float64, order="C")  # the same sums for every memory layout
    exponent = np.frexp(np.abs(wide).max())[1]
    wide = np.ldexp(wide, -exponent)
    sides, _ = _fibres(wide)
    for i in (1, 2, 0) * TURNS:
        rest = wide
        for axis in sorted({0, 1, 2} - {i}, reverse=True):
            unit = sides[axis] / (np.linalg.norm(sides[axis]) or 1.0)
            rest = np.tensordot(rest, unit, (axis, 0))
            sides[axis] = unit
        sides[i] = rest
    # The samples that are filtered on the way stay within their own range.
    sums = _sums_dtype(problem)
    deep, down, across = (_evened(side, sums) for side in sides)
    shifts = [int(np.frexp(np.abs(side).sum())[1]) for side in (down, across)]
    with np.errstate(over="ignore", under="ignore"):
        down, across = (
            np.ldexp(side, -shift).astype(sums)
            for side, shift in zip((down, across), shifts, strict=True)
        )
        deep = np.ldexp(deep, sum(shifts) + exponent).astype(sums)
    return _rounded(problem, w, Factors(down[np.newaxis], across[np.newaxis], 0.0, deep))


def _evened(rows: np.ndarray, sums: np.dtype) -> np.ndarray:
    """Return rows that are their own mirror image but for their rounding made so exactly.

    The same of rows that are the negative of it; the loop multiplies two taps of such at once.
    """
    turned = rows[..., ::-1]
    near = EVENED * np.finfo(sums).eps * np.abs(rows).max(axis=-1, keepdims=True)
    even = np.abs(rows - turned).max(axis=-1, keepdims=True) <= near
    odd = np.abs(rows + turned).max(axis=-1, keepdims=True) <= near
    image = np.where(even, turned, np.where(odd, -turned, rows))
    return np.asarray((rows + image) / 2)


def _rounded(problem: Problem, w: np.ndarray, factors: Factors) -> Factors:
    """Return the factors with their error.

    With u = ε/2 a sum of n products errs by at most n·u / (1 − n·u) of the sum of their
    magnitudes; so does one of which two samples are added first: that takes half the products and
    sums, and one rounding more. One output passes through cols + rank·rows + planes of such
    roundings, and two more where x is converted and the result narrowed, over Σ_r Σ|u_r| Σ|v_r|,
    times Σ|t| of a factor t along z. What the factors leave of w is found in float64, whose own
    rounding is added.
    """
    down, across, _, deep, _ = factors
    rank, rows = down.shape
    wide, u, v = (a.astype(np.float64) for a in (w, down, across))
    t = np.ones(1) if deep is None else deep.astype(np.float64)
    total = np.abs(wide).sum()
    if total == 0:
        return factors
    product = (np.abs(u).sum(axis=1) * np.abs(v).sum(axis=1)).sum() * np.abs(t).sum() / total
    apart = np.abs(wide - np.multiply.outer(t, u.T @ v).reshape(w.shape))
    left_out = apart.sum() / total
    local = rank == 1 and bool(np.all(apart <= LOCAL * epsilon(problem) * np.abs(wide)))
    own = (rank + 2) * float(np.finfo(np.float64).eps) / 2 * product
    passed = across.shape[1] + rank * rows + (0 if deep is None else len(deep))
    roundings = (passed + 2) * epsilon(problem) / 2
    error = float(left_out + own + roundings / (1 - roundings) * product) + narrowing(problem)
    return factors._replace(error=error, local=local)
