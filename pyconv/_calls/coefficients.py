"""Coefficients: the correlation of a template with each window of an array, window by window.

    y[i] = Σ_u (x[i + u] − x̄) · (t[u] − t̄) / √(Σ_u (x[i + u] − x̄)² · Σ_u (t[u] − t̄)²)

The products are a correlation. The variance of a window is the small difference of large sums:
samples are whole numbers, or are rounded to such, and the sums of those are exact.

Rounded samples, and products that a transform makes, are as exact as the largest sample allows. A
window of little contrast beside a large sample, or far from the mean, is uncertain. Where many are,
they are computed again without the few loud samples. A window that still is uncertain is computed
again among its neighbours only: the array is halved until the window is certain, or until few
enough are left to be computed one by one, by the definition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pyconv._calls.correlation import correlate
from pyconv._engine import threads
from pyconv._engine.algorithms.arranged import in_order, write
from pyconv._engine.dtypes import is_integer
from pyconv._engine.machine import MACHINE
from pyconv._engine.output_arrays import empty
from pyconv._engine.planning import prepare
from pyconv._engine.problem import CallOptions
from pyconv._native import loader

#: Error of a coefficient beyond which a window is uncertain, by the dtype of the result.
TOLERANCES = {np.dtype(np.float32): 5e-5, np.dtype(np.float64): 1e-9}
#: Windows that are computed together where some are uncertain.
BLOCK = 1 << 16
#: Products up to which windows are computed one by one.
FEW_PRODUCTS = 1 << 20
#: Products of uncertain windows for each sample, from which on constant ones are looked for.
PLAIN_PRODUCTS = 2
#: Part of the windows that are uncertain, from which on loud samples are looked for.
MANY_UNCERTAIN = 1 / 16
#: Distance of a loud sample from the middle one, in units of that of three quarters of the others.
LOUD = 1000
#: Samples of which the middle one and that distance are found, by a step that is odd: of rows of
#: even length every column takes its turn.
SOME = 1 << 12
#: Samples that NumPy goes over several times, in the cache.
RUN = 1 << 15
#: Of the loop that divides, on a Zen 4 core; and of a product of a window by itself.
SECONDS_PER_WINDOW, SECONDS_PER_PRODUCT = 2.5e-9, 2.5e-10
#: What float32 and float64 hold of whole numbers.
SINGLE_BITS, DOUBLE_BITS = 24, 52
#: Powers of two that float32 holds.
MAX_EXPONENT = 120
#: Error of a transform, in units of rounding of the largest sample.
TRANSFORM_ERROR = 4
#: Part of the template's samples that a window with missing samples has to have.
MIN_SEEN = 1 / 4
#: What stands for the NaN of such a window, while NaN is what is uncertain.
TOO_FEW = 3.0
#: Part of the windows that may hold missing samples for the others to be made without them.
FEW_HOLED = 1 / 4
#: Error of the sums over what was seen, in units of rounding.
MISSING_ERROR = 16
#: Larger samples are scaled, so that no difference overflows.
HUGE = 2.0**1000


class Template(NamedTuple):
    """A template with mean 0 and norm 1."""

    values: np.ndarray
    #: Where its samples count; None for everywhere.
    seen: np.ndarray | None

    @property
    def taps(self) -> int:
        """The number of samples that count."""
        return self.values.size if self.seen is None else int(self.seen.sum())


class _Samples(NamedTuple):
    """Whole numbers about a centre times a unit, which makes them at most 1."""

    #: In float32 if that holds them, else float64.
    values: np.ndarray
    unit: float
    #: Bits of the lower part of wide ones, whose squares are summed in three parts; or 0.
    split: int
    #: The rounding of a sample, in units.
    error: float


# ---- samples ------------------------------------------------------------------------------------


def samples_of(x: np.ndarray, taps: int, single: bool) -> _Samples | None:
    """Return the samples of a finite array; None if all are the same."""
    low, high, centre = extremes(x)
    if low == high:
        return None
    integers = is_integer(x.dtype)
    if integers:
        centre = min(max(int(centre), low), high)
        if high - low >= 2**62:
            centre = (high + low + 1) // 2
    reach = float(max(high - centre, centre - low))
    # Sums of squares, or of the squares of both parts of wide samples, stay below 2^62.
    half = (61 - math.ceil(math.log2(taps))) // 2
    narrow = min(half, SINGLE_BITS)
    power = math.frexp(reach)[1]
    whole = integers and power <= narrow
    wide = not (single or whole)
    bits = min(2 * half, DOUBLE_BITS) if wide else narrow
    exact = integers and power <= bits
    shift = 0 if exact else bits - power
    unit = 2.0 ** -(power + shift)
    values = empty(x.shape, np.dtype(np.float64 if wide else np.float32))
    for part in _runs(x.shape):
        centred = _centred(x[part], centre, wide)
        if not exact:
            _scale(centred, shift)
            np.rint(centred, out=centred)
        np.multiply(centred, unit, out=values[part], casting="same_kind")
    return _Samples(values, unit, half if wide else 0, 0.0 if exact else 1.0)


def extremes(x: np.ndarray) -> tuple[float, float, float]:
    """Return the least and the largest sample, and about the mean."""
    lows, highs, total = [], [], 0.0
    narrow = x.dtype.itemsize <= (4 if is_integer(x.dtype) else 0)
    dtype = np.int64 if narrow else np.float32 if x.dtype.itemsize <= 4 else np.float64
    with np.errstate(all="ignore"):
        for part in _runs(x.shape):
            lows.append(x[part].min())
            highs.append(x[part].max())
            total += float(np.sum(x[part], dtype=dtype))
        low, high = np.min(lows).item(), np.max(highs).item()  # NaN stays
    centre = total / x.size
    # Where the sum, or a distance from the mean, might overflow.
    if not (math.isfinite(centre) and max(abs(low), abs(high)) < 1e300):
        centre = low / 2 + high / 2
    return low, high, centre


def _runs(shape: tuple[int, ...]) -> Iterator[tuple[int | slice, ...]]:
    """Yield parts of an array that stay in the cache."""
    rest = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    cut = next(axis for axis, n in enumerate(rest) if n <= RUN)
    step = max(1, RUN // max(1, rest[cut]))
    for lead in np.ndindex(shape[:cut]):
        for start in range(0, shape[cut], step):
            yield (*lead, slice(start, start + step))


def _centred(x: np.ndarray, centre: float, wide: bool) -> np.ndarray:
    """Return ``x`` less its centre in float32 or float64, a fresh array."""
    if is_integer(x.dtype) and x.dtype.itemsize == 8:
        # Differences wrap round, and are right again; they are rounded as floats only now.
        return (x.astype(np.uint64) - np.uint64(int(centre) % 2**64)).view(np.int64).astype(float)
    narrow = x.dtype.itemsize <= (2 if is_integer(x.dtype) else 4) and not wide
    dtype = np.dtype(np.float32 if narrow else np.float64)
    return np.subtract(x, dtype.type(centre), dtype=dtype)


def _scale(x: np.ndarray, exponent: int) -> None:
    """Multiply ``x`` by 2 to the power of an exponent."""
    if abs(exponent) <= MAX_EXPONENT:
        np.multiply(x, x.dtype.type(2.0**exponent), out=x)
    else:
        np.ldexp(x, exponent, out=x)


# ---- windows ------------------------------------------------------------------------------------


class Coefficients:
    """Coefficients of windows with a template."""

    def __init__(
        self,
        template: Template,
        dtype: np.dtype,
        workers: int | None,
        max_memory: int | None = None,
    ) -> None:
        self._template = template
        #: Of each sum; the arrays that are made here are the caller's to count.
        self._max_memory = max_memory
        self._taps = template.values.shape
        self._count = template.taps
        self._workers = workers
        self._tolerance = TOLERANCES[dtype]
        self._absent = (1,) * (3 - len(self._taps))
        where = self._where_seen()
        #: The taps that count, and the template there.
        self._where = np.argwhere(where)
        self._weights = np.ascontiguousarray(template.values[where])

    def fill(self, x: np.ndarray, y: np.ndarray, missing: np.ndarray | None = None) -> None:
        """Write the coefficients to ``y``: a batch axis, then the template's axes.

        Samples of ``x`` are finite where they are not missing.
        """
        if missing is None:
            if self._divide(x, y, y.dtype == np.float32):
                for item in range(len(y)):
                    self._settle_constant(x[item], y[item])
                    self._settle_quiet(x[item], y[item])
                    self._refine(x[item], y[item], None)
            return
        holed, few = self.holed(missing)
        if np.count_nonzero(holed) <= FEW_HOLED * holed.size:
            # Whole windows are those of an array with any samples in its gaps.
            whole = np.where(missing, x[~missing][0], x)
            self._divide(whole, y, y.dtype == np.float32)
            unsure = np.isnan(y) & ~holed
            for item in map(int, np.flatnonzero(unsure.any(axis=tuple(range(1, y.ndim))))):
                y[item][holed[item]] = 0  # they are made below
                self._settle_quiet(whole[item], y[item])
                self._refine(whole[item], y[item], None)
            y[holed] = np.nan
        else:
            y[...] = np.nan
        y[few] = TOO_FEW
        for item in range(len(y)):
            self._refine(x[item], y[item], missing[item])
        y[y == TOO_FEW] = np.nan

    def holed(self, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which windows miss samples, and which of them have too few left."""
        counts = self._counts(missing).astype(np.intp, copy=False)
        holed = counts > 0
        return holed, holed & (self._count - counts < self._least)

    def _counts(self, where: np.ndarray) -> np.ndarray:
        """Return how many samples of each window are among some."""
        return self.sum(where.view(np.uint8), self._where_seen().astype(np.uint8))

    def sum(self, x: np.ndarray, w: np.ndarray, **options: Any) -> np.ndarray:
        """Return a correlation within the memory that is granted."""
        return correlate(x, w, max_memory=self._max_memory, workers=self._workers, **options)

    def _where_seen(self) -> np.ndarray:
        """Return where samples of the template count."""
        seen = self._template.seen
        return np.ones(self._taps, np.bool) if seen is None else seen

    def _settle_constant(self, x: np.ndarray, y: np.ndarray) -> None:
        """Write 0 to the coefficients that are NaN of one item whose windows are constant."""
        uncertain = np.isnan(y)
        if np.count_nonzero(uncertain) * self._count <= PLAIN_PRODUCTS * x.size:
            return
        for axis, n in enumerate(self._taps):
            if n > 1:
                ahead, behind = (
                    (slice(None),) * axis + (part,) for part in (slice(1, None), slice(-1))
                )
                steps = (x[ahead] != x[behind]).view(np.uint8)
                taps = np.ones(tuple(k - (i == axis) for i, k in enumerate(self._taps)), np.uint8)
                uncertain &= self.sum(steps, taps) == 0
                if not uncertain.any():
                    return
        y[uncertain] = 0

    def _settle_quiet(self, x: np.ndarray, y: np.ndarray) -> None:
        """Write coefficients that are NaN of one item, of windows that hold no loud samples.

        They are those of an array with any samples in place of the loud ones.
        """
        uncertain = np.isnan(y)
        many = np.count_nonzero(uncertain)
        if many * self._count <= FEW_PRODUCTS or many < MANY_UNCERTAIN * y.size:
            return
        loud, middle = _loud(x)
        if not loud.any():
            return
        uncertain &= self._counts(loud) == 0
        if np.count_nonzero(uncertain) < MANY_UNCERTAIN * y.size:
            return
        part = np.empty_like(y)
        whole = np.where(loud, middle, x)
        self._divide(whole[np.newaxis], part[np.newaxis], y.dtype == np.float32)
        np.copyto(y, part, where=uncertain)

    # ---- all at once ------------------------------------------------------------------------

    def _divide(self, x: np.ndarray, y: np.ndarray, single: bool) -> int:
        """Write the coefficients to ``y``; return how many are uncertain, which are NaN."""
        samples = samples_of(x, self._count, single)
        if samples is None:
            y[...] = 0
            return 0
        template = self._template.values.astype(y.dtype, copy=False)
        values = samples.values.astype(y.dtype, copy=False)
        options = CallOptions(max_memory=self._max_memory)
        bound = prepare(values, template, options).plan(values, template)
        bound.solve(values, template, y, self._workers)
        plain = bound.algorithm.rejects(replace(bound.problem, rtol=0.0)) is None
        limits = self._limits(samples, float(np.finfo(y.dtype).eps), plain)
        if self._template.seen is not None:
            return self._divide_by_seen(samples, y, limits)
        count = self._threads(y.size * SECONDS_PER_WINDOW)
        # Sums are exact, in every order of the axes; a long one lies along the vectors.
        order = in_order(y.shape[1:])
        taps = tuple(self._taps[axis] for axis in order)
        seen, into = (a.transpose(0, *(1 + axis for axis in order)) for a in (samples.values, y))
        total = into if into.flags.c_contiguous or order == tuple(sorted(order)) else into.copy()
        with threads.running() if count > 1 else nullcontext():
            uncertain: int = loader.native.match_coefficients(
                self._in_space(np.ascontiguousarray(seen)), self._absent + taps,
                self._in_space(total), limits, count,
            )  # fmt: skip
        if total is not into:
            write(total, into)
        return uncertain

    def _limits(
        self, samples: _Samples, epsilon: float, plain: bool
    ) -> tuple[float, int, float, float, float]:
        """Return the unit, the split, and what decides which windows are uncertain."""
        error = samples.error + (0 if plain else TRANSFORM_ERROR * epsilon / samples.unit)
        floor = self._count * (error / self._tolerance) ** 2
        # A constant window of exact samples is certain.
        nothing = 0.0 if samples.error == 0 and not samples.split else -math.inf
        far = (self._tolerance / (epsilon * self._growth(plain))) ** 2
        if samples.split:  # sums of squares are rounded too
            # The parts of a small negative sample are large, and their squares cancel.
            squares = self._count * 4.0**samples.split
            floor = max(
                floor, 1.0, 1.5 * float(np.finfo(np.float64).eps) * squares / self._tolerance
            )
            far = min(far, self._tolerance / epsilon / 4)
        return samples.unit, samples.split, nothing, floor, far

    def _growth(self, plain: bool) -> float:
        """Return the error of the products of a window far from the mean, in ε of its norm.

        A product c·t is added to the partial sum c·T of the products before it, and the sum is
        rounded, which costs ε/2 · |c·T| at most. The norm of the window is |c|·√n. The sum of the
        errors is Σ|T| / 2√n at most: about √n / 6 for a template of noise, n / 8 for a step. Errors
        of a transform do not add up so. Samples and weights are rounded as well.
        """
        least = math.sqrt(self._count) / 4
        if plain:
            t = self._template.values
            orders = [t.ravel()]
            if t.ndim == 1:  # taps a vector apart may be neighbours
                lanes = max(1, loader.native.vector_bytes() // 4)
                orders.append(np.pad(t, (0, -t.size % lanes)).reshape(-1, lanes).ravel("F"))
            totals = [float(np.abs(np.cumsum(order)).sum()) for order in orders]
            least = max(least, *(total / (2 * math.sqrt(self._count)) for total in totals))
        return least + 1

    def _divide_by_seen(
        self, samples: _Samples, y: np.ndarray, limits: tuple[float, int, float, float, float]
    ) -> int:
        """Do as `_divide`, with sums over what is seen of each window."""
        seen = self._template.seen
        assert seen is not None
        x = (samples.values / samples.values.dtype.type(samples.unit)).astype(np.int64)
        if samples.split:
            high = x >> samples.split
            low = x & ((1 << samples.split) - 1)
            squares = [high * high, high * low, low * low]
        else:
            squares = [x * x]
        sums, *sums_of_squares = (
            self.sum(a, seen, dtype=np.int64, overflow="wrap").view(np.uint64).ravel()
            for a in (x, *squares)
        )
        uncertain: int = loader.native.divide_by_sums(
            sums, np.stack(sums_of_squares), self._count, y, limits
        )
        return uncertain

    def _threads(self, seconds: float) -> int:
        return threads.resolve(self._workers, MACHINE.threads_for(seconds))

    def _in_space(self, a: np.ndarray) -> np.ndarray:
        """Return an array with the axes that its template lacks."""
        return a.reshape(a.shape[0], *self._absent, *a.shape[1:])

    # ---- what is uncertain ------------------------------------------------------------------

    def _refine(self, x: np.ndarray, y: np.ndarray, missing: np.ndarray | None) -> None:
        """Write the coefficients that are NaN of one item, without its batch axis."""
        uncertain = np.isnan(y)
        box = _box(uncertain)
        if box is None:
            return
        read = tuple(
            slice(part.start, part.stop + n - 1) for part, n in zip(box, self._taps, strict=True)
        )
        x, y, uncertain = x[read], y[box], uncertain[box]
        missing = None if missing is None else missing[read]
        if missing is not None and not missing.any():
            missing = None
        small = all(n <= max(8, t // 2) for n, t in zip(y.shape, self._taps, strict=True))
        if small or np.count_nonzero(uncertain) * self._count <= FEW_PRODUCTS:
            self._solve_each(x, y, missing, uncertain)
            return
        whole = max(BLOCK, math.prod(2 * n for n in self._taps))
        if y.size <= whole:
            part = np.empty(y.shape)
            if missing is None:
                left = self._divide(x[np.newaxis], part[np.newaxis], False)
            else:
                left = self._divide_missing(x, part, missing)
            np.copyto(y, part, where=uncertain, casting="same_kind")
            if not left:
                return
        axis = int(np.argmax([n / t for n, t in zip(y.shape, self._taps, strict=True)]))
        middle = y.shape[axis] // 2
        for start, stop in ((0, middle), (middle, y.shape[axis])):
            into = (*(slice(None),) * axis, slice(start, stop))
            over = (*(slice(None),) * axis, slice(start, stop + self._taps[axis] - 1))
            self._refine(x[over], y[into], None if missing is None else missing[over])

    def _solve_each(
        self, x: np.ndarray, y: np.ndarray, missing: np.ndarray | None, wanted: np.ndarray
    ) -> None:
        """Write the coefficients of single windows, by the definition."""
        shape = self._absent + x.shape
        if is_integer(x.dtype) and x.dtype.itemsize == 8:
            samples = np.ascontiguousarray(x, x.dtype.newbyteorder("=")).view(np.uint64)
            if x.dtype.kind == "i":
                samples = samples ^ np.uint64(1 << 63)
        else:
            samples = x.astype(np.float64, order="C")
            if missing is not None:
                samples[missing] = 0
            if max(abs(samples.min()), abs(samples.max())) >= HUGE:
                samples = np.multiply(samples, 2.0**-600)
        pitches = [math.prod(shape[axis + 1 :]) for axis in range(3 - len(self._taps), 3)]
        seen = None if missing is None else np.ascontiguousarray(~missing).reshape(shape)
        part = np.empty(self._absent + y.shape)
        count = self._threads(np.count_nonzero(wanted) * self._count * SECONDS_PER_PRODUCT)
        with threads.running() if count > 1 else nullcontext():
            loader.native.match_plainly(
                samples.reshape(shape), seen, (self._where * pitches).sum(axis=1),
                self._weights, self._least, np.ascontiguousarray(wanted).reshape(part.shape), part,
                count,
            )  # fmt: skip
        part[np.isnan(part)] = TOO_FEW
        np.copyto(y, part.reshape(y.shape), where=wanted, casting="same_kind")

    @property
    def _least(self) -> float:
        """The fewest samples that a window with missing ones has to have."""
        return max(2.0, MIN_SEEN * self._count)

    def _divide_missing(self, x: np.ndarray, y: np.ndarray, missing: np.ndarray) -> bool:
        """Write the coefficients over what was seen to ``y``, those that are uncertain as NaN.

        All sums run over what was seen, those of the template too. Return whether any are
        uncertain.
        """
        low, high, centre = extremes(x[~missing]) if not missing.all() else (0, 0, 0)
        if is_integer(x.dtype):
            centre = (int(high) + int(low) + 1) // 2
        reach = float(max(high - centre, centre - low)) or 1.0
        seen = ~missing
        deviations = _centred(np.where(seen, x, np.asarray(low, x.dtype)), centre, True)
        deviations /= reach
        deviations[missing] = 0
        where = self._where_seen()
        taps, template = where.astype(np.float64), self._template.values
        sums, squares, products, weights, norms = (
            self.sum(a, w)
            for a, w in (
                (deviations, taps),
                (np.square(deviations), taps),
                (deviations, template),
                (seen.astype(np.float64), template),
                (seen.astype(np.float64), np.square(template)),
            )
        )
        count = self.sum(seen, where).astype(np.float64)
        few = count < self._least
        shares = 1 / np.maximum(count, 1)
        with np.errstate(all="ignore"):
            squares -= sums * sums * shares
            norms -= weights * weights * shares
            products -= sums * weights * shares
            y[...] = np.clip(products / np.sqrt(squares * norms), -1, 1)
        floor = MISSING_ERROR * float(np.finfo(np.float64).eps) / self._tolerance
        uncertain = ~((squares > floor * self._count) & (norms > floor)) & ~few
        y[uncertain] = np.nan
        y[few] = TOO_FEW
        return bool(uncertain.any())


def _loud(x: np.ndarray) -> tuple[np.ndarray, Any]:
    """Return which samples are loud beside most of them, and the middle one of some."""
    some = x.ravel()[:: max(1, x.size // SOME) | 1]
    middle = np.partition(some, some.size // 2)[some.size // 2]
    wide = np.float64(middle)
    with np.errstate(all="ignore"):
        apart = np.abs(some.astype(np.float64) - wide)
        apart = apart[apart > 0]
        usual = _upper_quartile(apart) if apart.size else 0.0
        reach = np.float64(LOUD * usual)
        return (x > wide + reach) | (x < wide - reach), middle


def _upper_quartile(a: np.ndarray) -> float:
    """Return what ``np.quantile(a, 3 / 4)`` does, in less time."""
    low, quarters = divmod(3 * (a.size - 1), 4)
    part = np.partition(a, low)
    above = part[low + 1 :].min() if quarters else part[low]
    return float(part[low] + (above - part[low]) * (quarters / 4))


def _box(where: np.ndarray) -> tuple[slice, ...] | None:
    """Return the box of all that is True; None if nothing is."""
    box = []
    for axis in range(where.ndim):
        found = np.flatnonzero(where.any(axis=tuple(i for i in range(where.ndim) if i != axis)))
        if not found.size:
            return None
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(box)
