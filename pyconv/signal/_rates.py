"""upfirdn, resample_poly and decimate of `scipy.signal`: filters between two rates of samples.

    y[n] = Σ_j h[p + j·up] · x[m − j]   with   n·down + start = m·up + p,  0 ≤ p < up

Zeros that would be put between samples are never multiplied. Outputs with one p are a phase: a
convolution with every up-th weight, at every so many samples. A call is one problem of the engine,
whose stride is the fraction down / up; with one phase the stride is whole.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine.algorithms.correlation import each_phase, polyphase
from pyconv._engine.boundaries import BOUNDARIES
from pyconv._engine.output_arrays import empty
from pyconv._engine.planner import CALLS
from pyconv._engine.planning import Prepared, prepare
from pyconv._engine.problem import MAX_COORDINATE, CallOptions
from pyconv._native import loader
from pyconv.signal._lines import Array, along, convolved, is_axis, is_finite, taken

#: SciPy's own functions, whatever is put in their place later.
_scipy_upfirdn, _scipy_resample_poly = scipy.signal.upfirdn, scipy.signal.resample_poly
_scipy_decimate, _firwin = scipy.signal.decimate, scipy.signal.firwin

#: SciPy's words for what is read outside → ours.
BOUNDARY_OF = {
    "constant": "constant",
    "wrap": "wrap",
    "edge": "nearest",
    "symmetric": "symmetric",
    "reflect": "mirror",
}
#: Those that samples are made for, from those at the ends.
MADE = frozenset(("smooth", "antisymmetric", "antireflect", "line"))
#: What `resample_poly` takes away from the samples before, and adds to the results.
BACKGROUNDS: dict[str, Callable[..., Array]] = {
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
    "maximum": np.max,
}


class Rate(NamedTuple):
    """Where the outputs of a filter lie between the samples."""

    up: int
    down: int
    #: The first output, counted at `up` times the rate of the samples.
    start: int
    outputs: int

    @property
    def phases(self) -> int:
        """Outputs after which the weights of one are those of another again."""
        return self.up // math.gcd(self.up, self.down)

    @property
    def step(self) -> int:
        """Samples between two such outputs."""
        return self.down // math.gcd(self.up, self.down)


def upfirdn(
    h: npt.ArrayLike,
    x: npt.ArrayLike,
    up: int = 1,
    down: int = 1,
    axis: int = -1,
    mode: str = "constant",
    cval: float = 0,
) -> Array:
    r"""Put zeros between samples, filter, and keep every so many results.

    .. math:: y[n] = \sum_k h[k] \; z[n \cdot down - k] \quad\text{with}\quad
              z[m \cdot up] = x[m], \; 0 \text{ elsewhere}

    Parameters
    ----------
    h : array_like
        The weights, of one dimension.
    x : array_like
        The samples.
    up, down : int, optional
        One sample becomes `up`, and one of `down` results is kept.
    axis : int, optional
        The axis that is filtered.
    mode : str, optional
        What is read outside `x`: ``constant`` (`cval`), ``edge``, ``symmetric``, ``reflect`` and
        ``wrap`` as `numpy.pad` has them; ``smooth`` goes on along the line through the last two
        samples, ``line`` along that through the first and the last one; ``antisymmetric`` and
        ``antireflect`` are mirror images upside down, about zero and about the sample at the end.
    cval : float, optional
        The value that ``mode='constant'`` reads.

    Returns
    -------
    ndarray
        The results, of the dtype ``np.result_type(h, x, np.float32)``.

    Raises
    ------
    ValueError
        For weights of other dimensions, rates below 1 and modes that are unknown.

    See Also
    --------
    scipy.signal.upfirdn : the same signature, with every parameter at length.

    Notes
    -----
    Zeros between samples take no time: each result is a sum of every `up`-th weight.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.upfirdn([1, 1, 1], [1, 2, 3], 3)
    array([1., 1., 1., 2., 2., 2., 3., 3., 3.])
    >>> signal.upfirdn([0.5, 1, 0.5], range(6), 2, 3)
    array([0. , 1. , 2.5, 4. , 2.5])
    """
    given = up, down, axis, mode, cval
    if type(x) is not np.ndarray and is_planned(x):
        names = "h", "up", "down", "axis", "mode", "cval"
        return in_pieces("line", upfirdn, x, names, (h, *given))
    samples = np.asarray(x)
    rate = filtered(samples, np.asarray(h), *given)
    return _scipy_upfirdn(h, x, *given) if rate is None else rate.of(samples)


class Resampling(NamedTuple):
    """What a call sums: a filter between two rates, along an axis."""

    h: Array
    up: int
    down: int
    axis: int
    #: The first result, and how many there are.
    start: int
    outputs: int
    mode: str
    fill: float
    dtype: np.dtype
    #: What is taken away from the samples before, and added to the results.
    background: Callable[..., Array] | None = None

    def of(self, x: Array) -> Array:
        """Return the results of an array."""
        if self.background is None:
            return self.part(x, self.start, self.outputs)
        level = self.background(x, axis=self.axis, keepdims=True)
        y = self.part(x - level, self.start, self.outputs)
        y += level
        return y

    def part(self, x: Array, start: int, count: int) -> Array:
        """Return so many results, of which the first is the one at ``start``."""
        return between(
            self.h, x, self.up, self.down, self.axis, start, count, self.mode, self.fill,
            dtype=self.dtype,
        )  # fmt: skip

    def beside(self, n: int) -> tuple[int, int]:
        """Return how many samples are made before and behind ``n`` of them."""
        if self.mode not in MADE:
            return 0, 0
        return beside(self.h.size, Rate(self.up, self.down, self.start, self.outputs), n)


def filtered(
    x: Array, h: Array, up: Any, down: Any, axis: Any, mode: Any, cval: Any
) -> Resampling | None:
    """Return what `upfirdn` sums; None for calls that are SciPy's."""
    rates = _counts(up, down)
    word = str(mode).lower()
    _check_samples(x, axis, word)
    if rates is None or h.ndim != 1 or not _answers(h, x, axis, word, cval):
        return None
    dtype = np.result_type(h, x, np.float32)
    axis = operator.index(axis) % x.ndim
    count = ((x.shape[axis] - 1) * rates[0] + h.size - 1) // rates[1] + 1
    return Resampling(weights_of(h, x, dtype), *rates, axis, 0, count, word, cval, dtype)


def _counts(up: Any, down: Any) -> tuple[int, int] | None:
    """Return rates as SciPy rounds them; None for what it refuses."""
    try:
        rates = int(up), int(down)
    except (TypeError, ValueError, OverflowError):
        return None
    return rates if min(rates) >= 1 else None


def _answers(h: Array, x: Array, axis: object, mode: str, cval: Any) -> bool:
    """Return whether arrays, an axis and a word for what is outside are not SciPy's to answer."""
    if not (taken(h, x) and is_axis(axis, x.ndim) and is_finite(h)):
        return False
    if not isinstance(cval, int | float | np.integer | np.floating):
        return False  # SciPy looks at it in every mode
    return mode == "constant" or mode in BOUNDARY_OF or mode in MADE


def _check_samples(x: Array, axis: object, mode: str) -> None:
    """Raise ValueError where something outside is to be made of nothing.

    SciPy reads what lies beside the array in memory, and divides by zero.
    """
    if mode not in BOUNDARY_OF and mode not in MADE:
        return
    if mode != "constant" and is_axis(axis, x.ndim) and x.shape[operator.index(axis)] == 0:  # type: ignore[arg-type]
        raise ValueError(f"x has no samples along axis {axis}, of which {mode!r} could be made")


def between(
    h: Array,
    x: Array,
    up: int,
    down: int,
    axis: int,
    start: int,
    count: int,
    mode: str = "constant",
    cval: float = 0,
    *,
    dtype: np.dtype,
) -> Array:
    """Return ``count`` results, of which the first is the one at ``start`` before any is dropped.

    Weights are finite.
    """
    boundary = BOUNDARY_OF.get(mode, "constant")
    rate = Rate(up, down, start, count)
    if mode in MADE:
        before, after = beside(h.size, rate, x.shape[axis])
        x = extended(x, axis, before, after, mode, dtype)
        rate = rate._replace(start=start + before * up)
    fill = cval if mode == "constant" else 0
    if in_one_loop(h, x.dtype, rate, fill):
        return _in_one_loop(x, h, axis, rate, dtype, boundary, fill)
    if rate.phases > each_phase.MOST:  # a convolution of each would take as long as all sums
        return _in_one_loop(x, h, axis, rate, dtype, boundary, fill, "reference")
    return _by_phases(x, h, axis, rate, dtype, boundary, fill)


def beside(taps: int, rate: Rate, n: int) -> tuple[int, int]:
    """Return how many samples results read before ``n`` samples, and how many behind them."""
    last = rate.start + (rate.outputs - 1) * rate.down
    before = -(-taps // rate.up) - 1 - rate.start // rate.up
    return max(0, before), max(0, last // rate.up - n + 1)


def in_one_loop(h: Array, x_dtype: np.dtype, rate: Rate, fill: float) -> bool:
    """Return whether one loop goes through all phases."""
    one_part = h.dtype.kind != "c" and not (fill and x_dtype.kind == "c")
    longest = max(rate.phases, rate.step, -(-h.size // rate.up))
    return one_part and rate.phases > 1 and longest <= polyphase.MOST


def _in_one_loop(
    x: Array,
    h: Array,
    axis: int,
    rate: Rate,
    dtype: np.dtype,
    boundary: str,
    fill: float,
    method: str = "polyphase",
) -> Array:
    """Return the results of `between`, of a problem whose stride is a fraction."""
    key = (
        "rate", loader.native, x.shape, x.dtype, h.size, h.dtype, axis, rate, dtype, boundary,
        fill, type(fill), method,
    )  # fmt: skip
    prepared: Prepared | None = CALLS.found.get(key)
    shared = math.gcd(rate.up, rate.down)
    w = h if shared == 1 else h[rate.start % shared :: shared]
    if prepared is None:
        if not w.size:  # no weight meets a sample
            return np.zeros((*x.shape[:axis], rate.outputs, *x.shape[axis + 1 :]), dtype)
        up, down, start = rate.phases, rate.step, rate.start // shared
        low = w.size - 1 - start
        high = (rate.outputs - 1) * down + w.size - low - ((x.shape[axis] - 1) * up + 1)
        options = CallOptions(
            flip=True, mode=((low, high),), boundary=boundary, fill_value=fill, axes=axis,
            stride=Fraction(down, up), dtype=dtype, overflow="wrap", rtol=0.0,
            max_memory=MAX_COORDINATE if method == "polyphase" else None, method=method,
        )  # fmt: skip
        prepared = CALLS.keep(key, prepare(x, w, options))
    return prepared.run(x, w)


def phases_of(h: Array, rate: Rate, n: int) -> Iterator[tuple[Array, tuple[int, int]]]:
    """Yield the weights of each phase, and the pads of their convolution with ``n`` samples."""
    for first in range(min(rate.phases, rate.outputs)):
        m, p = divmod(rate.start + first * rate.down, rate.up)
        weights = h[p :: rate.up]
        outputs = -(-(rate.outputs - first) // rate.phases)
        yield weights, (weights.size - 1 - m, m + (outputs - 1) * rate.step - (n - 1))


def _by_phases(
    x: Array,
    h: Array,
    axis: int,
    rate: Rate,
    dtype: np.dtype,
    boundary: str,
    fill: float,
) -> Array:
    """Return the results of `between`, the outputs of each phase by a convolution."""
    shape = list(x.shape)
    shape[axis] = rate.outputs
    y = empty(tuple(shape), dtype) if rate.phases > 1 else None
    for first, (weights, pads) in enumerate(phases_of(h, rate, x.shape[axis])):
        part = None if y is None else y[along(axis, x.ndim, first, None, rate.phases)]
        if weights.size == 0 and part is not None:
            part[...] = 0
            continue
        sums = convolved(
            x, weights, axis, pads, dtype=dtype, stride=rate.step, boundary=boundary, fill=fill,
            out=part,
        )  # fmt: skip
    return sums if y is None else y


def extended(x: Array, axis: int, before: int, after: int, mode: str, dtype: np.dtype) -> Array:
    """Return an array with samples beside those at the ends, made as a mode of `MADE` has it."""
    n, ndim = x.shape[axis], x.ndim
    shape = list(x.shape)
    shape[axis] = before + n + after
    y = empty(tuple(shape), dtype)
    y[along(axis, ndim, before, before + n)] = x
    inner = y[along(axis, ndim, before, before + n)]
    for low, at, places in (
        (True, 0, np.arange(-before, 0)),
        (False, before + n, np.arange(n, n + after)),
    ):
        if places.size:
            made = _made(inner, axis, places, mode, low=low)
            y[along(axis, ndim, at, at + places.size)] = made
    return y


def _made(x: Array, axis: int, places: Array, mode: str, *, low: bool) -> Array:
    """Return the samples at places outside, all before the first sample or all after the last."""
    n, ndim = x.shape[axis], x.ndim
    first, last = x[along(axis, ndim, 0, 1)], x[along(axis, ndim, n - 1, None)]
    column = places.reshape([-1 if a == axis else 1 for a in range(ndim)])
    real = first.real.dtype
    if n == 1 and mode != "antisymmetric":  # there is no slope
        return np.repeat(first, places.size, axis)
    if mode == "line":
        return first + column.astype(real) * ((last - first) / real.type(n - 1))
    if mode == "smooth":
        if low:
            return first + column.astype(real) * (x[along(axis, ndim, 1, 2)] - first)
        slope = last - x[along(axis, ndim, n - 2, n - 1)]
        return last + (column - (n - 1)).astype(real) * slope
    if mode == "antisymmetric":
        read = np.take(x, BOUNDARIES["symmetric"].index(places, n), axis=axis)
        return np.where(column // n % 2 == 0, read, -read)
    # Each turn about the sample at an end moves the next one as far as the samples go.
    turns = column // (n - 1)
    read = np.take(x, BOUNDARIES["mirror"].index(places, n), axis=axis)
    even = turns % 2 == 0
    moved = np.where(even, turns, turns + 1).astype(real) * (last - first)
    return moved + np.where(even, read, 2 * first - read)


def resample_poly(
    x: npt.ArrayLike,
    up: int,
    down: int,
    axis: int = 0,
    window: Any = ("kaiser", 5.0),
    padtype: str = "constant",
    cval: float | None = None,
) -> Array:
    """Resample along an axis by a rational factor, without delay.

    Parameters
    ----------
    x : array_like
        The samples.
    up, down : int
        There are ``up / down`` times as many results as samples, rounded up.
    axis : int, optional
        The axis that is resampled.
    window : str, tuple or array_like, optional
        The window of the low-pass filter, as `scipy.signal.firwin` takes it; or the filter itself,
        in a list or an array, at `up` times the rate of `x`.
    padtype : str, optional
        What is read outside `x`: a mode of `upfirdn`; or the ``mean``, ``median``, ``minimum`` or
        ``maximum`` along the axis.
    cval : float, optional
        The value that ``padtype='constant'`` reads, 0 by default.

    Returns
    -------
    ndarray
        The results: float32 and complex64 for such samples, unless a filter of another dtype is
        given; float64 for integers.

    Raises
    ------
    ValueError
        For rates, filters and words that are not allowed.

    See Also
    --------
    scipy.signal.resample_poly : the same signature, with every parameter at length.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.resample_poly([1.0, 2.0, 3.0], 2, 1, window=[0.25, 0.5, 0.25])
    array([1. , 1.5, 2. , 2.5, 3. , 1.5])
    """
    given = up, down, axis, window, padtype, cval
    if type(x) is not np.ndarray and is_planned(x):
        names = "up", "down", "axis", "window", "padtype", "cval"
        return in_pieces("line", resample_poly, x, names, given)
    samples = np.asarray(x)
    rate = resampled_by(samples, *given)
    if rate is None:
        return _scipy_resample_poly(x, *given)
    return samples.copy() if rate is UNCHANGED else rate.of(samples)


#: Stands for a call that returns the samples.
UNCHANGED = Resampling(np.ones(1), 1, 1, 0, 0, 0, "constant", 0, np.dtype(np.float64))


def resampled_by(
    x: Array, up: Any, down: Any, axis: Any, window: Any, padtype: Any, cval: Any
) -> Resampling | None:
    """Return what `resample_poly` sums; None for calls that are SciPy's."""
    rates = _counts(up, down)
    background = BACKGROUNDS.get(str(padtype))
    mode, fill = ("constant", 0.0) if background else (padtype, 0.0 if cval is None else cval)
    _check_samples(x, axis, mode)
    if (
        rates is None
        or rates != (up, down)
        or (cval is not None and padtype != "constant")
        or x.dtype.kind == "b"
        or x.dtype == np.float16
        or not _answers(np.ones(1), x, axis, mode, fill)
    ):
        return None
    shared = math.gcd(*rates)
    if rates[0] == rates[1]:
        return UNCHANGED
    up, down = rates[0] // shared, rates[1] // shared
    if isinstance(window, list | np.ndarray):
        h = np.asarray(window)
        # SciPy multiplies it in place, which bools do not allow.
        if h.ndim != 1 or h.dtype.kind == "b" or not taken(h) or not is_finite(h):
            return None
        middle = (h.size - 1) // 2
    else:
        middle = 10 * max(up, down)
        h = _firwin(2 * middle + 1, 1.0 / max(up, down), window=window)
        if x.dtype.kind in "fc":
            h = h.astype(x.real.dtype)
    h = h * h.dtype.type(up)
    axis = operator.index(axis) % x.ndim
    count = -(-x.shape[axis] * up // down)
    source = np.ones(1, x.dtype)
    if background is not None:
        source = source - background(source, axis=0, keepdims=True)
    dtype = np.result_type(h, source, np.float32)
    weights = weights_of(h, source, dtype)
    return Resampling(weights, up, down, axis, middle, count, mode, fill, dtype, background)


def decimate(
    x: npt.ArrayLike,
    q: int,
    n: int | None = None,
    ftype: Any = "iir",
    axis: int = -1,
    zero_phase: bool = True,
) -> Array:
    """Keep every q-th sample behind a low-pass filter.

    Parameters
    ----------
    x : array_like
        The samples.
    q : int
        Of so many samples one is kept.
    n : int, optional
        The order of the filter, one less than its length for ``'fir'``, by default ``20 * q``.
    ftype : {'iir', 'fir'} or scipy.signal.dlti, optional
        The filter: of infinite response, which is SciPy's; of finite response, with a Hamming
        window; or any system.
    axis : int, optional
        The axis that is filtered.
    zero_phase : bool, optional
        Whether the results are moved back by the delay of the filter.

    Returns
    -------
    ndarray
        Of so many samples one: float32 and complex64 for such samples, float64 for integers.

    Raises
    ------
    TypeError
        If `q` or `n` is no integer.
    ValueError
        For words that are unknown.

    See Also
    --------
    scipy.signal.decimate : the same signature, with every parameter at length.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import signal
    >>> signal.decimate(np.ones(50), 10, ftype="fir", n=2).round(2)
    array([0.93, 1.  , 1.  , 1.  , 1.  ])
    """
    given = q, n, ftype, axis, zero_phase
    if type(x) is not np.ndarray and is_planned(x):
        names = "q", "n", "ftype", "axis", "zero_phase"
        return in_pieces("line", decimate, x, names, given)
    samples = np.asarray(x)
    rate = decimated(samples, *given)
    if rate is None:
        return _scipy_decimate(x, *given)
    return samples.copy() if rate is UNCHANGED else rate.of(samples)


def decimated(
    x: Array, q: Any, n: Any, ftype: Any, axis: Any, zero_phase: Any
) -> Resampling | None:
    """Return what `decimate` sums; None for calls that are SciPy's."""
    b = _response(x, q, n, ftype, axis)
    if b is None:
        return None
    axis, step = operator.index(axis) % x.ndim, operator.index(q)
    if step == 1 and zero_phase:  # SciPy resamples by 1, which is a copy
        return UNCHANGED
    count = -(-x.shape[axis] // step)
    dtype = np.result_type(b, x, np.float32)
    start = (b.size - 1) // 2 if zero_phase else 0
    return Resampling(weights_of(b, x, dtype), 1, step, axis, start, count, "constant", 0, dtype)


def _response(x: Array, q: Any, n: Any, ftype: Any, axis: object) -> Array | None:
    """Return the weights of a filter of finite response; None for calls that are SciPy's."""
    try:
        step = operator.index(q)
        order = 20 * step if n is None else operator.index(n)
    except TypeError:
        return None
    if step < 1 or order < 0 or not _answers(np.ones(1), x, axis, "constant", 0):
        return None
    if isinstance(ftype, str) and ftype == "fir":
        if step == 1:  # no cutoff is allowed at the highest frequency
            return None
        b = _firwin(order + 1, 1.0 / step, window="hamming")
        narrow = x.dtype.kind in "fc" and x.dtype.itemsize > 2
        b = b.astype(x.real.dtype if narrow else np.float64)
    elif isinstance(ftype, scipy.signal.dlti):
        if ftype.to_zpk().poles.size:
            return None
        system = ftype.to_tf()
        b = np.asarray(system.num / system.den)
    else:
        return None
    return b if b.ndim == 1 and b.size and is_finite(b) else None


def weights_of(h: Array, x: Array, dtype: np.dtype) -> Array:
    """Return weights in the dtype of results, but real ones for complex samples."""
    if dtype.kind == "c" and x.dtype.kind == "c" and h.dtype.kind != "c":
        return h.astype(np.empty(0, dtype).real.dtype)
    return h.astype(dtype)
