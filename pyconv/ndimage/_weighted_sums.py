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
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls.correlation import convolve, correlate
from pyconv._engine.boundaries import BOUNDARIES, FILL
from pyconv._engine.dtypes import LIMITS
from pyconv._engine.output_arrays import writable_in_place
from pyconv._engine.problem import MAX_SPATIAL
from pyconv._engine.rounding_planning import rounded_run
from pyconv._engine.separable_passes import (
    Filter,
    Runner,
    Wanted,
    means_runner,
    runner,
)
from pyconv.ndimage._arguments import reads_fill

Array = npt.NDArray[Any]

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

    __slots__ = ("axes", "boundaries", "fill", "pads")

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

    @property
    def reads_fill(self) -> bool:
        """Whether some output reads the fill value."""
        return reads_fill(self.boundaries, self.pads)

    def filter(self, terms: tuple[tuple[Array, ...], ...]) -> Filter:
        """Return the filter of product kernels that reads here."""
        lows = tuple(low for low, _ in self.pads)
        fill = self.fill if self.reads_fill else 0
        return Filter(terms, self.axes, lows, self.boundaries, fill)

    def along(self, kept: Sequence[int]) -> Window:
        """Return the window along some of the kernel's axes."""
        part = object.__new__(Window)
        part.axes = tuple(self.axes[i] for i in kept)
        part.pads = tuple(self.pads[i] for i in kept)
        part.boundaries = tuple(self.boundaries[i] for i in kept)
        part.fill = self.fill
        return part


def weighted_sums(
    x: Array, w: Array, window: Window, output: Array, *, flip: bool = False, line: bool = False
) -> None:
    """Write the sums of products to ``output``, which may be ``x``.

    ``flip`` is that of a convolution. ``line`` says that SciPy would filter along one axis, where
    it multiplies by zero weights too; those of its other kernels read nothing.
    """
    if x.size == 0:
        return
    if output.dtype.kind == "b":
        weighted_sums(x, w, window, bytes_of(output), flip=flip, line=line)
        to_truth(output)
        return
    if w.ndim == 0:
        output[...] = _scaled(x, w, output.dtype)
        return
    long = [i for i, k in enumerate(w.shape) if k > 1] or [w.ndim - 1]
    if len(long) < w.ndim:
        w = w.reshape([w.shape[i] for i in long])
        window = window.along(long)
    whole = _whole(w) if x.dtype.kind in "biu" and w.dtype.kind != "c" else None
    if whole is not None and (not window.reads_fill or holds(x.dtype, window.fill)):
        _engine(x, whole, window, output, flip)
    elif output.dtype.kind in "biu":
        weights = np.flip(w) if flip else w
        done = cut_sums(x, weights, weights.shape, window, output, by_axis=line)
        assert done
    else:
        _float_sums(x, w, window, output, flip, skips=not line)


def bytes_of(output: Array) -> Array:
    """Return the bytes of an array of bool, as which SciPy stores sums, and reads them again."""
    return output.view(np.uint8)


def to_truth(output: Array) -> None:
    """Overwrite an array of bool, whose bytes are any, with whether they are not 0."""
    number = bytes_of(output)
    np.minimum(number, 1, out=number)


def factored_sums(
    x: Array, terms: Sequence[Sequence[Array]], window: Window, output: Array
) -> None:
    """Write the sum of product kernels, each given by its factors, to ``output``, of floats.

    Factors are whole numbers or floats, in the order of the window's axes.
    """
    if x.size:
        write(factored(x.shape, x.dtype, terms, window, output.dtype), x, output)


def factored(
    shape: tuple[int, ...],
    x_dtype: np.dtype,
    terms: Sequence[Sequence[Array]],
    window: Window,
    dtype: np.dtype,
) -> Runner:
    """Return the planned sum of product kernels, as `factored_sums` writes it."""
    rows = tuple(tuple(row.astype(np.float64, copy=False) for row in term) for term in terms)
    every = np.concatenate([row for term in rows for row in term])
    return runner(shape, x_dtype, window.filter(rows), _wanted(shape, x_dtype, dtype, every))


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
    return means_runner(shape, x_dtype, tuple(size), window.filter(()), wanted)


def _wanted(shape: tuple[int, ...], x_dtype: np.dtype, dtype: np.dtype, w: Array) -> Wanted:
    narrow = math.prod(shape) >= FEW_SAMPLES and single(x_dtype, dtype, w)
    weights = np.dtype(np.float32 if narrow else np.float64)
    return Wanted(weights, dtype.newbyteorder("="), "wrap")


def cut_sums(
    x: Array,
    w: Array | None,
    shape: tuple[int, ...],
    window: Window,
    output: Array,
    *,
    by_axis: bool = True,
) -> bool:
    """Write sums cut to integers, in one go, or return that no algorithm makes them.

    Those of one axis, or of one kernel, are always made. ``by_axis`` says that ``w`` holds the
    weights along each axis, one after the other; None are those of means.
    """
    fill = window.fill.real
    if fill != 0 and not window.reads_fill:
        fill = 0.0
    if w is not None:
        w = w.astype(np.float64, order="C", copy=False)
    dtype = output.dtype.newbyteorder("=")
    large = dtype == np.uint64 and _may_exceed_int64(x, w, fill)
    run = rounded_run(
        x.shape, x.dtype, shape, w, window.pads, window.boundaries, fill, window.axes, dtype,
        "wrap", "towards_zero", by_axis,
    )  # fmt: skip
    if run is not None and large:
        half = np.empty(x.shape, np.int64)
        halved = window.along(range(len(window.axes)))
        halved.fill = fill / 2
        cut_sums(x * np.float64(0.5), w, shape, halved, half, by_axis=by_axis)
        write(run, x, output)
        # The sums of halves are the halves of the sums, which are even from 2⁵³ on.
        np.multiply(half.view(np.uint64), 2, out=output, where=half >= 2**62, casting="unsafe")
    elif run is not None:
        write(run, x, output)
    return run is not None


def _may_exceed_int64(x: Array, w: Array | None, fill: float) -> bool:
    """Return whether a sum may be 2⁶³ or more: the loops make 0 of it, but uint64 holds it."""
    if x.dtype.kind != "f" and x.dtype.itemsize < 8:
        largest = 2.0**32
    else:
        with np.errstate(invalid="ignore"):
            largest = max(abs(float(x.min())), abs(float(x.max())))
    total = 1.0 if w is None else float(np.abs(w).sum())
    return not max(largest, abs(fill)) * total < 2.0**62


def _scaled(x: Array, w: Array, dtype: np.dtype) -> Array:
    """Return the filter of a number by one weight."""
    y = np.empty(1, dtype)
    weighted_sums(x.reshape(1), w.reshape(1), Window((0,), (1,), (0,), ("nearest",), 0.0), y)
    return y[0]


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
    x: Array, w: Array, window: Window, output: Array, flip: bool, *, skips: bool
) -> None:
    narrow = x.size >= FEW_SAMPLES and single(x.dtype, output.dtype, w)
    if w.dtype.kind == "c":
        w = w.astype(np.complex64 if narrow else np.complex128)
    else:
        w = w.astype(np.float32 if narrow else np.float64)
    if not skips or x.dtype.kind not in "fc" or np.count_nonzero(w) == w.size:
        _engine(x, w, window, output, flip)
        return
    kept = x.copy() if np.may_share_memory(x, output) else x
    _engine(x, w, window, output, flip)
    if np.isnan(output.min()):  # 0 · NaN, or 0 · ∞
        _without_zero_weights(kept, w, window, output, flip)


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
    _engine(np.where(np.isfinite(x), x, 0), w, finite, output, flip)

    def touched(samples: Array, at_fill: bool, weights: Array) -> Array:
        marks = window.along(range(len(window.axes)))
        marks.fill = float(at_fill)
        count = np.empty(x.shape, np.int64)
        _engine(samples.view(np.uint8), weights.astype(np.uint8), marks, count, flip)
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
            _float_sums(samples, weights, where, part, flip, skips=True)
            product = factor * unit
            if product.real:
                total.real += product.real * part
            else:
                total.imag += product.imag * part
    output[...] = total


def _engine(x: Array, w: Array, window: Window, output: Array, flip: bool) -> None:
    """Sum by `pyconv.correlate`; kernels of more dimensions than it takes, from several."""
    if w.ndim > MAX_SPATIAL:
        _from_fewer_dimensions(x, w, window, output, flip)
        return
    call = convolve if flip else correlate
    floats = x.dtype.kind in "fc" or w.dtype.kind in "fc"
    if floats and output.dtype.kind in "fc":
        rows = _factors(w)
        if rows is not None:
            if flip:
                rows = [row[::-1] for row in rows]
            factored_sums(x, [rows], window, output)
            return
    fill = window.fill if window.reads_fill else 0
    call(
        x,
        w,
        list(window.pads),
        window.boundaries,
        fill_value=fill if floats else int(fill.real),
        axes=window.axes,
        dtype=output.dtype,
        overflow="wrap",
        out=output,
        # Every sum errs relative to its own window: no algorithm but a plain sum.
        rtol=0 if floats else None,
    )


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


def _from_fewer_dimensions(x: Array, w: Array, window: Window, output: Array, flip: bool) -> None:
    """Add the sums of the last three axes of the kernel over the taps of the others."""
    extra = w.ndim - MAX_SPATIAL
    inner = window.along(range(extra, w.ndim))
    wide = output.dtype if output.dtype.kind in "fc" else np.dtype(np.int64)
    total, part = np.zeros(x.shape, wide), np.empty(x.shape, wide)
    for tap in itertools.product(*map(range, w.shape[:extra])):
        shifted = x
        for i, u in enumerate(tap):
            low, _ = window.pads[i]
            axis, size = window.axes[i], x.shape[window.axes[i]]
            offset = (w.shape[i] - 1 - u if flip else u) - low
            index = BOUNDARIES[window.boundaries[i]].index(np.arange(size) + offset, size)
            shifted = np.take(shifted, index, axis=axis)
            outside: list[Any] = [slice(None)] * x.ndim
            outside[axis] = index == FILL
            shifted[tuple(outside)] = window.fill if x.dtype.kind == "c" else window.fill.real
        _engine(shifted, w[tap], inner, part, flip)
        total += part
    output[...] = total
