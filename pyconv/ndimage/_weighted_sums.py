"""y[i] = Σ_u x[i + u − p] · w[u] as `scipy.ndimage` means it, by the loops of pyconv.

Whole weights of integers are summed exactly; floats by `passes` where the kernel is a product of
factors, else by `pyconv.correlate`, plainly. SciPy sums everything in double. So do these where
weights have both signs: the result may be far smaller than the samples. With weights of one sign,
large arrays of float32 (and integers of up to 16 bits) that give float32 are summed in float32,
with the error of a plain sum of n products, (n + 2) · 2⁻²³ · Σ|x||w|.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import LIMITS
from pyconv._engine.output_arrays import writable_in_place
from pyconv._engine.planning import array_of, prepare
from pyconv._engine.problem import MAX_SPATIAL, CallOptions, make_problem
from pyconv._engine.rounding_planning import rounded_run
from pyconv._engine.separable_passes import FEW_SAMPLES as FEW_IN_PAIRS
from pyconv._engine.separable_passes import (
    Filter,
    Part,
    Runner,
    Wanted,
    lengths_runner,
    means_runner,
    runner,
)
from pyconv._pieces.sums import choice_for, sum_part
from pyconv.ndimage._arguments import reads_fill
from pyconv.ndimage._whole import WHOLE, deciding

Array = npt.NDArray[Any]
#: A planned filter: writes that of the first array to the second, which may be the first. Both have
#: the shape and the dtypes that it was planned for.
Step = Callable[[Array, Array], None]

#: Arrays of fewer samples stay in the cache between passes. They are filtered pass by pass, and
#: summed in double, which takes no longer than the call: their results are SciPy's.
FEW_SAMPLES = 2**14
#: What float32 holds exactly, so that sums in it are as good as the result.
SINGLE = frozenset(map(np.dtype, "?bBhHfF"))
#: float32 rounds weights beyond these to zero or infinity.
MIN_SINGLE, MAX_SINGLE = 2.0**-100, 2.0**100
#: Roundings by which each weight of a product kernel may differ from the product of its factors,
#: and those of a kernel along one axis from their mirror image.
ROUNDINGS = 2


class Window:
    """Where a kernel reads: axes of ``x``, pads and boundaries, one each for its axes."""

    __slots__ = ("axes", "blocks", "boundaries", "fill", "pads")

    def __init__(
        self,
        axes: Sequence[int],
        shape: Sequence[int],
        lows: Sequence[int],
        boundaries: Sequence[str],
        fill: complex,
    ) -> None:
        self.axes = tuple(axes)
        self.pads = tuple((low, k - 1 - low) for low, k in zip(lows, shape, strict=True))
        self.boundaries = tuple(boundaries)
        self.fill = fill
        #: Whether sums begin at multiples of the taps.
        self.blocks = False
        if WHOLE.windows is not None:
            WHOLE.windows.append(self)

    @property
    def reads_fill(self) -> bool:
        """Whether some output reads the fill value."""
        return reads_fill(self.boundaries, self.pads)

    def filter(self, terms: tuple[tuple[Array, ...], ...], shape: tuple[int, ...]) -> Filter:
        """Return the filter of product kernels that reads here, of arrays of a shape."""
        lows = tuple(low for low, _ in self.pads)
        fill = self.fill if self.reads_fill else 0
        part = None
        if WHOLE.shape is not None:
            made = WHOLE.crop or tuple((0, n) for n in shape)
            firsts, outs = zip(*(made[a] for a in self.axes), strict=True)
            part = Part(WHOLE.shape, firsts, outs)
        return Filter(terms, self.axes, lows, self.boundaries, fill, part=part)

    def along(self, kept: Sequence[int]) -> Window:
        """Return the window along some of the kernel's axes."""
        part = object.__new__(Window)
        part.axes = tuple(self.axes[i] for i in kept)
        part.pads = tuple(self.pads[i] for i in kept)
        part.boundaries = tuple(self.boundaries[i] for i in kept)
        part.fill = self.fill
        part.blocks = False
        return part


def weighted_sums(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: Array,
    window: Window,
    dtype: np.dtype,
    *,
    flip: bool = False,
    line: bool = False,
) -> Step:
    """Plan the sums of products of arrays of a shape, whose results are of a dtype.

    ``flip`` is that of a convolution. ``line`` says that SciPy would filter along one axis, where
    it multiplies by zero weights too; those of its other kernels read nothing.
    """
    if 0 in shape:
        return nothing
    if dtype.kind == "b":
        return as_truth(weighted_sums(shape, x_dtype, w, window, BYTE, flip=flip, line=line))
    if w.ndim == 0:
        return _scaled(x_dtype, w, dtype)
    long = [i for i, k in enumerate(w.shape) if k > 1] or [w.ndim - 1]
    if len(long) < w.ndim:
        w = w.reshape([w.shape[i] for i in long])
        window = window.along(long)
    whole = _whole(w) if x_dtype.kind in "biu" and w.dtype.kind != "c" else None
    if whole is not None and (not window.reads_fill or holds(x_dtype, window.fill)):
        return _engine(shape, x_dtype, whole, window, dtype, flip)
    if dtype.kind in "biu":
        weights = np.flip(w) if flip else w
        step = cut_sums(shape, x_dtype, weights, weights.shape, window, dtype, by_axis=line)
        assert step is not None
        return step
    return _float_sums(shape, x_dtype, w, window, dtype, flip, skips=not line)


def nothing(x: Array, output: Array) -> None:
    """Filter an array without samples."""


def copied(x: Array, output: Array) -> None:
    """Filter with a kernel that leaves every sample as it is."""
    output[...] = x


def in_turn(steps: Sequence[Step]) -> Step:
    """Return the steps as one, each of which filters what the one before it has written.

    The last one writes the result: none writes where it reads, and nothing is copied.
    """
    if len(steps) == 1:
        return steps[0]

    def run(x: Array, output: Array) -> None:
        spare = np.empty(output.shape, output.dtype)
        for before in range(len(steps), 0, -1):
            to = output if before % 2 else spare
            steps[-before](x, to)
            x = to

    return run


#: As what SciPy stores the sums of an array of bool, and reads them again.
BYTE = np.dtype(np.uint8)


def as_truth(step: Step) -> Step:
    """Return what makes truth of the bytes that a step writes."""

    def run(x: Array, output: Array) -> None:
        number = output.view(BYTE)
        step(x, number)
        np.minimum(number, 1, out=number)

    return run


def factored(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    terms: Sequence[Sequence[Array]],
    window: Window,
    dtype: np.dtype,
) -> Runner:
    """Return the planned sum of product kernels, each given by its factors; results are floats.

    Factors are whole numbers or floats, in the order of the window's axes.
    """
    return runner(shape, x_dtype, *_products(shape, x_dtype, terms, window, dtype))


def factored_lengths(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    terms: Sequence[Sequence[Array]],
    window: Window,
    dtype: np.dtype,
) -> Runner | None:
    """Return the planned lengths of vectors whose components are product kernels, as `factored`.

    None where their components have to be stored.
    """
    return lengths_runner(shape, x_dtype, *_products(shape, x_dtype, terms, window, dtype))


def _products(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    terms: Sequence[Sequence[Array]],
    window: Window,
    dtype: np.dtype,
) -> tuple[Filter, Wanted]:
    """Return the filter of product kernels, and the dtypes that are wanted of it."""
    rows = tuple(tuple(row.astype(np.float64, copy=False) for row in term) for term in terms)
    every = np.concatenate([row for term in rows for row in term])
    return window.filter(rows, shape), _wanted(shape, x_dtype, dtype, every)


def line_sums(
    shape: tuple[int, ...], x_dtype: np.dtype, w: Array, window: Window, dtype: np.dtype
) -> Runner | None:
    """Return what `weighted_sums` writes of a line, planned; None where it is not of `passes`.

    The results are floats.
    """
    if x_dtype.kind in "biu" and _whole(w) is not None:
        return None
    rows = _factors(w.astype(_wanted(shape, x_dtype, dtype, w).weights))
    return None if rows is None else factored(shape, x_dtype, [rows], window, dtype)


def write(run: Runner, x: Array, output: Array) -> None:
    """Write a planned filter of ``x`` to ``output``, which may be ``x``."""
    total = run(x, output if writable_in_place(output, x) else None, None)
    if total is not output:
        output[...] = total


def mean_sums(
    shape: tuple[int, ...], x_dtype: np.dtype, size: Sequence[int], window: Window, dtype: np.dtype
) -> Runner:
    """Return the planned means of boxes, which are floats."""
    wanted = _wanted(shape, x_dtype, dtype, np.ones(1))
    window.blocks = max(size) >= FEW_IN_PAIRS
    return means_runner(shape, x_dtype, tuple(size), window.filter((), shape), wanted)


def _wanted(shape: tuple[int, ...], x_dtype: np.dtype, dtype: np.dtype, w: Array) -> Wanted:
    narrow = math.prod(deciding(shape)) >= FEW_SAMPLES and single(x_dtype, dtype, w)
    weights = np.dtype(np.float32 if narrow else np.float64)
    return Wanted(weights, dtype.newbyteorder("="), "wrap")


def cut_sums(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: Array | None,
    w_shape: tuple[int, ...],
    window: Window,
    dtype: np.dtype,
    *,
    by_axis: bool = True,
) -> Step | None:
    """Plan sums cut to integers, in one go; return None where no algorithm makes them.

    Those of one axis, or of one kernel, are always made. ``by_axis`` says that ``w`` holds the
    weights along each axis, one after the other; None are those of means.
    """
    fill = window.fill.real
    if fill != 0 and not window.reads_fill:
        fill = 0.0
    if w is not None:
        w = w.astype(np.float64, order="C", copy=False)
    native = dtype.newbyteorder("=")
    run = rounded_run(
        shape, x_dtype, w_shape, w, window.pads, window.boundaries, fill, window.axes, native,
        "wrap", "towards_zero", by_axis,
    )  # fmt: skip
    if run is None:
        return None
    step = partial(write, run)
    if native != np.uint64:
        return step
    halved = window.along(range(len(window.axes)))
    halved.fill = fill / 2
    halves = partial(
        cut_sums, shape, np.dtype(np.float64), w, w_shape, halved, np.dtype(np.int64),
        by_axis=by_axis,
    )  # fmt: skip
    total = 1.0 if w is None else float(np.abs(w).sum())

    def large(x: Array, output: Array) -> None:
        if not max(_largest(x), abs(fill)) * total < 2.0**62:
            # Sums of 2⁶³ and more are 0 in the loops, but uint64 holds them.
            half, halve = np.empty(shape, np.int64), halves()
            assert halve is not None
            halve(x * np.float64(0.5), half)
            step(x, output)
            # The sums of halves are the halves of the sums, which are even from 2⁵³ on.
            np.multiply(half.view(np.uint64), 2, out=output, where=half >= 2**62, casting="unsafe")
        else:
            step(x, output)

    return large


def _largest(x: Array) -> float:
    """Return a bound of the magnitudes of samples."""
    if x.dtype.kind != "f" and x.dtype.itemsize < 8:
        return 2.0**32
    with np.errstate(invalid="ignore"):
        return max(abs(float(x.min())), abs(float(x.max())))


def _scaled(x_dtype: np.dtype, w: Array, dtype: np.dtype) -> Step:
    """Plan the filter of a number by one weight."""
    window = Window((0,), (1,), (0,), ("nearest",), 0.0)
    step = weighted_sums((1,), x_dtype, w.reshape(1), window, dtype)

    def run(x: Array, output: Array) -> None:
        y = np.empty(1, dtype)
        step(x.reshape(1), y)
        output[...] = y[0]

    return run


def _whole(w: Array) -> Array | None:
    """Return the weights as integers, if that is what they are."""
    if w.dtype.kind in "iu":
        return w
    if w.dtype.kind == "b":
        return w.view(np.uint8)
    with np.errstate(invalid="ignore"):
        rounded = np.rint(w)
        if not np.array_equal(rounded, w) or np.abs(w).max() > 2.0**53:
            return None
    return rounded.astype(np.int64)


def holds(dtype: np.dtype, fill: complex) -> bool:
    """Return whether an integer dtype has the value that is read outside."""
    low, high = LIMITS[dtype.newbyteorder("=")]
    return math.isfinite(fill.real) and low <= fill.real <= high and fill.real == int(fill.real)


def single(x: np.dtype, output: np.dtype, w: Array) -> bool:
    """Return whether sums in float32 are as good as the result.

    They are not where weights cancel: of 1000 ± 0.1 a derivative would be a thousandth off.
    """
    if output.newbyteorder("=") not in SINGLE or x.newbyteorder("=") not in SINGLE:
        return False
    if w.dtype.kind == "c" or w.min() < 0 < w.max():
        return False
    if w.dtype.kind != "f":
        return True
    magnitude = np.abs(w)
    least = magnitude.min(where=magnitude > 0, initial=1.0)
    return bool(least > MIN_SINGLE and magnitude.max() < MAX_SINGLE)


def _float_sums(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: Array,
    window: Window,
    dtype: np.dtype,
    flip: bool,
    *,
    skips: bool,
) -> Step:
    narrow = math.prod(deciding(shape)) >= FEW_SAMPLES and single(x_dtype, dtype, w)
    if w.dtype.kind == "c":
        w = w.astype(np.complex64 if narrow else np.complex128)
    else:
        w = w.astype(np.float32 if narrow else np.float64)
    step = _engine(shape, x_dtype, w, window, dtype, flip)
    if not skips or x_dtype.kind not in "fc" or np.count_nonzero(w) == w.size:
        return step

    def run(x: Array, output: Array) -> None:
        kept = x.copy() if np.may_share_memory(x, output) else x
        step(x, output)
        if np.isnan(output.min()):  # 0 · NaN, or 0 · ∞
            _without_zero_weights(kept, w, window, output, flip)

    return run


def _without_zero_weights(x: Array, w: Array, window: Window, output: Array, flip: bool) -> None:
    """Write sums to which samples under a zero weight contribute nothing, even NaN.

    Finite samples are summed apart; then NaN and infinities go where a weight that is not zero
    reads them.
    """
    if w.dtype.kind == "c" or x.dtype.kind == "c":
        _by_parts(x, w, window, output, flip)
        return
    fill = window.fill.real
    finite = window.along(range(len(window.axes)))
    finite.fill = fill if math.isfinite(fill) else 0.0
    _engine(x.shape, x.dtype, w, finite, output.dtype, flip)(np.where(np.isfinite(x), x, 0), output)

    def touched(samples: Array, at_fill: bool, weights: Array) -> Array:
        marks = window.along(range(len(window.axes)))
        marks.fill = float(at_fill)
        count = np.empty(x.shape, np.int64)
        bits = weights.astype(np.uint8)
        _engine(x.shape, BYTE, bits, marks, count.dtype, flip)(samples.view(BYTE), count)
        return count > 0

    up = touched(x == np.inf, fill == np.inf, w > 0) | touched(x == -np.inf, fill == -np.inf, w < 0)
    down = touched(x == np.inf, fill == np.inf, w < 0) | touched(
        x == -np.inf, fill == -np.inf, w > 0
    )
    lost = touched(np.isnan(x), math.isnan(fill), w != 0) | (up & down)
    output[up] = np.inf
    output[down] = -np.inf
    output[lost] = np.nan


def _by_parts(x: Array, w: Array, window: Window, output: Array, flip: bool) -> None:
    """Sum the real and the imaginary parts apart, so that zero weights of either read nothing."""
    fill = complex(window.fill)
    real, imaginary = (window.along(range(len(window.axes))) for _ in range(2))
    real.fill, imaginary.fill = fill.real, fill.imag
    # Correlation conjugates the weights.
    turn = 1 if flip else -1
    total = np.zeros(output.shape, output.dtype)
    part = np.empty(output.shape, output.real.dtype)
    for samples, where, factor in ((x.real, real, 1.0), (x.imag, imaginary, 1j)):
        if factor == 1j and x.dtype.kind != "c":
            continue
        for weights, unit in ((w.real, 1.0), (w.imag, turn * 1j)):
            if unit != 1.0 and w.dtype.kind != "c":
                continue
            what = (samples.shape, samples.dtype, weights, where, part.dtype, flip)
            _float_sums(*what, skips=True)(samples, part)
            product = factor * unit
            if product.real:
                total.real += product.real * part
            else:
                total.imag += product.imag * part
    output[...] = total


def _engine(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: Array,
    window: Window,
    dtype: np.dtype,
    flip: bool,
) -> Step:
    """Plan sums by the loops; kernels of more dimensions than they take, from several."""
    if w.ndim > MAX_SPATIAL:
        return _from_fewer_dimensions(shape, x_dtype, w, window, dtype, flip)
    floats = x_dtype.kind in "fc" or w.dtype.kind in "fc"
    if floats and dtype.kind in "fc":
        rows = _factors(w)
        if rows is not None:
            if flip:
                rows = [row[::-1] for row in rows]
            return partial(write, factored(shape, x_dtype, [rows], window, dtype))
    fill = window.fill if window.reads_fill else 0
    options = CallOptions(
        flip=flip,
        mode=list(window.pads),
        boundary=window.boundaries,
        fill_value=fill if floats else int(fill.real),
        axes=window.axes,
        dtype=dtype.newbyteorder("="),
        overflow="wrap",
        # Every sum errs relative to its own window: no algorithm but a plain sum.
        rtol=0 if floats else None,
    )
    if WHOLE.shape is not None:
        return _sums_of_part(shape, x_dtype, w, options)
    prepared = prepare(array_of(shape, x_dtype, "input"), w, options)
    return partial(write, lambda x, y, workers: prepared.run(x, w, y, workers))


def _sums_of_part(
    shape: tuple[int, ...], x_dtype: np.dtype, w: Array, options: CallOptions
) -> Step:
    """Plan sums of a part of an array by what was chosen for the whole."""
    assert WHOLE.shape is not None
    whole = make_problem(WHOLE.shape, x_dtype, w.shape, w.dtype, **options.of_problem())
    key = whole, w.tobytes()
    method = WHOLE.choices.get(key)
    if method is None:
        method = WHOLE.choices[key] = choice_for(whole, "auto", w).method
    axes = [a.axis for a in whole.spatial]

    def run(x: Array, y: Array | None, workers: int | None) -> Array:
        return sum_part(whole, method, x, w, [0] * len(axes), [shape[a] for a in axes], workers, y)

    return partial(write, run)


def _factors(w: Array) -> list[Array] | None:
    """Return the factors of a kernel that is their product but for rounding, weight by weight.

    A kernel along one axis is its own factor, if it is to be summed in pairs: where it is its own
    mirror image, or the negative of it, but for rounding.
    """
    if w.dtype.kind not in "fiu" or not np.isfinite(w).all():
        return None
    wide = w.astype(np.float64)
    near = ROUNDINGS * float(np.finfo(w.dtype if w.dtype.kind == "f" else np.float64).eps)
    if w.ndim == 1:
        turned = wide[::-1]
        for image in (turned, -turned):
            if np.all(np.abs(wide - image) <= near * np.abs(wide)):
                return [(wide + image) / 2]
        return None
    at = np.unravel_index(np.abs(wide).argmax(), w.shape)
    middle = wide[at]
    if middle == 0 or w.size <= sum(w.shape):
        return None
    rows = []
    for axis in range(w.ndim):
        place: list[Any] = [*at]
        place[axis] = slice(None)
        rows.append(wide[tuple(place)] / (middle if axis else 1.0))
    product = functools.reduce(np.multiply.outer, rows)
    if np.any(np.abs(product - wide) > near * np.abs(wide)):
        return None
    return [(_factors(row) or [row])[0] for row in rows]


def _from_fewer_dimensions(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    w: Array,
    window: Window,
    dtype: np.dtype,
    flip: bool,
) -> Step:
    """Plan the sums of the last three axes of the kernel, added over the taps of the others."""
    extra = w.ndim - MAX_SPATIAL
    inner = window.along(range(extra, w.ndim))
    wide = dtype if dtype.kind in "fc" else np.dtype(np.int64)

    def run(x: Array, output: Array) -> None:
        total, part = np.zeros(shape, wide), np.empty(shape, wide)
        for tap in itertools.product(*map(range, w.shape[:extra])):
            shifted = x
            for i, u in enumerate(tap):
                low, _ = window.pads[i]
                axis, size = window.axes[i], shape[window.axes[i]]
                offset = (w.shape[i] - 1 - u if flip else u) - low
                index = BOUNDARIES[window.boundaries[i]].index(np.arange(size) + offset, size)
                shifted = np.take(shifted, index, axis=axis)
                outside: list[Any] = [slice(None)] * x.ndim
                outside[axis] = index == FILL
                shifted[tuple(outside)] = window.fill if x.dtype.kind == "c" else window.fill.real
            _engine(shape, x_dtype, w[tap], inner, wide, flip)(shifted, part)
            total += part
        output[...] = total

    return run
