"""fixed_point: integer results of samples of 8 bits, in fixed point, along several axes in one go.

A sum Σ a w of n integers is bracketed by that with weights rounded to multiples of 2^-q, which is
exact in integers. That decides what it is cut to unless a whole number lies between the bounds;
there the compiled loop sums again as `rounded_sum` does. So results are those of `scipy.ndimage`,
and what it stores between the passes along several axes may stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine.algorithms.arranged import contiguous
from pyconv._engine.algorithms.base import Algorithm, Copies, Run, summation_bound, summation_cost
from pyconv._engine.algorithms.loop_adapters import axis_rows, form_of
from pyconv._engine.algorithms.terms import Terms, terms_of
from pyconv._engine.dtypes import LIMITS, is_integer
from pyconv._engine.machine import MACHINE, Machine
from pyconv._engine.problem import Axis, Problem
from pyconv._native import layout, loader

Array = npt.NDArray[Any]

#: Binary digits of the low halves of weights.
LOW_DIGITS = 15
#: What the loop's integers of 16 and of 32 bits hold.
MAX_SHORT, MAX_LONG = 2**15 - 1, 2**31 - 1
#: Digits behind the point: with fewer, many sums would lie next to whole numbers. With more, sums
#: in double would no longer be much closer than the last digit.
MIN_FRACTION, MAX_FRACTION = 12, 22
#: The digits of means, of which every sum of 16 bits is exact.
MEAN_FRACTION = 15
#: Units of the last digit by which sums may differ from those in double.
MAX_ERROR = 0.95
#: More than bounds of results are rounded by.
MARGIN = 2.0**-20
#: Values for which the result of a flat area is tabulated: −256 … 255.
FLAT = np.arange(-256, 256)
#: The part of the time of `rounded_sum` that sums take. On a Zen 4 core with AVX-512 it was 0.2 to
#: 0.6 for 512² and 2048² samples, kernels of 3×3, 7×7, 9 and 31 weights and means.
COST = 0.5
#: Shorter rows are filtered axis by axis, where other axes may join them.
SHORT_ROW = 64
#: Bytes that a thread may take.
MAX_WORKSPACE = 8 << 20
#: The compiled loop's codes (`fixed.h`).
SINGLES, SUMS, DIFFERENCES, MEAN = range(4)
FITS, WRAPS_UNSIGNED, WRAPS_SIGNED, TRUTH = range(4)


#: A kernel's arguments of the compiled loop, once its axes along z, y and x are known.
Stage = Callable[[tuple[int, ...]], tuple[Any, ...]]


class Weights(NamedTuple):
    """Weights as the compiled loop takes them, and what they make of samples."""

    fold: int
    #: Multiples of 2^−(15 + fraction), their 15 low digits apart.
    multiples: Array
    fraction: int
    doubtful: bool
    #: Whether sums may be less than 0, though they be cut to it.
    negative: bool
    lowest: int
    highest: int


class FixedPoint:
    """Rows of sums in fixed point, by loops that `fit` makes of the weights.

    Passes along several axes are one loop, whose results between them stay in the cache; or one
    loop each, where the axes are not in the order of the array's, or rows are short.
    """

    name = "fixed_point"

    def __init__(self, loops: Sequence[Any] = ()) -> None:
        self._loops = tuple(loops)

    def rejects(self, problem: Problem) -> str | None:
        """Return why no weights of this shape can be taken."""
        if problem.rounding != "towards_zero":
            return "the results are not rounded towards zero"
        if problem.overflow == "saturate" or problem.unbounded:
            return "results may be beyond their dtype"
        if not is_integer(problem.x_dtype) or problem.x_dtype.itemsize != 1:
            return "the samples have more than 8 bits"
        if any(a.stride > 1 or a.dilation > 1 for a in problem.spatial):
            return "results or samples are left out"
        if len(_parts(problem)) > 1 and problem.dtype.itemsize != 1:
            return "the results along an axis have more than 8 bits"
        return problem.tables_exceed()

    def fit(self, problem: Problem, w: np.ndarray) -> Algorithm | str:
        """Return the algorithm for these weights, or why they are unfit."""
        loops = []
        terms = terms_of(problem, w)
        for part in _parts(problem):
            its, terms = terms[: len(part.spatial)], terms[len(part.spatial) :]
            stages = _stages(part, its)
            if isinstance(stages, str):
                return stages
            loop = _loop(part, stages)
            if loop.workspace() > MAX_WORKSPACE:
                return f"a thread needs more than {MAX_WORKSPACE} bytes"
            loops.append(loop)
        return FixedPoint(loops)

    def cost(self, problem: Problem, machine: Machine) -> float:
        """Return the part of the time of a plain sum that integers of 16 bits take."""
        return COST * sum(summation_cost(part, machine) for part in _parts(problem))

    def error_bound(self, problem: Problem) -> float:
        """Return the bound of the sum in double, which is cut afterwards."""
        return summation_bound(problem)

    def workspace(self, problem: Problem) -> int:
        """Return the bytes of the rows that a thread keeps."""
        return max(int(loop.workspace()) for loop in self._loops)

    def copies(self, problem: Problem) -> Copies:
        """Return what is copied: samples that are not contiguous, results between loops."""
        return Copies(result=problem.dtype.itemsize * (len(self._loops) > 1), packed=True)

    def threads(self, problem: Problem) -> int:
        """Return the number of threads that are worth waking."""
        longest = max(summation_cost(part, MACHINE) for part in _parts(problem))
        return MACHINE.threads_for(longest)

    def bind(self, problem: Problem) -> Run:
        """Return the function that runs the compiled loop."""
        *before, last = self._loops
        outside = int(problem.fill_value.real) if problem.reads_fill else 0

        def run(x: np.ndarray, w: np.ndarray, y: np.ndarray, workers: int) -> None:
            x = layout.settled(contiguous(x))
            y = layout.settled(y)
            between = np.empty(y.shape, y.dtype) if before else y
            for i, loop in enumerate(before):
                into = between if (len(before) - i) % 2 else y
                loop.run(x, into, outside, workers)
                x = into
            last.run(x, y, outside, workers)

        return run


def _is_in_turn(problem: Problem) -> bool:
    """Return whether there are several passes, whose results are cut."""
    return len(problem.spatial) > 1 and (problem.by_axis or problem.mean)


def _parts(problem: Problem) -> list[Problem]:
    """Return the problems of one loop each: all at once, or along one axis after the other."""
    if not _is_in_turn(problem):
        return [problem]
    axes = [a.axis for a in problem.spatial]
    form = form_of(problem)
    if axes == sorted(axes) and form.axes[2].size * form.group >= SHORT_ROW:
        return [problem]
    return [
        replace(
            problem,
            spatial=(a,),
            w_shape=(a.taps,),
            x_dtype=problem.dtype if i else problem.x_dtype,
        )
        for i, a in enumerate(problem.spatial)
    ]


def _loop(problem: Problem, stages: Sequence[Stage]) -> Any:
    form = form_of(problem)
    z, y, _ = form.axes
    alone = not _is_in_turn(problem)
    roles: list[Any] = [None, None, None]
    if alone and form.w_axes != (-1, 0, -1):
        roles[2] = stages[0](form.w_axes)
    else:
        for place, w_axis in enumerate(form.w_axes):
            if w_axis >= 0:
                roles[place] = stages[w_axis](tuple(0 if i == place else -1 for i in range(3)))
    area = alone and roles[2] is not None
    return loader.native.FixedLoop(
        axis_rows(form.axes),
        form.batch,
        math.prod(problem.x_shape[a] for a in form.batch),
        form.group,
        roles,
        z.taps if area else 1,
        y.taps if area else 1,
    )


def _stages(problem: Problem, kernels: Sequence[Terms]) -> list[Stage] | str:
    """Return what the compiled loop needs to know of each kernel, or why it cannot be used."""
    lowest, highest = LIMITS[problem.x_dtype]
    fill = problem.fill_value.real
    # One kernel has all axes.
    axes = [(a,) for a in problem.spatial] if _is_in_turn(problem) else [problem.spatial]
    stages: list[Stage] = []
    for terms, its in zip(kernels, axes, strict=True):
        if _reads_fill(its):
            if not (abs(fill) <= MAX_SHORT and fill == int(fill)):
                return f"fill_value={fill} is no integer of 16 bits"
            if not (stages or lowest <= fill <= highest):  # rows outside have 8 bits, too
                return f"fill_value={fill} is no integer of 8 bits"
            lowest, highest = min(lowest, int(fill)), max(highest, int(fill))
        weights = fixed_weights(terms, lowest, highest)
        if weights is None:
            return "sums with these weights would not fit, or not be near enough"
        wrap, bounds = _stored(weights, problem.dtype)
        stages.append(partial(_stage, terms, weights, wrap, lowest, highest))
        lowest, highest = bounds
    return stages


def _reads_fill(axes: Sequence[Axis]) -> bool:
    """Return whether some output of one kernel reads the fill value."""
    return any(a.boundary == "constant" and (a.low > 0 or a.high > 0) for a in axes)


def _stored(weights: Weights, dtype: np.dtype) -> tuple[int, tuple[int, int]]:
    """Return what becomes of a result that is stored, and between what it lies then."""
    lowest, highest = LIMITS[dtype]
    if dtype.kind == "b":
        return TRUTH, (0, 1)
    if lowest <= weights.lowest and weights.highest <= highest:
        return FITS, (weights.lowest, weights.highest)
    wraps = WRAPS_SIGNED if lowest < 0 else WRAPS_UNSIGNED
    return (wraps if dtype.itemsize == 1 else FITS), (lowest, highest)


def fixed_weights(terms: Terms, lowest: int, highest: int) -> Weights | None:
    """Return the weights for samples from ``lowest`` to ``highest``, None if they are unfit.

    The loop's sums fit 32 bits. They are less than one unit of the last digit from SciPy's, but
    for what the loop cuts off, which is less than one more.
    """
    if terms.divisor > 1:
        return _mean_weights(terms, lowest, highest)
    singles = terms.weights[: len(terms.singles)]
    pairs = terms.weights[len(terms.singles) :]
    reach = max(-lowest, highest)
    if not terms.weights or not math.isfinite(sum(map(abs, terms.weights))):
        return None
    if not pairs:
        fold, weights, most = SINGLES, singles, reach
        bottom, top = lowest, highest
    elif terms.difference:  # of a sample with itself, in the middle, is nothing
        fold, weights, most = DIFFERENCES, (*(0.0 for _ in singles), *pairs), highest - lowest
        bottom, top = -most, most
    else:  # the one in the middle is twice half of it
        fold, weights, most = SUMS, (*(w / 2 for w in singles), *pairs), 2 * reach
        bottom, top = 2 * lowest, 2 * highest
    total = sum(map(abs, weights)) * most
    least = sum(min(w * bottom, w * top) for w in weights)
    greatest = sum(max(w * bottom, w * top) for w in weights)
    if not total < MAX_SHORT or len(weights) * most * 2**LOW_DIGITS > MAX_LONG:
        return None
    greatest_weight = max(max(map(abs, weights)), 2.0**-MAX_FRACTION)
    room = min(MAX_LONG / 2 / (total + 1), (MAX_SHORT - 1) / greatest_weight)
    fraction = min(MAX_FRACTION, int(math.log2(room))) if room >= 1 else 0
    if fraction < MIN_FRACTION:
        return None
    scaled = np.array(weights) * 2.0 ** (LOW_DIGITS + fraction)
    multiples = np.rint(scaled)
    error = most * float(np.abs(multiples - scaled).sum()) / 2**LOW_DIGITS
    error += (len(weights) + 2) * 2.0**-52 * total * 2**fraction
    if terms.difference:
        error += sum(map(abs, singles)) * reach * 2**fraction
    if error > MAX_ERROR:
        return None
    exact = np.array_equal(multiples, scaled) and not np.any(multiples % 2**LOW_DIGITS)
    exact = exact and not (terms.difference and any(singles))
    return Weights(
        fold, multiples.astype(np.int64), fraction, not exact, least < 0,
        math.trunc(least - MARGIN), math.trunc(greatest + MARGIN),
    )  # fmt: skip


def _mean_weights(terms: Terms, lowest: int, highest: int) -> Weights | None:
    """Return the weight of a sum of samples: 1 / n rounded up.

    The product is then at least sum / n, and for these few sums by less than 1 / n more, so that
    cutting both gives the same.
    """
    n = terms.divisor
    if max(-lowest, highest) * n > MAX_SHORT:
        return None
    multiple = -(-(2 ** (LOW_DIGITS + MEAN_FRACTION)) // n)
    return Weights(MEAN, np.array([multiple]), MEAN_FRACTION, False, lowest < 0, lowest, highest)


def _stage(
    terms: Terms, weights: Weights, wrap: int, lowest: int, highest: int, w_axes: tuple[int, ...]
) -> tuple[Any, ...]:
    """Return a kernel as the compiled loop takes it; ``w_axes`` are its axes along z, y and x."""
    firsts = [*terms.singles, *(first for first, _ in terms.pairs)]
    seconds = [*terms.singles, *(second for _, second in terms.pairs)]
    n = len(firsts) + len(firsts) % 2
    places = [[*part, part[0]][:n] for part in (firsts, seconds)]
    taps = [
        [[0 if i < 0 else place[i] for i in w_axes] for place in both]
        for both in zip(*places, strict=True)
    ]
    multiples = np.zeros(max(n, 2), np.int64)
    multiples[: len(weights.multiples)] = weights.multiples
    numbers = (
        n, len(terms.singles), len(firsts), weights.fold, wrap, weights.fraction,
        weights.doubtful, weights.negative,
    )  # fmt: skip
    known = lowest >= FLAT[0] and highest <= FLAT[-1]
    return (
        np.array(taps, np.intp),
        np.array(terms.weights, np.float64),
        multiples >> LOW_DIGITS,
        multiples % 2**LOW_DIGITS,
        _flat_results(terms) if known else None,
        terms.divisor,
        numbers,
    )


def _flat_results(terms: Terms) -> Array:
    """Return what areas of one value become: the sums in double, in the order of the terms."""
    values = FLAT.astype(np.float64)
    both = values - values if terms.difference else values + values
    total = np.zeros(len(values))
    for i, w in enumerate(terms.weights):
        total = total + (values if i < len(terms.singles) else both) * w
    return np.trunc(total).clip(-MAX_SHORT, MAX_SHORT)
