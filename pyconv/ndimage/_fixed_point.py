"""Integer results of samples of 8 bits: sums in fixed point, one kernel after the other in one go.

A sum Σ a w of n integers is bracketed by that with weights rounded to multiples of 2^-q, which is
exact in integers. That decides what it is cut to unless a whole number lies between the bounds;
there the compiled loop sums again as `truncated` does. So results are those of `scipy.ndimage`,
and what it stores between the passes along several axes may stay in the cache.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv._engine import threads
from pyconv._engine.algorithms.arranged import view_of, write
from pyconv._engine.algorithms.correlation.direct import Direct
from pyconv._engine.algorithms.loop_adapters import axis_rows, form_of
from pyconv._engine.dtypes import LIMITS
from pyconv._engine.problem import MAX_SPATIAL, Problem, make_problem
from pyconv._native import layout, loader  # type: ignore[attr-defined]  # compiled
from pyconv.ndimage._arguments import reads_fill
from pyconv.ndimage._truncated import Kernel, Terms

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
#: Shorter rows are filtered axis by axis, where other axes may join them.
SHORT_ROW = 64
#: Bytes that a thread may take.
MOST_WORKSPACE = 8 << 20
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


def fixed_sums(x: Array, kernels: Sequence[Kernel], fill: float, output: Array) -> bool:
    """Write ``x``, filtered by one kernel after the other, to ``output``, if fixed point can.

    Results of each are cut towards zero and wrap. Several have to have one axis each, in the
    order of the array's. Return whether it was done.
    """
    axes = [axis for kernel in kernels for axis in kernel.axes]
    in_turn = len(kernels) == 1 or (len(axes) == len(kernels) and axes == sorted(set(axes)))
    if x.dtype.itemsize != 1 or x.size == 0 or not in_turn or len(axes) > MAX_SPATIAL:
        return False
    view = view_of(x.shape, tuple(axes))
    if view is None:
        return _sum_as_it_lies(x, kernels, fill, output)
    # In another order of axes: one kernel after the other.
    x = view.source(x)
    for kernel in kernels:
        total = np.empty(view.shape, output.dtype)
        if x.dtype.itemsize != 1 or not _sum_as_it_lies(x, [kernel.seen(view)], fill, total):
            return False
        x = total
    write(x, output.transpose(view.order))
    return True


def _sum_as_it_lies(x: Array, kernels: Sequence[Kernel], fill: float, output: Array) -> bool:
    native = output.dtype.newbyteorder("=")
    plan = _plan(loader.native, x.shape, x.dtype, native, tuple(kernels), fill)
    if plan is None:
        return False
    loop, problem, outside = plan
    x = np.ascontiguousarray(x)
    direct = output.flags.c_contiguous and output.flags.aligned and output.dtype.isnative
    y = output
    if not direct or np.may_share_memory(x, y):
        y = np.empty(output.shape, native)
    workers = threads.resolve(None, Direct().threads(problem))
    loop.run(layout.settled(x), layout.settled(y), outside, workers)
    if y is not output:
        output[...] = y
    return True


@functools.lru_cache(maxsize=64)
def _plan(
    native: ModuleType,
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    dtype: np.dtype,
    kernels: tuple[Kernel, ...],
    fill: float,
) -> tuple[Any, Problem, int] | None:
    """Return the compiled loop, the problem and what is read outside; None where it cannot be."""
    stages = _stages(kernels, x_dtype, dtype, fill)
    if stages is None:
        return None
    outside = int(fill) if any(reads_fill(k.boundaries, k.pads) for k in kernels) else 0
    problem = make_problem(
        shape,
        x_dtype,
        tuple(taps for k in kernels for taps in k.shape),
        np.dtype(np.float64),
        mode=[pad for k in kernels for pad in k.pads],
        boundary=tuple(rule for k in kernels for rule in k.boundaries),
        axes=tuple(axis for k in kernels for axis in k.axes),
        rtol=0,
    )
    form = form_of(problem)
    z, y, rows = form.axes
    alone = len(kernels) == 1
    if not alone and rows.size * form.group < SHORT_ROW:
        return None
    roles: list[Any] = [None, None, None]
    if alone and form.w_axes != (-1, 0, -1):
        roles[2] = stages[0](form.w_axes)
    else:
        for place, w_axis in enumerate(form.w_axes):
            if w_axis >= 0:
                roles[place] = stages[w_axis](tuple(0 if i == place else -1 for i in range(3)))
    area = alone and roles[2] is not None
    loop = native.FixedLoop(
        axis_rows(form.axes),
        form.batch,
        math.prod(shape[a] for a in form.batch),
        form.group,
        roles,
        z.taps if area else 1,
        y.taps if area else 1,
    )
    return (loop, problem, outside) if loop.workspace() <= MOST_WORKSPACE else None


def _stages(
    kernels: Sequence[Kernel], x_dtype: np.dtype, dtype: np.dtype, fill: float
) -> list[Stage] | None:
    """Return what the compiled loop needs to know of each kernel, None if it cannot be used."""
    lowest, highest = LIMITS[x_dtype]
    stages: list[Stage] = []
    for kernel in kernels:
        if reads_fill(kernel.boundaries, kernel.pads):
            if not (abs(fill) <= MAX_SHORT and fill == int(fill)):
                return None
            if not (stages or lowest <= fill <= highest):  # rows outside have 8 bits, too
                return None
            lowest, highest = min(lowest, int(fill)), max(highest, int(fill))
        weights = fixed_weights(kernel.terms, lowest, highest)
        if weights is None:
            return None
        wrap, bounds = _stored(weights, dtype)
        stages.append(partial(_stage, kernel.terms, weights, wrap, lowest, highest))
        lowest, highest = bounds
    return stages


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
