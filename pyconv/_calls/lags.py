"""Lags: the correlation of two signals at each lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._calls import lag_pairs, unsound
from pyconv._calls.correlation import correlate
from pyconv._calls.missing.mask import check_seen, split_mask
from pyconv._engine.dtypes import (
    is_integer,
    native_dtype,
    natural_dtype,
    supported,
    without_options,
)
from pyconv._engine.output_arrays import is_masked, plain_array
from pyconv._engine.planning import Prepared, plan_for, prepare
from pyconv._engine.problem import MAX_COORDINATE, CallOptions, integer, several

#: Ways to scale the correlations of signals.
SCALES = ("biased", "unbiased", "coeff")
#: Part of the energy of a signal below which what is left of it is its rounding.
MIN_ENERGY = 1e-12
#: Samples of a signal of integers from which on a transform may be faster than a plain sum.
LONG = 64
#: Samples and lags of signals with missing samples below which all pairs are counted.
SHORT = 1 << 13
#: Additions that take as long as the call for a slice of them, and as a transform for a sample.
PICKED, WORK = 2000, 50
#: Proven error of sums of integers below which they are rounded to whole numbers: exactly.
WHOLE = 0.25


def xcorr(
    a: npt.ArrayLike,
    b: npt.ArrayLike | None = None,
    maxlag: int | tuple[int, int] | None = None,
    normalize: str | None = None,
    *,
    axis: int = -1,
    pairs: str | Sequence[tuple[int, int]] | None = None,
    nan_policy: str = "propagate",
    mask: npt.ArrayLike | None = None,
    b_mask: npt.ArrayLike | None = None,
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
    maxlag : int or (int, int), optional
        The lags are ``-maxlag`` to ``maxlag``, or a window from the first number to the second,
        both included. By default all at which the signals overlap: ``-(len(b) - 1)`` to
        ``len(a) - 1``.
    normalize : {None, 'biased', 'unbiased', 'coeff'}, optional
        ``biased`` divides by the length of the longer signal, ``unbiased`` by the number of samples
        that overlap at each lag, ``coeff`` (also ``normalized``) by
        :math:`\sqrt{\sum |a|^2 \sum |b|^2}`, so that, but for rounding, no magnitude
        is above 1 and a signal has 1 with itself at lag 0; with a signal of zeros it is 0. None of
        them takes a mean off. Coefficients do not depend on how large the samples are: sums beyond
        the range of their type are taken of samples times a power of two, or of integers as
        float64.
    nan_policy : {'propagate', 'raise', 'omit'}, optional
        ``propagate`` makes NaN of each lag at which a NaN is among the samples that overlap, and
        with ``coeff``, whose norms are of whole signals, of every lag. ``raise`` refuses signals
        with NaN. ``omit`` leaves out the pairs with a NaN in either signal.
    mask : array_like of bool, optional
        True for samples of `a` to leave out, as NaN under ``omit``, and of `b` where that is `a`;
        it is broadcast to the shape of `a`. A masked array brings its own.
    b_mask : array_like of bool, optional
        The same for `b`.
    axis : int, optional
        The axis of time, by default the last.
    pairs : 'all' or sequence of (int, int), optional
        Which signals are compared, of `a` and `b` with two axes at most: ``'all'`` each of `a` with
        each of `b`, or those pairs of their numbers. By default each of `a` with its own partner.
    workers : int, optional
        Threads to use at most, as for `correlate`.

    Returns
    -------
    c : ndarray
        The correlations, lags along `axis`; with `pairs` along the last axis, of shape
        ``(signals of a, signals of b, lags)`` for all and ``(pairs, lags)`` for some. Of integers
        they are exact int64 or uint64 if nothing normalizes or masks them, float64 otherwise. NaN
        where samples overlap, but no pair of them was seen.
    lags : ndarray of int
        The lags.

    Raises
    ------
    ValueError
        For shapes that do not fit, empty signals, lags below 0 and unknown words.
    TypeError
        As for `correlate`.
    OverflowError
        For integers whose sums 64 bits may not hold; not for their ``coeff``.

    See Also
    --------
    match_template : with the mean of each window taken off.
    xcorr_peak : the lag of the largest correlation, to a part of a sample.

    Notes
    -----
    Where samples are missing, a pair counts that both signals have, and all normalisations are of
    what was seen: ``biased`` divides by the number of samples seen, in the signal with more,
    ``unbiased`` by the number of pairs, and ``coeff`` at each lag by the norms without the samples
    whose partner is missing, so that no magnitude is above 1 and a signal with gaps has 1 with
    itself. Without a normalisation the sum is that of the pairs.

    With `pairs`, long signals without gaps, of floats or to be normalised, share their spectra:
    each is transformed once for all its pairs, in double precision, a segment at a time. The
    results then err by at most ten times ε log₂ L of the norms of both signals, L the points of a
    transform, where otherwise they have the bits of a call for the pair alone. Of a signal with
    itself and of two pairs that are each other's mirror image one is computed.

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

    By how many samples each of three signals comes after each other:

    >>> signals = [np.roll(np.append(pulse, np.zeros(9)), delay) for delay in (0, 3, 5)]
    >>> c, lags = pyconv.xcorr(signals, maxlag=6, pairs="all")
    >>> lags[c.argmax(axis=-1)]
    array([[ 0, -3, -5],
           [ 3,  0, -2],
           [ 5,  2,  0]])

    At lags from 2 to 4 alone:

    >>> pyconv.xcorr(echo, pulse, maxlag=(2, 4))
    (array([ 9, 14,  9]), array([2, 3, 4]))
    """
    if b is None and b_mask is not None:
        raise ValueError("b_mask is given, but b is not; mask is for both then")
    x, x_missing = _split(a, mask, "a", "mask")
    w, w_missing = (x, x_missing) if b is None else _split(b, b_mask, "b", "b_mask")
    known = normalize is None or isinstance(normalize, str)
    if not known or normalize not in (None, *SCALES, "normalized"):
        raise ValueError(
            f"normalize={normalize!r} is unknown; allowed are None, {', '.join(SCALES)}, normalized"
        )
    where = integer(axis, "axis")
    for name, array in (("a", x), ("b", w)):
        supported(array.dtype, name)
        alone = name == "b" and array.ndim == 1  # with time along its only axis
        if array.ndim and not alone and not -array.ndim <= where < array.ndim:
            raise ValueError(
                f"axis={axis!r}, but {name} has shape {array.shape}: from {-array.ndim} to "
                f"{array.ndim - 1} are allowed"
            )
        if not array.size or not array.ndim:
            raise ValueError(f"{name} has shape {array.shape}: no samples along axis={axis}")
    check_seen(nan_policy, x, x_missing, "a")
    check_seen(nan_policy, w, w_missing, "b")
    masked = x_missing is not None or w_missing is not None
    if nan_policy == "omit":
        x_missing, w_missing = _with_nan(x, x_missing), _with_nan(w, w_missing)
    first = _signal(x, x_missing, where)
    second = first if b is None else _signal(w, w_missing, where if w.ndim > 1 else -1)
    shapes = first.samples.shape, second.samples.shape
    indices = _pairs_of(pairs, *shapes)
    lags = _lags(shapes[0][-1], shapes[1][-1], maxlag)
    try:
        if indices is None:
            solve = _coefficients if normalize in ("coeff", "normalized") else _correlations
            c = _with_last(solve(first, second, lags, normalize, workers), -1, where)
        else:
            c = _paired(first, second, lags, normalize, indices, workers)
            c = c.reshape(*_counts(*shapes), len(lags)) if isinstance(pairs, str) else c
    except OverflowError as error:
        raise without_options(error) from None
    return c.astype(np.float64) if masked and is_integer(c.dtype) else c, lags


@dataclass(eq=False)
class _Signal:
    """Signals with time along the last axis."""

    #: With zeros where samples are missing.
    samples: np.ndarray
    #: Where they are not; None for everywhere.
    seen: np.ndarray | None

    @cached_property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """The largest magnitude in each signal, and its norm, where squares could overflow too."""
        with np.errstate(all="ignore"):
            unit, largest = _magnitudes(self.samples)
            squares = np.square(unit, out=unit)
            return largest, largest * np.sqrt(np.add.reduce(squares, -1, keepdims=True))

    @cached_property
    def is_finite(self) -> bool:
        """Whether no sample is NaN or infinite."""
        return bool(np.isfinite(self.samples).all())

    def where_seen(self) -> np.ndarray:
        """Return 1 where samples were seen, else 0."""
        seen = np.ones(self.samples.shape, np.bool) if self.seen is None else self.seen
        return seen.astype(np.float64)

    def as_float(self) -> _Signal:
        """Return signals of integers as float64."""
        return _Signal(self.samples.astype(np.float64), self.seen)


def _in_range(a: _Signal, b: _Signal) -> tuple[_Signal, _Signal]:
    """Return signals with the same coefficients whose sums of products are numbers of their type.

    Those that are too loud or too quiet are multiplied by a power of two, which rounds nothing.
    """
    dtype = native_dtype(natural_dtype(a.samples.dtype, b.samples.dtype))
    if is_integer(dtype):
        return a, b
    longest = max(a.samples.shape[-1], b.samples.shape[-1]).bit_length()
    low, high = _exponents(dtype, longest)
    first = _between(a, low, high, dtype)
    return first, first if b is a else _between(b, low, high, dtype)


@lru_cache(maxsize=64)
def _exponents(dtype: np.dtype, longest: int) -> tuple[int, int]:
    """Return the least and the largest exponent of signals with so many bits of samples."""
    result = np.finfo(dtype)
    # A transform multiplies by the number of samples up to four times before it divides by it;
    # halves are summed as singles, and no sum is above the product of the norms.
    growth = 2 if dtype == np.float16 else 4 * longest + 2
    return (result.minexp + result.nmant) // 2, (result.maxexp - growth) // 2


def _coefficients(
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
    workers: int | None,
) -> np.ndarray:
    """Return the correlations of signals of any scale."""
    a, b = _in_range(a, b)
    try:
        return _correlations(a, b, lags, normalize, workers)
    except OverflowError:  # sums of integers beyond 64 bits; what they are divided to is none
        first = a.as_float()
        second = first if b is a else b.as_float()
        return _correlations(first, second, lags, normalize, workers)


def _correlations(
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
    workers: int | None,
) -> np.ndarray:
    if a.seen is None and b.seen is None:
        return _scaled(_products(a.samples, b.samples, lags, workers), a, b, lags, normalize)
    return _scaled_by_seen(a, b, lags, normalize, workers)


def _between(signal: _Signal, low: int, high: int, dtype: np.dtype) -> _Signal:
    """Return signals whose largest samples, norms of halves, have exponents in a range."""
    least, most = 2.0 ** (low - 1), 2.0**high
    size = signal.sizes[dtype == np.float16]
    if least <= np.minimum.reduce(size, None) and np.maximum.reduce(size, None) < most:
        return signal
    x = signal.samples
    parts = (x.real, x.imag) if x.dtype.kind == "c" else (x,)
    if dtype != np.float16:
        size = _largest(parts)
    within = ((least <= size) & (size < most)) | (size == 0) | ~np.isfinite(size)
    if within.all():
        return signal
    own = np.finfo(dtype).dtype  # of the parts of complex samples
    exponents = np.frexp(size)[1]
    # Loud halves stay as loud as they may be: quieter ones are rounded more.
    usual = high if dtype == np.float16 else min(0, high)
    shifts = np.where(within, 0, usual - exponents)
    with np.errstate(all="ignore"):  # the quietest samples of a loud signal may become 0
        scaled = [np.ldexp(part.astype(own), shifts) for part in parts]
    if len(scaled) == 1:
        return _Signal(scaled[0], signal.seen)
    samples = np.empty(x.shape, np.result_type(own, np.complex64))
    samples.real, samples.imag = scaled
    return _Signal(samples, signal.seen)


def _largest(parts: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the largest magnitude in each signal, of its real and its imaginary part."""
    magnitudes = []
    for part in parts:
        ends = (
            np.maximum.reduce(part, -1, keepdims=True),
            np.minimum.reduce(part, -1, keepdims=True),
        )
        top, bottom = (end.astype(np.float64) for end in ends)
        magnitudes.append(np.maximum(top, -bottom))
    return magnitudes[0] if len(magnitudes) == 1 else np.maximum(*magnitudes)


def _split(
    a: npt.ArrayLike, mask: npt.ArrayLike | None, name: str, mask_name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    return split_mask(a if is_masked(a) else plain_array(a, name), mask, name, mask_name)


def _with_nan(x: np.ndarray, missing: np.ndarray | None) -> np.ndarray | None:
    """Return where samples are missing, those that are NaN among them."""
    if x.dtype.kind not in "fc":
        return missing
    nan = np.isnan(x)
    return nan if missing is None else nan | missing


def _signal(x: np.ndarray, missing: np.ndarray | None, axis: int) -> _Signal:
    x = _with_last(x, axis, -1)
    if missing is None or not missing.any():
        return _Signal(x, None)
    missing = _with_last(missing, axis, -1)
    return _Signal(np.where(missing, np.zeros((), x.dtype), x), ~missing)


def _with_last(a: np.ndarray, source: int, target: int) -> np.ndarray:
    """Return an array with one axis in another place; a lone one stays, without a word to NumPy."""
    return a if a.ndim == 1 else np.moveaxis(a, source, target)


def _lags(a: int, b: int, maxlag: int | tuple[int, int] | None) -> npt.NDArray[np.intp]:
    if maxlag is None:
        return np.arange(1 - b, a)
    ends = several(maxlag)
    if ends is not None:
        if len(ends) != 2:
            raise ValueError(f"maxlag={maxlag!r}: an integer or the two ends of a window")
        low, high = (integer(end, "maxlag") for end in ends)
        if not -MAX_COORDINATE // 8 < low <= high < MAX_COORDINATE // 8:
            raise ValueError(
                f"maxlag={maxlag!r}: a window from the lesser to the greater of two lags below "
                "2**59 is allowed"
            )
        try:
            return np.arange(low, high + 1)
        except MemoryError:
            raise MemoryError(
                f"maxlag={maxlag!r} asks for {high - low + 1} lags, which memory does not hold"
            ) from None
    most = integer(maxlag, "maxlag")
    if not 0 <= most < MAX_COORDINATE // 8:
        raise ValueError(f"maxlag={maxlag!r}: an integer from 0 to below 2**59 is allowed")
    try:
        return np.arange(-most, most + 1)
    except MemoryError:
        raise MemoryError(
            f"maxlag={maxlag!r} asks for {2 * most + 1} lags, which memory does not hold; signals "
            f"of {a} and {b} samples overlap at lags from {1 - b} to {a - 1}"
        ) from None


def _counts(a: tuple[int, ...], b: tuple[int, ...]) -> list[int]:
    """Return how many signals there are in arrays of two axes at most, time last."""
    return [1 if len(shape) == 1 else shape[0] for shape in (a, b)]


def _pairs_of(
    pairs: object, a: tuple[int, ...], b: tuple[int, ...]
) -> list[tuple[int, int]] | None:
    """Return the numbers of the signals of each pair; None for each with its own partner.

    Arrays have these shapes.
    """
    if pairs is None:
        if len(b) > 1 and b[:-1] != a[:-1]:
            raise ValueError(f"a and b have shapes {a} and {b}, time last: signals differ")
        return None
    if max(len(a), len(b)) > 2:
        raise ValueError(
            f"a and b have shapes {a} and {b}, time last; with pairs two axes at most are allowed"
        )
    counts = _counts(a, b)
    if isinstance(pairs, str):
        if pairs != "all":
            raise ValueError(f"pairs={pairs!r} is unknown; allowed are 'all' and pairs of numbers")
        return [(i, j) for i in range(counts[0]) for j in range(counts[1])]
    entries = several(pairs)
    if entries is None or any(len(several(entry) or ()) != 2 for entry in entries):
        raise ValueError(f"pairs={pairs!r}: 'all' or a sequence of pairs of numbers is allowed")
    indices = [(integer(i, "pairs"), integer(j, "pairs")) for i, j in entries]
    for i, j in indices:
        if not (0 <= i < counts[0] and 0 <= j < counts[1]):
            raise ValueError(
                f"pairs has {(i, j)}, but a has {counts[0]} signals and b has {counts[1]}"
            )
    return indices


def _paired(
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
    pairs: list[tuple[int, int]],
    workers: int | None,
) -> np.ndarray:
    """Return the correlations of some pairs of signals."""
    coefficients = normalize in ("coeff", "normalized")
    if coefficients:
        a, b = _in_range(a, b)
    dtype = native_dtype(natural_dtype(a.samples.dtype, b.samples.dtype))
    if normalize is not None and is_integer(dtype):
        dtype = np.dtype(np.float64)
    ours = _items(a)
    theirs = ours if a is b else _items(b)
    mirrored = a is b and lags[0] == -lags[-1]
    done: dict[tuple[int, int], np.ndarray] = {}
    wanted = list(dict.fromkeys(
        (i, j) if not mirrored or i <= j else (j, i) for i, j in pairs
    ))  # fmt: skip
    shared = []
    lengths = a.samples.shape[-1], b.samples.shape[-1]
    if (
        dtype.kind in "fc"
        and dtype != np.float16
        and (min(lengths) >= lag_pairs.LONG and len(lags) >= lag_pairs.MANY)
    ):
        shared = [
            (i, j) for i, j in wanted
            if ours[i].seen is None and theirs[j].seen is None
            and ours[i].is_finite and theirs[j].is_finite
        ]  # fmt: skip
    if shared:
        rows = lag_pairs.products(np.atleast_2d(a.samples), np.atleast_2d(b.samples), lags, shared)
        with np.errstate(all="ignore"):
            rows = rows.astype(dtype)
        for (i, j), row in zip(shared, rows, strict=True):
            done[i, j] = _scaled(row, ours[i], theirs[j], lags, normalize)
    solve = _coefficients if coefficients else _correlations
    for i, j in wanted:
        if (i, j) not in done:
            done[i, j] = solve(ours[i], theirs[j], lags, normalize, workers)
    # Of integers those without gaps are exact, others are not.
    c = np.empty((len(pairs), len(lags)), np.result_type(*(d.dtype for d in done.values()), dtype))
    for row, (i, j) in zip(c, pairs, strict=True):
        found = done.get((i, j))
        row[:] = done[j, i][::-1].conj() if found is None else found
    return c


def _items(a: _Signal) -> list[_Signal]:
    """Return each signal by itself; those without gaps say so."""
    samples = np.atleast_2d(a.samples)
    if a.seen is None:
        return [_Signal(x, None) for x in samples]
    return [
        _Signal(x, None if seen.all() else seen)
        for x, seen in zip(samples, np.atleast_2d(a.seen), strict=True)
    ]


def _products(
    x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    """Return the sums of products of signals at each lag."""
    if w.ndim == 1:
        return _lagged(x, w, lags, workers)
    signals, others = (np.ascontiguousarray(a).reshape(-1, a.shape[-1]) for a in (x, w))
    c = _of_pairs(signals, others, lags, workers)
    return c.reshape(*x.shape[:-1], len(lags))


def _of_pairs(
    x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    """Return the sums of products of each signal with its own partner; the pairs share a plan."""
    prepared = _prepared(x[0], w[0], lags)
    c = np.zeros((len(x), len(lags)), prepared.problem.dtype)
    if 1 in (x.shape[-1], w.shape[-1]) and c.dtype.kind != "c" and not _overflows(x, w):
        _multiply(x, w, c, lags)
        return c
    integers = is_integer(x.dtype) and is_integer(w.dtype)
    unfit = ~(np.isfinite(x).all(axis=-1) & np.isfinite(w).all(axis=-1))
    # Longer partners are exchanged with their signals, and long integers summed by transforms.
    if w.shape[-1] > x.shape[-1] or (integers and w.shape[-1] >= LONG):
        unfit[:] = True
    for i in range(len(x)):
        if unfit[i]:
            c[i] = _lagged(x[i], w[i], lags, workers)
        else:
            plan = prepared.settled or prepared.plan(x[i], w[i])
            plan.solve(x[i], w[i], c[i], workers)
    return c


def _overflows(x: np.ndarray, w: np.ndarray) -> bool:
    """Return whether a product of integers may be larger than 64 bits hold."""
    if not (is_integer(x.dtype) and is_integer(w.dtype)):
        return False
    most, other = (max(abs(int(a.min())), abs(int(a.max()))) for a in (x, w))
    return most * other >= 2**62 or max(most, other) >= 2**62


def _multiply(x: np.ndarray, w: np.ndarray, c: np.ndarray, lags: npt.NDArray[np.intp]) -> None:
    """Add the products at each lag to ``c``, one at most: signals or partners have one sample."""
    n, k = x.shape[-1], w.shape[-1]
    first = int(lags[0])
    low, high = max(first, 1 - k), min(int(lags[-1]) + 1, n)
    if low < high:
        turned = w[:, ::-1]
        at = slice(low + k - 1, high + k - 1) if n == 1 else slice(low, high)
        read, weights = (x, turned[:, at]) if n == 1 else (x[:, at], turned)
        with np.errstate(all="ignore"):
            c[:, low - first : high - first] += read.astype(c.dtype) * weights.astype(c.dtype)


def _lagged(
    x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    if not unsound.unsound(x, w):
        return _sums(x, w, lags, workers)

    def sums(x: np.ndarray, turned: np.ndarray) -> np.ndarray:
        return _sums(x, np.conj(turned.ravel()[::-1]), lags, workers)

    turned = np.conj(w[::-1]).reshape((1,) * (x.ndim - 1) + w.shape)
    start = len(w) - 1 + int(lags[0])
    return unsound.convolve(x, turned, (x.ndim - 1,), (start,), sums, sums)


def _sums(
    x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    """Return the sums of products of finite signals at each lag, exact ones of integers."""
    pads = _pads(x, w, lags)
    if is_integer(x.dtype) and is_integer(w.dtype) and len(w) >= LONG:
        a, b = x.astype(np.float64), w.astype(np.float64)
        bound = plan_for(a, b, mode=pads)
        size = float(np.abs(a).max()) * float(np.abs(b).sum())
        # Where a transform errs by less than half a unit, as proven, the sums are whole numbers.
        if bound.algorithm.error_bound(bound.problem) * size < WHOLE and size < 2.0**52:
            sums = np.rint(bound.solve(a, b, None, workers))
            return sums.astype(_prepared(x, w, lags).problem.dtype)
    return correlate(x, w, pads, workers=workers)


def _prepared(x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp]) -> Prepared:
    """Return the prepared problem of the sums at each lag."""
    return prepare(x, w, CallOptions(mode=_pads(x, w, lags)))


def _pads(x: np.ndarray, w: np.ndarray, lags: npt.NDArray[np.intp]) -> tuple[tuple[int, int]]:
    return ((int(-lags[0]), int(lags[-1]) + len(w) - x.shape[-1]),)


def _overlap(a: int, b: int, lags: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the number of samples that overlap at each lag."""
    return np.maximum(np.minimum(a, b + lags) - np.maximum(0, lags), 0)


def _scaled(
    c: np.ndarray,
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
) -> np.ndarray:
    if normalize is None:
        return c
    dtype = np.result_type(c, np.float64) if is_integer(c.dtype) else c.dtype
    lengths = a.samples.shape[-1], b.samples.shape[-1]
    if normalize == "biased":
        return (c / max(lengths)).astype(dtype)
    if normalize == "unbiased":
        return (c / np.maximum(_overlap(*lengths, lags), 1)).astype(dtype)
    with np.errstate(all="ignore"):
        norms = a.sizes[1] * b.sizes[1]
        scaled = c / norms
    return np.where(norms == 0, 0, scaled).astype(dtype)


def _magnitudes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the magnitudes of each signal as parts of its largest, and that."""
    wide = np.abs(x.astype(np.complex128 if x.dtype.kind == "c" else np.float64))
    largest = np.maximum.reduce(wide, -1, keepdims=True)
    return np.divide(wide, np.where(largest == 0, 1, largest), out=wide), largest


def _scaled_by_seen(
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    normalize: str | None,
    workers: int | None,
) -> np.ndarray:
    """Return the correlations of the pairs that were seen."""
    c = _products(a.samples, b.samples, lags, workers)
    c = c.astype(np.float64) if is_integer(c.dtype) else c
    if normalize == "biased":
        counts = np.maximum(_count(a), _count(b))
        scaled = c / np.maximum(counts, 1)[..., np.newaxis]
    elif normalize == "unbiased":
        scaled = c / np.maximum(_pairs(a, b, lags, workers), 1)
    elif normalize is None:
        scaled = c
    else:
        with np.errstate(all="ignore"):
            unit, largest = _magnitudes(a.samples)
            other, other_largest = _magnitudes(b.samples)
        squares, other_squares = np.square(unit), np.square(other)
        total = squares.sum(axis=-1, keepdims=True)
        other_total = other_squares.sum(axis=-1, keepdims=True)
        energy = _energy(squares, b, lags, workers)
        if a is b and lags[0] == -lags[-1]:
            other_energy = energy[..., ::-1]  # as the lags are
        else:  # at the lags of the other signal
            other_energy = _energy(other_squares, a, -lags[::-1], workers)[..., ::-1]
        small = (energy <= MIN_ENERGY * total) | (other_energy <= MIN_ENERGY * other_total)
        with np.errstate(all="ignore"):
            scaled = c / (largest * np.sqrt(energy) * (other_largest * np.sqrt(other_energy)))
        scaled = np.where(small, 0, scaled)
    scaled = scaled.astype(c.dtype)
    _leave_out_unseen(scaled, a, b, lags, workers)
    return scaled


def _count(a: _Signal) -> np.ndarray | int:
    """Return the number of samples that were seen in each signal."""
    return a.samples.shape[-1] if a.seen is None else np.count_nonzero(a.seen, axis=-1)


def _pairs(a: _Signal, b: _Signal, lags: npt.NDArray[np.intp], workers: int | None) -> np.ndarray:
    """Return the number of pairs that were seen at each lag."""
    pairs: np.ndarray = np.rint(_products(a.where_seen(), b.where_seen(), lags, workers))
    return pairs


def _leave_out_unseen(
    c: np.ndarray,
    a: _Signal,
    b: _Signal,
    lags: npt.NDArray[np.intp],
    workers: int | None,
) -> None:
    """Write NaN where samples overlap, but no pair of them was seen."""
    n, k = a.samples.shape[-1], b.samples.shape[-1]
    missing = int(np.max(n - _count(a))) + int(np.max(k - _count(b)))
    first, last = int(lags[0]), int(lags[-1])
    # Between these lags more samples overlap than are missing.
    low, high = missing - k + 1, n - missing - 1
    if 4 * missing > min(n, k) or ((first < low or last > high) and n + len(lags) < SHORT):
        c[(_pairs(a, b, lags, workers) == 0) & (_overlap(n, k, lags) > 0)] = np.nan
        return
    head, tail = slice(missing), slice(-missing, None)
    for start, stop, ends, shift in (
        (max(first, 1 - k), min(last + 1, low), (head, tail), k - missing),
        (max(first, high + 1), min(last + 1, n), (tail, head), missing - n),
    ):
        if start < stop:
            of_a, of_b = _part(a, ends[0]), _part(b, ends[1])
            unseen = _pairs(of_a, of_b, np.arange(start, stop) + shift, workers) == 0
            c[..., start - first : stop - first][unseen] = np.nan


def _part(a: _Signal, where: slice) -> _Signal:
    return _Signal(a.samples[..., where], None if a.seen is None else a.seen[..., where])


def _energy(
    squares: np.ndarray, partner: _Signal, lags: npt.NDArray[np.intp], workers: int | None
) -> np.ndarray:
    """Return the energy at each lag of the samples whose partner is not missing.

    That of the others is taken off all of it, unless little is left: then its rounding is not small
    beside what is left, which is summed.
    """
    total: np.ndarray = squares.sum(axis=-1, keepdims=True)
    if partner.seen is None:
        return total
    n, missing = squares.shape[-1], ~partner.seen
    many = np.count_nonzero(missing)
    if 2 * many < missing.size:
        if missing.ndim == 1 and many * (len(lags) + PICKED) < WORK * (n + len(lags)):
            lost = _picked(squares, np.flatnonzero(missing), lags)
        elif missing.ndim < squares.ndim:
            lost = _products(squares, missing.astype(np.float64), lags, workers)
        else:  # no sample is loud, which a transform would sum apart
            lost = _products(missing.astype(np.float64), squares, -lags[::-1], workers)[..., ::-1]
        energy: np.ndarray = total - lost
        if np.all(energy >= total / 4):
            return energy
    where = partner.where_seen()
    if where.ndim <= squares.ndim:
        energy = _products(squares, where, lags, workers)
    else:
        energy = _products(where, squares, -lags[::-1], workers)[..., ::-1]
    return energy + _outside(squares, where.shape[-1], lags)


def _picked(
    squares: np.ndarray, places: npt.NDArray[np.intp], lags: npt.NDArray[np.intp]
) -> np.ndarray:
    """Return the sum of the squares that are at some places, moved by each lag."""
    n, first, count = squares.shape[-1], int(lags[0]), len(lags)
    total = np.zeros((*squares.shape[:-1], count))
    for place in places.tolist():
        low, high = max(0, place + first), min(n, place + first + count)
        if low < high:
            total[..., low - place - first : high - place - first] += squares[..., low:high]
    return total


def _outside(squares: np.ndarray, other: int, lags: npt.NDArray[np.intp]) -> np.ndarray:
    """Return the energy of the samples that overlap none of ``other`` samples at each lag."""
    n = squares.shape[-1]
    edge = np.zeros((*squares.shape[:-1], 1))
    before = np.concatenate([edge, np.cumsum(squares, axis=-1)], axis=-1)
    behind = np.concatenate([edge, np.cumsum(squares[..., ::-1], axis=-1)], axis=-1)[..., ::-1]
    low = np.clip(lags, 0, n)
    high = np.clip(other + lags, 0, n)
    energy: np.ndarray = before[..., low] + behind[..., high]
    return energy
