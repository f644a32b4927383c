"""Matching: the correlation coefficient of a template with each window, and of signals by lag.

    y[i] = Σ_u (x[i + u] − x̄) · (t[u] − t̄) / √(Σ_u (x[i + u] − x̄)² · Σ_u (t[u] − t̄)²)

The variance of a window is the small difference of large sums. It is computed without any rounding:
samples are whole numbers, or are rounded to such of about 24 bits, and their running sums wrap
round at 2^64 without harm, because the sums over a window do not.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pyconv import threads
from pyconv._native import loader
from pyconv.boundaries import BOUNDARIES, FILL
from pyconv.correlation import correlate
from pyconv.dtypes import is_integer, supported
from pyconv.machine import MACHINE
from pyconv.planning import OPTIONS, prepare
from pyconv.problem import MAX_COORDINATE, Problem, integer
from pyconv.results import empty, plain_array

#: Outputs of a block of what is summed more than once; but rows for twice the template's at least.
BLOCK = 1 << 17
#: Samples that NumPy goes over several times, in the cache.
RUN = 1 << 15
#: Of the loop that divides, on a Zen 4 core.
SECONDS_PER_WINDOW = 2.5e-9
#: A window whose samples are this many times their deviation from its mean is summed in float64:
#: in float32 its coefficient could be wrong by 10^-3.
OFFSET = 2.0**10
#: What float32 holds of whole numbers.
SINGLE_BITS = 24
#: Powers of two that float32 holds.
MOST_EXPONENT = 120


def match_template(
    image: npt.ArrayLike,
    template: npt.ArrayLike,
    mode: str | Sequence[tuple[int, int]] = "valid",
    boundary: str | Sequence[str] = "constant",
    *,
    fill_value: float = 0,
    axes: int | Sequence[int] | None = None,
    mask: npt.ArrayLike | None = None,
    workers: int | None = None,
) -> npt.NDArray[Any]:
    r"""Return how much each window of an image is like a template.

    .. math:: y[i] = \frac{\sum_u (x[i + u] - \bar x_i) \, (t[u] - \bar t)}
              {\sqrt{\sum_u (x[i + u] - \bar x_i)^2 \; \sum_u (t[u] - \bar t)^2}}

    with the means over the window and the template: the correlation coefficient, which is 1 for a
    window that is the template at any brightness and contrast, and −1 for its negative.

    Parameters
    ----------
    image : array_like
        Real array; finite.
    template : array_like
        Real array of 1, 2 or 3 dimensions; finite.
    mode, boundary, fill_value
        As for `correlate`: which windows there are, and what is read outside. With ``same`` the
        result has the image's shape, and ``y[i]`` belongs to the window around ``i``.
    axes : int or sequence of int, optional
        Axis of the image that each axis of the template lies along; by default the last ones. The
        others are batch axes.
    mask : array_like of bool, optional
        True for samples of the template to leave out; of its shape. All sums run over the others.
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    ndarray
        Coefficients from −1 to 1: float32, or float64 if the image or the template is float64 or
        has integers of more than 16 bits. 0 where a window, or the template, is constant.

    Raises
    ------
    ValueError
        For values that are not finite, a template that is larger than the image, a mask of
        another shape or one that leaves nothing, and as `correlate`.
    TypeError
        For complex or other dtypes.

    See Also
    --------
    xcorr : for signals.

    Notes
    -----
    Windows are compared without rounding as far as integers of 16 bits go; wider integers and
    floats are rounded to whole parts of about 2\ :sup:`-24` of the image's largest deviation from
    its mean, and a window whose contrast is less than that counts as constant.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> image = np.array([[1, 1, 1, 1, 1], [1, 4, 6, 2, 1], [1, 8, 3, 5, 9], [1, 1, 1, 7, 1]])
    >>> y = pyconv.match_template(image, image[1:3, 2:4])
    >>> np.unravel_index(y.argmax(), y.shape)
    (np.int64(1), np.int64(2))
    >>> bool(np.isclose(y.max(), 1))
    True
    """
    x, t = plain_array(image, "image"), plain_array(template, "template")
    for name, array in (("image", x), ("template", t)):
        if supported(array.dtype, name).kind == "c":
            raise TypeError(f"{name} has dtype {array.dtype}; real dtypes are allowed")
    if not 1 <= t.ndim <= min(3, x.ndim) or 0 in t.shape:
        raise ValueError(
            f"template has shape {t.shape} and image {x.shape}: templates of 1 to 3 dimensions, no "
            "more than the image has, and of at least one sample are allowed"
        )
    options = OPTIONS | {
        "mode": mode, "boundary": boundary, "axes": axes, "fill_value": fill_value, "dtype": float,
    }  # fmt: skip
    problem = prepare(x, t, tuple(options.values())).problem
    left_out = _template_mask(mask, t)
    result = _result_dtype(x.dtype, t.dtype)
    matched = _matched(t, left_out)
    if matched is None or 0 in problem.y_shape:
        return np.zeros(problem.y_shape, result)
    seen = None if left_out is None else ~left_out
    # Batch axes, then the template's in the order of the image's.
    spatial = [a.axis for a in problem.spatial]
    order = [axis for axis in range(x.ndim) if axis not in spatial] + sorted(spatial)
    turn = np.argsort(spatial)
    count = t.size if seen is None else int(seen.sum())
    values, unit = _samples(_padded(x, problem).transpose(order), count, result)
    shape = [problem.y_shape[axis] for axis in order]
    y = empty((math.prod(shape[: -t.ndim]), *shape[-t.ndim :]), result)
    _Match(
        values.reshape(len(y), *values.shape[-t.ndim :]),
        unit,
        matched.transpose(turn),
        None if seen is None else seen.transpose(turn),
        workers,
    ).fill(y)
    return np.ascontiguousarray(y.reshape(shape).transpose(np.argsort(order)))


def _result_dtype(x: np.dtype, t: np.dtype) -> np.dtype:
    wide = any(d.itemsize > (2 if is_integer(d) else 4) for d in (x, t))
    return np.dtype(np.float64 if wide else np.float32)


def _template_mask(mask: npt.ArrayLike | None, t: np.ndarray) -> np.ndarray | None:
    if mask is None:
        return None
    given = plain_array(mask, "mask")
    if given.dtype != bool:
        raise TypeError(f"mask has dtype {given.dtype}; bool is allowed, True to leave out")
    if given.shape != t.shape:
        raise ValueError(f"mask has shape {given.shape}, but the template has shape {t.shape}")
    if given.all():
        raise ValueError("mask leaves nothing of the template")
    return given if given.any() else None


def _matched(t: np.ndarray, left_out: np.ndarray | None) -> np.ndarray | None:
    """Return the template with mean 0 and norm 1, None if it is constant."""
    wide = t.astype(np.float64)
    seen = wide.ravel() if left_out is None else wide[~left_out]
    if not np.isfinite(seen).all():
        raise ValueError("template holds NaN or infinity")
    if seen.min() == seen.max():
        return None
    wide = wide / np.abs(seen).max()  # so that no square overflows
    wide -= wide.mean() if left_out is None else wide[~left_out].mean()
    if left_out is not None:
        wide[left_out] = 0
    norm = np.sqrt(np.square(wide).sum())
    return wide / norm if norm else None


class _Samples(NamedTuple):
    """Whole numbers about their mean times a unit, which makes them at most 1."""

    #: In float32 if that holds them, else float64.
    values: np.ndarray
    unit: float


def _samples(x: np.ndarray, taps: int, result: np.dtype) -> _Samples:
    """Return the samples of an image."""
    low, high, centre = _extremes(x)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("image holds NaN or infinity")
    integers = is_integer(x.dtype)
    if integers:
        centre = int(centre)
    reach = max(high - centre, centre - low)
    # The sum of the squares of a window stays below 2^62.
    bits = (61 - math.ceil(math.log2(taps))) // 2
    if result == np.float32:
        bits = min(bits, SINGLE_BITS)
    power = math.frexp(reach)[1]
    exact = integers and power <= bits
    shift = 0 if exact or reach == 0 else bits - power
    single, unit = power + shift <= SINGLE_BITS, 2.0 ** -(power + shift)
    values = empty(x.shape, np.dtype(np.float32 if single else np.float64))
    for part in _runs(x.shape):
        centred = _centred(x[part], centre)
        if not exact:
            _scale(centred, shift)
            np.rint(centred, out=centred)
        np.multiply(centred, unit, out=values[part], casting="same_kind")
    return _Samples(values, unit)


def _extremes(x: np.ndarray) -> tuple[float, float, float]:
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


def _centred(x: np.ndarray, centre: float) -> np.ndarray:
    """Return ``x`` less its centre in float32 or float64, a fresh array."""
    if is_integer(x.dtype) and x.dtype.itemsize == 8:
        # Differences wrap round, and are right again; they are rounded as floats only now.
        return (x.astype(np.uint64) - np.uint64(int(centre) % 2**64)).view(np.int64).astype(float)
    narrow = x.dtype.itemsize <= (2 if is_integer(x.dtype) else 4)
    dtype = np.dtype(np.float32 if narrow else np.float64)
    return np.subtract(x, dtype.type(centre), dtype=dtype)


def _scale(x: np.ndarray, exponent: int) -> None:
    """Multiply ``x`` by 2 to the power of an exponent."""
    if abs(exponent) <= MOST_EXPONENT:
        np.multiply(x, x.dtype.type(2.0**exponent), out=x)
    else:
        np.ldexp(x, exponent, out=x)


def _padded(x: np.ndarray, problem: Problem) -> np.ndarray:
    """Return ``x`` with its pads written out, or cropped."""
    for a in problem.spatial:
        if a.low or a.high:
            read = BOUNDARIES[a.boundary].index(np.arange(-a.low, a.size + a.high), a.size)
            x = x.take(read, a.axis)  # FILL = −1 reads the last sample
            x[(slice(None),) * a.axis + (read == FILL,)] = problem.fill_value
    return x


class _Match:
    """Coefficients of whole numbers with a template of norm 1."""

    def __init__(
        self,
        values: np.ndarray,
        unit: float,
        template: np.ndarray,
        seen: np.ndarray | None,
        workers: int | None,
    ) -> None:
        self._values = values
        self._unit = unit
        self._template = template
        self._seen = seen
        self._workers = workers
        self._absent = (1,) * (3 - template.ndim)

    def fill(self, y: np.ndarray) -> None:
        """Write the coefficients to ``y``: a batch axis, then the template's axes."""
        self._write_products(self._values, y)
        if self._seen is not None:
            for _, values, part in self._blocks(y):
                self._divide_by_seen(values, part)
            return
        far = self._divide(self._values, None, y)
        if not far.any():
            return
        # Of one row of windows the loop does not say where they are far.
        rows = len(y[0]) if y.ndim > 2 else 1
        far = far.reshape(len(y), rows, -1)
        for where, values, part in self._blocks(y, whole=rows == 1):
            if far[where].any():
                self._divide(values, self._doubled(values, part), part)

    def _blocks(
        self, y: np.ndarray, whole: bool = False
    ) -> Iterator[tuple[tuple[int, slice], np.ndarray, np.ndarray]]:
        """Yield parts of one batch item each: where, their samples and what is in ``y``."""
        span = self._template.shape[0]
        step = max(2 * span, BLOCK // math.prod(y.shape[2:]))
        step = y.shape[1] if whole else step
        for item, start in itertools.product(range(len(y)), range(0, y.shape[1], step)):
            part = y[item : item + 1, start : start + step]
            read = slice(start, start + part.shape[1] + span - 1)
            yield (item, slice(start, start + step)), self._values[item : item + 1, read], part

    def _write_products(self, values: np.ndarray, y: np.ndarray) -> None:
        """Write Σ x·t to ``y``, in its dtype."""
        correlate(
            values.astype(y.dtype, copy=False),
            self._template.astype(y.dtype),
            out=y,
            workers=self._workers,
        )

    def _doubled(self, values: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return Σ x·t in float64."""
        products = np.empty(y.shape)
        self._write_products(values, products)
        return products

    def _divide(
        self, values: np.ndarray, products: np.ndarray | None, y: np.ndarray
    ) -> npt.NDArray[np.uint8]:
        """Divide Σ x·t by the deviation of each window from its mean.

        In ``y``, but for windows that are far; or theirs, if ``products`` are given. Return in
        which rows windows are far.
        """
        seconds = y.size * SECONDS_PER_WINDOW
        count = threads.resolve(self._workers, int(seconds / MACHINE.seconds_per_thread))
        given = [None if a is None else self._in_space(a) for a in (values, products, y)]
        taps = self._absent + self._template.shape
        with threads.running() if count > 1 else nullcontext():
            far: npt.NDArray[np.uint8] = loader.native.match_coefficients(
                given[0], self._unit, taps, given[1], given[2], _far(y), count
            )
        return far

    def _in_space(self, a: np.ndarray) -> np.ndarray:
        """Return an array with the axes that its template lacks."""
        return a.reshape(a.shape[0], *self._absent, *a.shape[1:])

    def _divide_by_seen(self, values: np.ndarray, y: np.ndarray) -> None:
        """Do as `_divide`, with sums over what is seen of each window."""
        assert self._seen is not None
        x = (values / values.dtype.type(self._unit)).astype(np.int64)
        sums, squares = (
            correlate(a, self._seen, dtype=np.int64, overflow="wrap", workers=self._workers)
            for a in (x, np.square(x))
        )
        given = [
            *(a.view(np.uint64).ravel() for a in (sums, squares)), int(self._seen.sum()), self._unit
        ]  # fmt: skip
        if loader.native.divide_by_sums(*given, None, y, _far(y)):
            loader.native.divide_by_sums(*given, self._doubled(values, y), y, _far(y))


def _far(y: np.ndarray) -> float:
    """Return how much larger than its deviation a window's sum of squares may be."""
    return OFFSET**2 if y.dtype == np.float32 else math.inf


# ---- signals ------------------------------------------------------------------------------------

#: Ways to scale the correlations of signals.
SCALES = ("biased", "unbiased", "coeff")


def xcorr(
    a: npt.ArrayLike,
    b: npt.ArrayLike | None = None,
    maxlag: int | None = None,
    normalize: str | None = None,
    *,
    axis: int = -1,
    workers: int | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    r"""Correlate two signals at each lag.

    .. math:: c[k] = \sum_n a[n + k] \; \overline{b[n]}

    summed over the samples that both have: a peak at a lag :math:`k > 0` says that `a` comes
    :math:`k` samples after `b`, as in MATLAB and ObsPy. Only the lags that are asked for are
    computed.

    Parameters
    ----------
    a : array_like
        Signal, or an array of signals.
    b : array_like, optional
        Signal, or an array of them with as many; one is compared with all of `a`. By default `a`
        itself: autocorrelation.
    maxlag : int, optional
        The lags are ``-maxlag`` to ``maxlag``. By default all at which the signals overlap:
        ``-(len(b) - 1)`` to ``len(a) - 1``.
    normalize : {None, 'biased', 'unbiased', 'coeff'}, optional
        ``biased`` divides by the length of the longer signal, ``unbiased`` by the number of samples
        that overlap at each lag, ``coeff`` (also ``normalized``) by
        :math:`\sqrt{\sum |a|^2 \sum |b|^2}`, so that, but for rounding, no magnitude
        is above 1 and a signal has 1 with itself at lag 0; with a signal of zeros it is 0. None of
        them takes a mean off.
    axis : int, optional
        The axis of time, by default the last.
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    c : ndarray
        The correlations, lags along `axis`. Of integers they are exact int64 or uint64 if nothing
        normalizes them, float64 otherwise.
    lags : ndarray of int
        The lags.

    Raises
    ------
    ValueError
        For shapes that do not fit, empty signals, lags below 0 and unknown words.
    TypeError
        As for `correlate`.

    See Also
    --------
    match_template : with the mean of each window taken off.

    Examples
    --------
    >>> import numpy as np
    >>> import pyconv
    >>> pulse = np.array([0, 0, 1, 3, 2, 0, 0, 0, 0])
    >>> echo = np.roll(pulse, 3)
    >>> c, lags = pyconv.xcorr(echo, pulse, maxlag=4)
    >>> lags
    array([-4, -3, -2, -1,  0,  1,  2,  3,  4])
    >>> c
    array([ 0,  0,  0,  0,  0,  2,  9, 14,  9])
    >>> lags[c.argmax()]
    np.int64(3)
    >>> pyconv.xcorr(echo, pulse, 4, "coeff")[0].max().round(6)
    np.float64(1.0)
    """
    x = plain_array(a, "a")
    w = x if b is None else plain_array(b, "b")
    known = normalize is None or isinstance(normalize, str)
    if not known or normalize not in (None, *SCALES, "normalized"):
        raise ValueError(f"normalize={normalize!r} is unknown; allowed are None, {SCALES}")
    where = integer(axis, "axis")
    for name, array in (("a", x), ("b", w)):
        supported(array.dtype, name)
        if not array.size or not -array.ndim <= where < array.ndim:
            raise ValueError(f"{name} has shape {array.shape}: no samples along axis={axis}")
    x, w = np.moveaxis(x, where, -1), np.moveaxis(w, where if w.ndim > 1 else -1, -1)
    if w.ndim > 1 and w.shape[:-1] != x.shape[:-1]:
        raise ValueError(f"a and b have shapes {x.shape} and {w.shape}, time last: signals differ")
    lags = _lags(x.shape[-1], w.shape[-1], maxlag)
    c = np.stack([_lagged(*pair, lags, workers) for pair in _pairs(x, w)])
    c = _scaled(c, x, w, lags, normalize).reshape(*x.shape[:-1], len(lags))
    return np.moveaxis(c, -1, where), lags


def _lags(a: int, b: int, maxlag: int | None) -> npt.NDArray[np.intp]:
    if maxlag is None:
        return np.arange(1 - b, a)
    most = integer(maxlag, "maxlag")
    if not 0 <= most < MAX_COORDINATE // 8:
        raise ValueError(f"maxlag={maxlag!r}: an integer from 0 to below 2**59 is allowed")
    return np.arange(-most, most + 1)


def _pairs(x: np.ndarray, w: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the signals that are compared; all at once with a single one."""
    if w.ndim == 1:
        yield x, w
        return
    for index in np.ndindex(x.shape[:-1]):
        yield x[index], w[index]


def _lagged(
    x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    low, high = int(-lags[0]), int(lags[-1]) + len(w) - x.shape[-1]
    return correlate(x, w, [(low, high)], workers=workers)


def _scaled(
    c: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
) -> np.ndarray:
    if normalize is None:
        return c
    dtype = np.result_type(c, np.float64) if is_integer(c.dtype) else c.dtype
    a, b = x.shape[-1], w.shape[-1]
    if normalize == "biased":
        return (c / max(a, b)).astype(dtype)
    if normalize == "unbiased":
        overlap = np.minimum(a, b + lags) - np.maximum(0, lags)
        return (c / np.maximum(overlap, 1)).astype(dtype)
    norms = _norm(x) * _norm(w)
    with np.errstate(all="ignore"):
        scaled = c.reshape(*x.shape[:-1], -1) / norms
    return np.where(norms > 0, scaled, 0).astype(dtype)


def _norm(x: np.ndarray) -> np.ndarray:
    """Return the norm of each signal, where squares could overflow too."""
    wide = np.abs(x.astype(np.complex128 if x.dtype.kind == "c" else np.float64))
    largest = wide.max(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        unit = np.where(largest > 0, wide / largest, 0)
    norm: np.ndarray = largest * np.sqrt(np.square(unit).sum(axis=-1, keepdims=True))
    return norm
