"""recursive: Gaussians as decaying exponentials, whose cost does not depend on their width.

    w(n) ≈ h(n) = Re Σ_k c_k p_k^|n| for |n| ≤ R, 0 beyond
    s_k[n] = p_k s_k[n − 1] + x[n] − p_k^(R+1) x[n − R − 1],  y[n] = Re Σ_k c_k s_k[n] + …

from one end of each line and from the other, along one axis after the other (Deriche, "Recursively
implementing the Gaussian and its derivatives", INRIA 1893, 1993; Wang and Smith, "On fast FIR
filters implemented as tail-canceling IIR filters", 1997). An approximation: it is taken only where
`rtol` grants its error, which is proven for the taps as they are, and relative to what each window
holds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyconv._engine import threads
from pyconv._engine.algorithms.base import Algorithm, Copies, Run, UnfitDataError
from pyconv._engine.algorithms.loop_adapters import (
    Loop,
    axis_rows,
    bind_loop,
    copies,
    on_real_parts,
)
from pyconv._engine.dtypes import is_integer, narrow
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis, Problem
from pyconv._native import loader

#: Decay and turn of p = exp(−(decay + i turn) / σ): two pairs and a real one. Found by simplex
#: search for the least Σ|h − w| of σ = 20 that ends at 4 σ; other σ and ends share them.
POLES = np.array([1.9641 + 1.1553j, 1.8898 + 2.4757j, 1.9969])
#: Turns of the reweighting that makes a least sum of magnitudes of least squares.
REWEIGHTED = 12
#: Less is never asked for, along one axis: few Gaussians are met more closely.
MIN_ERROR = 2e-5
#: A pole closer to the unit circle would multiply roundings too much for any use.
MAX_SIGMA = 2.0**12
#: Narrower ones decay to subnormal numbers before the loop looks (recursive.h).
MIN_SIGMA = 1.9
#: Samples of a line that is not cut: its panel, of up to 32 lines, still lies in a cache.
WHOLE_LINE = 2**13
#: Samples of a piece, with its halos, where panels of whole lines would have empty lanes.
PIECE = 2**11
#: What a window has to hold of, by the dtype of the sums: below, states that the loop drops would
#: count.
MIN_SAMPLE = {np.dtype(np.float32): 2.0**-70, np.dtype(np.float64): 2.0**-900}
#: Of |x|, at most, the states that are dropped: 2^-100 / 2^-70 and 2^-960 / 2^-900 (recursive.h).
DROPPED = 2.0**-30
#: Powers of two by which samples differ that one recursion filters: as many as the error that is
#: granted allows.
MIN_RANGE, MAX_RANGE = 6, 60
#: Sums of the weights that keep results within the range, too.
WEIGHTS_RANGE = (2.0**-20, 2.0**30)
#: Seconds of a call.
CALL_SECONDS = 30e-6
#: What a sample of a pass costs, in multiply-adds of the plain loop: of lines that are neighbours
#: in memory, and of those that are transposed. 38 are multiplied.
ABREAST_PRODUCTS, TRANSPOSED_PRODUCTS = 30.0, 40.0
#: Of the time to read and write what exceeds twice the cache, the part that filtering does not
#: hide. Fitted, as those, on a Zen 4 core with AVX-512 to 512² and 2048² float32, σ = 5 to 40.
FAR_SHARE = 0.7


class Exponentials(NamedTuple):
    """h(n) of one axis: poles and residues in the dtype of the sums; and what it is worth."""

    #: Re and Im of the first pair, of the second, and the real one.
    poles: np.ndarray
    #: Residues of lags 0, 1, … and of lags −1, −2, …: Re and −Im.
    before: np.ndarray
    after: np.ndarray
    #: −p^(R+1) and −p^R, in the order of the poles.
    gone_before: np.ndarray
    gone_after: np.ndarray
    #: Σ|w|, Σ|h − w| and the bound of the roundings, in units of the largest |x| of a window.
    total: float
    missed: float
    roundings: float
    #: The bound of what roundings leave of samples outside it, in units of the largest of these.
    left: float


@dataclass(frozen=True, eq=False, slots=True)
class Recursive:
    """Passes of recursions from both ends along each axis, for weights that have been fitted."""

    #: Of each kernel axis, once they are known; the proven bound of all.
    sides: tuple[Exponentials, ...] | None = None
    error: float = math.inf
    #: The power of two by which samples that are filtered together differ at most.
    span: int = MIN_RANGE
    #: The sign of all weights, 0 if they have several: then infinities are no passes' business.
    sign: int = 1

    name = "recursive"

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken, or that no error is granted."""
        if problem.exact or is_integer(problem.dtype):
            return "it approximates, and integer results are exact"
        if problem.w_dtype.kind == "c":
            return "the weights are complex"
        least = MIN_ERROR * len(problem.spatial)
        if problem.rtol is None or problem.rtol < least:
            return f"it approximates Gaussians: rtol has to grant an error of at least {least:.2g}"
        if any(a.taps % 2 == 0 for a in problem.spatial):
            return "a Gaussian has an odd number of taps along each axis"
        if any(a.stride > 1 for a in problem.spatial):
            return "samples that a stride skips would be filtered too"
        if any(a.dilation > 1 for a in problem.spatial):
            return "taps that are a dilation apart are no Gaussian"
        if not np.isfinite(problem.fill_value) and problem.reads_fill:
            return f"fill_value={problem.fill_value!r} would reach every output of a line"
        return problem.tables_exceed()

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights, or why they are no Gaussian."""
        assert problem.rtol is not None
        wide = w.astype(np.float64)
        scale = float(wide.sum())
        least, most = WEIGHTS_RANGE
        if not np.isfinite(wide).all() or not least <= abs(scale) <= most:
            return f"the weights do not sum to a number of {least:.2g} to {most:.2g}"
        taps = [_along(wide, i) / scale for i in range(w.ndim)]
        sums = on_real_parts(problem)[0].compute
        sides = []
        for i, side in enumerate(taps):
            if (sigma := _sigma(side)) is None:
                return f"the weights along axis {i} of the kernel are no Gaussian, or a narrow one"
            sides.append(_exponentials(side, sigma, sums))
        errors = {
            n: _error(wide, scale, taps, sides, problem.dtype, n)
            for n in range(MIN_RANGE, MAX_RANGE + 1)
        }
        error = errors[MIN_RANGE]
        if error > problem.rtol:
            return (
                f"its proven error bound of {error:.2g} for these weights "
                f"is more than rtol={problem.rtol:g}"
            )
        granted = max(n for n, reached in errors.items() if reached <= problem.rtol)
        sides[_last_pass(problem)] = _scaled(sides[_last_pass(problem)], scale)
        return Recursive(tuple(sides), error, granted, _sign(w.astype(sums)))

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the time of the multiplications, and to read and write what each pass does."""
        real, _ = on_real_parts(problem)
        assert real.compute is not None
        item = real.compute.itemsize
        products = moved = 0.0
        width = loader.native.recursive_width(real.compute)
        for step in _passes(real):
            each = ABREAST_PRODUCTS if step.abreast else TRANSPOSED_PRODUCTS
            products += step.panels(width) * width * (step.piece + step.axis.taps) * each
            moved += math.prod(step.x_shape) + math.prod(step.y_shape)
        work = products * item / machine.direct_bytes_per_second
        far = max(0.0, moved * item - 2 * machine.cache_bytes) / machine.copy_bytes_per_second
        return CALL_SECONDS + work + FAR_SHARE * far

    def error_bound(self, problem: Problem) -> float:
        """Return the proven bound of the weights that were fitted."""
        return self.error

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the panels, and of what the passes hand to each other."""
        real, _ = on_real_parts(problem)
        assert real.compute is not None
        steps = _passes(real)
        panels = max(int(_loop(real.compute, s, self).workspace()) for s in steps)
        room = _room(steps)
        return panels + (0 if room is None else math.prod(room) * real.compute.itemsize)

    def copies(self, problem: Problem) -> Copies:
        """Return what is converted."""
        return copies(problem, folded=1)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        return MACHINE.threads_for(self.cost(problem, MACHINE))

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled passes."""
        return bind_loop(problem, functools.partial(_bind, self))


# ---- exponentials ---------------------------------------------------------------------------


def _along(w: np.ndarray, axis: int) -> np.ndarray:
    """Return the weights summed over all axes but one."""
    return w.sum(axis=tuple(i for i in range(w.ndim) if i != axis))


def _sign(w: np.ndarray) -> int:
    """Return the sign that all weights have, 0 if there is none."""
    return 1 if (w > 0).all() else -1 if (w < 0).all() else 0


def _sigma(taps: np.ndarray) -> float | None:
    """Return the width of positive taps from the curvature of their logarithm, None without one.

    Each logarithm counts by the square of its tap, as the taps themselves would.
    """
    held = taps > 0  # far ones may have become zero
    if (taps < 0).any() or held.sum() < 3:
        return None
    lags = np.arange(len(taps))[held] - len(taps) // 2
    bend = -np.polyfit(lags.astype(np.float64) ** 2, np.log(taps[held]), 1, w=taps[held])[0]
    sigma = 1 / math.sqrt(2 * bend) if bend > 0 else math.inf
    return sigma if MIN_SIGMA <= sigma <= MAX_SIGMA else None


def _powers(poles: np.ndarray, n: int) -> np.ndarray:
    """Return Re p^m and −Im p^m of the pairs, and p^m of the real pole, for m < n, in columns."""
    pairs = np.array([complex(*poles[:2]), complex(*poles[2:4])])
    turned = np.exp(np.arange(n)[:, np.newaxis] * np.log(pairs))
    real = poles[4] ** np.arange(n)
    return np.stack(
        [turned[:, 0].real, turned[:, 0].imag, turned[:, 1].real, turned[:, 1].imag, real], axis=1
    )


def _exponentials(taps: np.ndarray, sigma: float, sums: np.dtype) -> Exponentials:
    """Fit the residues for the least Σ|h − w|, by least squares that are weighted again.

    The error is that of the poles and residues as they were rounded to the dtype of the sums.
    """
    n = len(taps) // 2 + 1
    p = np.exp(-POLES / sigma)
    poles = np.array([p[0].real, p[0].imag, p[1].real, p[1].imag, p[2].real]).astype(sums)
    wide = poles.astype(np.float64)
    powers = _powers(wide, n)
    residues = _least_sum(powers, (taps[n - 1 :] + taps[n - 1 :: -1]) / 2)
    # Lags −1, −2, … begin one power later: c p instead of c.
    c = np.array([complex(residues[0], -residues[1]), complex(residues[2], -residues[3])])
    turned = c * np.array([complex(*wide[:2]), complex(*wide[2:4])])
    after = np.array(
        [turned[0].real, -turned[0].imag, turned[1].real, -turned[1].imag, residues[4] * wide[4]]
    ).astype(sums)
    before = residues.astype(sums)
    missed = _missed(taps, powers, before.astype(np.float64), after.astype(np.float64))
    gone_after, gone_before = (-a.astype(sums) for a in _powers(wide, n + 1)[-2:])
    roundings = _roundings(wide, before, sums) + _roundings(wide, after, sums)
    left = _left(wide, before, n, sums) + _left(wide, after, n, sums)
    total = float(np.abs(taps).sum())
    return Exponentials(
        poles, before, after, gone_before, gone_after, total, missed, roundings, left
    )


def _least_sum(powers: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return the residues of least Σ|h − w| over the lags, lag 0 once and others twice."""
    times = np.full(len(half), 2.0)
    times[0] = 1.0
    weights, best, least = times, np.zeros(powers.shape[1]), math.inf
    for _ in range(REWEIGHTED):
        root = np.sqrt(weights)
        with threads.no_fork():
            residues = np.linalg.lstsq(powers * root[:, np.newaxis], half * root, rcond=None)[0]
        left = np.abs(powers @ residues - half)
        if (found := float((times * left).sum())) < least:
            best, least = residues, found
        weights = times / np.maximum(left, 1e-8 * half[0])
    return best


def _missed(taps: np.ndarray, powers: np.ndarray, before: np.ndarray, after: np.ndarray) -> float:
    """Return Σ|h − w|."""
    radius = len(powers) - 1
    missed = np.abs(powers @ before - taps[radius:]).sum()
    missed += np.abs(powers[:-1] @ after - taps[:radius][::-1]).sum()
    return float(missed) + 8 * len(taps) * float(np.finfo(np.float64).eps)  # the sums' rounding


def _moduli(poles: np.ndarray, residues: np.ndarray) -> Iterator[tuple[float, float]]:
    """Yield |p| and |c| of each pair and of the real pole."""
    for i in (0, 2):
        yield math.hypot(*poles[i : i + 2]), math.hypot(*residues[i : i + 2])
    yield abs(float(poles[4])), abs(float(residues[4]))


def _roundings(poles: np.ndarray, residues: np.ndarray, sums: np.dtype) -> float:
    """Return the bound on the roundings of one direction of a pass, in units of a window's max|x|.

    A state s[n] = p s[n − 1] + x[n] − p^(R+1) x[n − R − 1] is Σ p^m x[n − m] over lags up to R.
    Each of its parts is three products and three additions, of which a term passes through at most
    four roundings, and all but what leaves through three: with u = ε/2 (and 1 % for terms of
    higher order) a step errs by 3 u Σ |p|^m |x[n − m]| in each part, and for what leaves by 5 u
    |p|^(R+1) |x|, that of the constant among it; the complex number by √2 of that. The pole
    shrinks this as it shrinks s. At output i a sample at lag m has been in the states of m + 1
    steps, each of which has erred by 3 u |p|^m of it: Σ (m + 1) |p|^m is at most 1 / (1 − |p|)².
    What is dropped (`DROPPED`) adds up to 1 / (1 − |p|). The sum of y errs by at most 16 u of its
    terms: five products and five additions of either direction, those of the other, and those of
    parts; residues that the sum of the weights has been multiplied to are rounded once more.
    """
    u = 1.01 * float(np.finfo(sums).eps) / 2
    bound = 0.0
    for p, c in _moduli(poles, residues):
        state = 1 / (1 - p)
        bound += c * state * (math.sqrt(2) * (3 * u * state + 2 * DROPPED) + 16 * u)
    return bound


def _left(poles: np.ndarray, residues: np.ndarray, n: int, sums: np.dtype) -> float:
    """Return the bound of what is left of samples beyond the lag R = n − 1, in units of max|x|.

    Such a sample has been in the states of n steps (`_roundings`), and has left one.
    """
    u = 1.01 * float(np.finfo(sums).eps) / 2
    return sum(
        c * math.sqrt(2) * (3 * n + 5) * u * p**n / (1 - p) for p, c in _moduli(poles, residues)
    )


def _error(
    w: np.ndarray,
    scale: float,
    taps: list[np.ndarray],
    sides: list[Exponentials],
    result: np.dtype,
    span: int,
) -> float:
    """Return the proven bound on |y − exact| / (max|x| · Σ|w|), with the max|x| of the window.

    w is ``scale`` times the product of the taps, but for what that leaves out. A pass whose input
    is at most X errs by (missed + roundings) · X, its output is at most that more than total · X:
    the errors of all passes are Π (total + missed + roundings) − Π total. Each part of a line adds
    what is left of the loudest sample outside the window, of which that holds 2^−span or more; and
    the largest samples of parts are at most twice X, all of them together. The samples are rounded
    to the dtype of the sums, and results to theirs. The parts of complex samples are rounded each
    on its own.
    """
    parts = math.sqrt(2) if result.kind == "c" else 1.0
    eps = float(np.finfo(result).eps) * parts
    total = float(np.abs(w).sum())
    left_out = float(np.abs(w - scale * functools.reduce(np.multiply.outer, taps)).sum())
    exact = math.prod(s.total for s in sides)
    reached = math.prod(
        s.total + s.missed + (s.roundings + 2 * s.left * 2.0**span) * parts for s in sides
    )
    factor = abs(scale) / total
    return left_out / total + factor * (reached - exact) + 2 * eps * factor * reached


def _scaled(side: Exponentials, scale: float) -> Exponentials:
    """Return the exponentials times the sum of the weights."""
    dtype = side.before.dtype
    before, after = ((a * scale).astype(dtype) for a in (side.before, side.after))
    return side._replace(before=before, after=after)


# ---- passes ---------------------------------------------------------------------------------


class Pass(NamedTuple):
    """One axis: what is read and written, and how lines are cut."""

    axis: Axis
    #: Kernel axis.
    side: int
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    #: Whether lines are neighbours in memory, `inner` of them; all lines.
    abreast: bool
    inner: int
    lines: int
    piece: int

    @property
    def pieces(self) -> int:
        """Pieces of a line."""
        return -(-self.axis.out // self.piece)

    def panels(self, width: int) -> int:
        """Return the panels of ``width`` pieces, some of which have empty lanes."""
        if self.abreast:
            return self.lines // self.inner * self.pieces * -(-self.inner // width)
        return -(-self.lines * self.pieces // width)


def _last_pass(problem: Problem) -> int:
    """Return the kernel axis of the last pass: the first of the axes of ``x``."""
    return min(range(len(problem.spatial)), key=lambda i: problem.spatial[i].axis)


def _passes(real: Problem) -> list[Pass]:
    """Return the passes of a real problem, the last axis first."""
    assert real.compute is not None
    width = loader.native.recursive_width(real.compute)
    order = sorted(range(len(real.spatial)), key=lambda i: -real.spatial[i].axis)
    shape, steps = real.x_shape, []
    for i in order:
        axis = real.spatial[i]
        after = (*shape[: axis.axis], axis.out, *shape[axis.axis + 1 :])
        inner = math.prod(shape[axis.axis + 1 :])
        lines = math.prod(shape) // shape[axis.axis]
        piece = _cut(axis, lines, width, first=i == order[0])
        abreast = inner > 1 and 2 * inner >= width
        steps.append(Pass(axis, i, shape, after, abreast, inner, lines, piece))
        shape = after
    return steps


def _cut(axis: Axis, lines: int, width: int, *, first: bool) -> int:
    """Return the outputs of a piece of a line; whole lines where they serve.

    Passes after the first work in place, and a line is read before it is written: they are whole.
    """
    if not first or (axis.out <= WHOLE_LINE and lines >= width):
        return axis.out
    fair = -(-axis.out * lines // width)  # so that each lane has a piece
    piece = max(2 * axis.taps, min(fair, PIECE - axis.taps))
    return -(-axis.out // -(-axis.out // piece))  # about equal ones


def _room(steps: list[Pass]) -> tuple[int, ...] | None:
    """Return the shape of an array for what passes hand to each other; None if ``y`` has room."""
    between = [step.y_shape for step in steps[:-1]]
    if not between:
        return None
    room = tuple(max(lengths) for lengths in zip(*between, strict=True))
    fits = all(r <= n for r, n in zip(room, steps[-1].y_shape, strict=True))
    return None if fits else room


def _loop(sums: np.dtype, step: Pass, fitted: Recursive) -> Any:
    """Return the compiled loop of one pass, with empty tables before the weights are known."""
    none = np.zeros(5)
    side = Exponentials(none, none, none, none, none, 0.0, 0.0, 0.0, 0.0)
    if fitted.sides is not None:
        side = fitted.sides[step.side]
    axes = [a for a in range(len(step.x_shape)) if a != step.axis.axis]
    batch = [a for a in axes if not step.abreast or a < step.axis.axis]
    n_lines = math.prod(step.x_shape[a] for a in batch)
    (axis,) = axis_rows([step.axis])
    return loader.native.RecursiveLoop(
        sums, axis, batch, n_lines, step.inner, step.abreast, step.piece, *side[:5],
        MIN_SAMPLE[sums], _most(side, sums), fitted.span,
    )  # fmt: skip


def _most(side: Exponentials, sums: np.dtype) -> float:
    """Return the largest sample whose states, and sums of them, are in the range of the dtype."""
    gains = [
        max(1.0, c) / (1 - p)
        for residues in (side.before, side.after)
        for p, c in _moduli(side.poles.astype(np.float64), residues.astype(np.float64))
    ]
    return float(np.finfo(sums).max) / (4 * sum(gains))


def _bind(fitted: Recursive, problem: Problem, fill: np.ndarray) -> Loop:
    assert problem.compute is not None
    assert fitted.sides is not None
    sums = problem.compute
    steps = _passes(problem)
    loops = [_loop(sums, step, fitted) for step in steps]
    room = _room(steps)
    # Weights along one axis sum to one: filtered, what lies outside is what it was.
    fill = fill.astype(sums)

    def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, clip: bool, workers: int) -> None:
        total = y if y.dtype == sums else np.empty(y.shape, sums)
        between = total if room is None else np.empty(room, sums)
        source = np.ascontiguousarray(x) if steps[0].inner > 1 else x
        for step, loop in zip(steps, loops, strict=True):
            last = step is steps[-1]
            target = total if last else between[tuple(slice(n) for n in step.y_shape)]
            negative = last and fitted.sign < 0
            if loop.run(source, target, fill, workers, negative) and not fitted.sign:
                raise UnfitDataError
            source = target
        if total is not y:
            with np.errstate(all="ignore"):
                y[...] = narrow(total, y.dtype, problem.overflow)

    return run
