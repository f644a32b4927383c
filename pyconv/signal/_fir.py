"""lfilter, filtfilt and their initial states of `scipy.signal`: filters without feedback are ours.

    y[n] = Σ_u b[u] / a[0] · x[n − u]

The state of such a filter is the part of its full convolution that comes after the last sample. A
filter with feedback (more than one coefficient in `a`) is SciPy's.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv._dask.door import in_pieces, is_planned
from pyconv._engine import banks
from pyconv._engine.bank_loop import filtered_each
from pyconv._engine.output_arrays import plain_array
from pyconv._engine.planning import prepare
from pyconv.signal._lines import (
    Array,
    along,
    convolved,
    is_axis,
    is_finite,
    options_of,
    sums_plainly,
    taken,
)

#: SciPy's own functions, whatever is put in their place later.
_scipy_lfilter, _scipy_filtfilt = scipy.signal.lfilter, scipy.signal.filtfilt
_scipy_lfiltic, _scipy_lfilter_zi = scipy.signal.lfiltic, scipy.signal.lfilter_zi

#: Taps of a bank up to which lines are summed side by side; longer ones one by one, which may go
#: through a transform.
MOST_OF_A_BANK = 512
#: Dtypes of results, by their characters.
FLOATS = frozenset("fdFD")


def lfilter(
    b: npt.ArrayLike,
    a: npt.ArrayLike,
    x: npt.ArrayLike,
    axis: int = -1,
    zi: npt.ArrayLike | None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    overflow: str = "raise",
    rounding: str | None = None,
) -> Array | tuple[Array, Array]:
    r"""Filter along an axis.

    .. math:: a[0] \; y[n] = \sum_u b[u] \; x[n - u] - \sum_{v \ge 1} a[v] \; y[n - v]

    Parameters
    ----------
    b : array_like
        The weights of the samples, of one dimension; or one filter for each channel, taps last:
        `b` without its last axis is broadcast to `x` without `axis`.
    a : array_like
        The weights of earlier outputs, which the first one divides all others by. With one
        coefficient the filter has a finite response, and is summed here; others are SciPy's.
    x : array_like
        The samples.
    axis : int, optional
        The axis that is filtered.
    zi : array_like, optional
        The state before the first sample, with ``max(len(a), len(b)) - 1`` entries along `axis`
        and one or as many as `x` along the others: what is added to the first outputs.
    dtype : dtype, optional
        Dtype of the result, which is then that of `pyconv.convolve`: integer samples under integer
        weights are summed exactly, and other sums become integers once, half to even or as
        `rounding` says. Beside it `a` has one coefficient, which divides the weights unless it is
        1, and there is no `zi`.
    overflow : {'raise', 'wrap', 'saturate'}, optional
        What happens where an integer result cannot hold the sum, as in `pyconv.convolve`. It needs
        a `dtype`.
    rounding : {'half_even', 'towards_zero'}, optional
        How sums become integers of a `dtype`, to the bit; see `pyconv.correlate`.

    Returns
    -------
    y : ndarray
        The filtered samples, of the dtype ``np.result_type(b, a, x, zi)`` if none is asked for.
    zf : ndarray
        The state after the last sample, if `zi` was given.

    Raises
    ------
    ValueError
        For dimensions and shapes that are not allowed; for `zi`, or feedback, beside `dtype`.
    NotImplementedError
        Where the result would be of integers, and no `dtype` asks for it.
    TypeError
        For a `dtype` that cannot hold the result, and for `overflow` or `rounding` without one.
    OverflowError
        Under ``overflow='raise'``, if an integer result might not hold the exact sum.

    See Also
    --------
    pyconv.correlate_each : other extents and boundaries, one filter for each channel.
    scipy.signal.lfilter : the same signature, with every parameter at length.

    Notes
    -----
    Of float32 samples the result is float32 if `b` and `a` are arrays of float32, too; a number
    for `a` makes it float64, as in SciPy. Filters of more than 128 taps, along other axes than the
    last one of more than 400, may go through a transform where that is faster, with an error that
    is expected to stay within 64 units of rounding of ``sum|b|`` times the largest sample that an
    output reads. One filter for each channel, and the keywords behind `zi`, are not of SciPy's
    function; weights have to be finite for these. A `dtype` has `b` and `x` decide alone in which
    precision is summed, whatever `a` is: samples of int16 under weights of float32 in float32.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.lfilter([1.0, -1.0], 1.0, [1.0, 4.0, 9.0])
    array([1., 3., 5.])

    In two pieces:

    >>> y, state = signal.lfilter([1.0, -1.0], 1.0, [1.0, 4.0], zi=[0.0])
    >>> signal.lfilter([1.0, -1.0], 1.0, [9.0], zi=state)[0]
    array([5.])

    One filter for each of two channels:

    >>> signal.lfilter([[1.0, -1.0], [0.5, 0.5]], 1.0, [[1.0, 4.0, 9.0], [1.0, 4.0, 9.0]])
    array([[1. , 3. , 5. ],
           [0.5, 2.5, 6.5]])

    From 16 bits to 16 bits:

    >>> import numpy as np
    >>> x = np.array([100, 200, 301], np.int16)
    >>> signal.lfilter([0.5, 0.5], 1, x, dtype=np.int16)
    array([ 50, 150, 250], dtype=int16)
    """
    if dtype is not None or rounding is not None or overflow != "raise":
        return _of_dtype(b, a, x, axis, zi, dtype, overflow, rounding)
    if type(x) is not np.ndarray and is_planned(x):
        return in_pieces("line", lfilter, x, ("b", "a", "axis", "zi"), (b, a, axis, zi))
    weights, divisors, samples = np.atleast_1d(b), np.atleast_1d(a), np.asarray(x)
    state = None if zi is None else np.asarray(zi)
    whole = normalised(weights, divisors, samples, axis, state)
    if whole is None:
        if weights.ndim > 1:  # SciPy has one filter alone
            raise _bank_refusal(weights, divisors, samples, axis, state)
        return _scipy_lfilter(b, a, x, axis, zi)
    axis = operator.index(axis) % samples.ndim
    if weights.ndim > 1:
        return _bank(whole, samples, axis, state)
    n, after = samples.shape[axis], whole.size - 1
    y = convolved(samples, whole, axis, (after, 0), dtype=whole.dtype)
    if state is None:
        return y
    ndim, length = samples.ndim, min(n, after)
    y[along(axis, ndim, None, length)] += state[along(axis, ndim, None, length)]
    return y, _state_after(whole, samples, axis, state)


def _of_dtype(
    b: Any, a: Any, x: Any, axis: Any, zi: Any, dtype: Any, overflow: Any, rounding: Any
) -> Array:
    """Return the samples, filtered and of a dtype that is asked for."""
    if dtype is None:
        raise TypeError(
            f"overflow={overflow!r}, rounding={rounding!r}: they say how results become those of a "
            "dtype; pass dtype="
        )
    if is_planned(x):
        raise TypeError(
            f"dtype={dtype!r}: lfilter makes no results of a dtype of arrays of chunks; "
            "pyconv.convolve(x, b, ((len(b) - 1, 0),), axes=axis, dtype=…) does"
        )
    weights, samples = np.atleast_1d(b), plain_array(x, "x")
    _check_of_dtype(weights, np.atleast_1d(a), samples, axis, zi)
    (divisor,) = np.atleast_1d(a)
    if divisor != 1:
        with np.errstate(all="ignore"):
            weights = weights / divisor
    if weights.dtype.kind in "fc" and not is_finite(weights):
        raise _not_finite(divisor)
    axis, taps = operator.index(axis) % samples.ndim, weights.shape[-1]
    plain = sums_plainly(taps, 1, "constant", across=axis != samples.ndim - 1)
    options = options_of(axis, (taps - 1, 0), dtype=dtype, plain=plain)
    options = options._replace(overflow=overflow, rounding=rounding)
    if weights.ndim == 1:
        return prepare(samples, weights, options).run(samples, weights)
    return banks.prepare(samples, weights, axis, options).run(samples, weights, None, None)


def _check_of_dtype(b: Array, a: Array, x: Array, axis: Any, zi: Any) -> None:
    """Raise ValueError for a call that has no result of a dtype that is asked for."""
    if a.shape != (1,):
        raise ValueError(f"a has shape {a.shape}: one coefficient is allowed beside dtype=")
    if zi is not None:
        raise ValueError(
            f"zi has shape {np.shape(zi)}: none is allowed beside dtype=, as a state is not "
            "rounded; put the samples before the first one in front of x instead"
        )
    if not is_axis(axis, x.ndim):
        raise ValueError(f"axis={axis!r}: x has axes {-x.ndim} to {x.ndim - 1}")
    at = operator.index(axis) % x.ndim
    lines = [n for k, n in enumerate(x.shape) if k != at]
    if not banks.reaches(b.shape[:-1], lines):
        raise _misfit(b, lines, axis)
    if not b.size:
        raise ValueError(f"b has shape {b.shape}: at least one weight is needed")


def _misfit(b: Array, lines: list[int], axis: object) -> ValueError:
    """Return the error of filters that are not broadcast to the lines."""
    return ValueError(
        f"b has shape {b.shape}, filters of {b.shape[-1]} taps: without its last axis it has "
        f"to be broadcast to {tuple(lines)}, the shape of x without axis={axis}"
    )


def _not_finite(a: object) -> ValueError:
    return ValueError(f"b / a has weights that are not finite (a={a})")


def normalised(b: Array, a: Array, x: Array, axis: object, zi: Array | None) -> Array | None:
    """Return the weights in the dtype of the result, divided; None for calls that are SciPy's.

    Among those is whatever raises an error.
    """
    if a.shape != (1,) or not is_axis(axis, x.ndim) or not taken(b, x):
        return None
    if zi is None:
        dtype = np.result_type(b, a, x)
    else:
        dtype = np.result_type(b, a, x, zi)
    if dtype.char not in FLOATS:
        return None
    lines = list(x.shape)
    del lines[operator.index(axis)]  # type: ignore[arg-type]
    if b.ndim > 1 and not banks.reaches(b.shape[:-1], lines):
        return None
    if zi is not None and not _is_state(zi, b.shape[-1] - 1, x.shape, operator.index(axis)):  # type: ignore[arg-type]
        return None
    return _divided(b, a, dtype)


def _bank_refusal(b: Array, a: Array, x: Array, axis: object, zi: Array | None) -> Exception:
    """Return the error of a call with one filter for each channel."""
    if x.ndim == 1:  # as SciPy says it, of which programs read the first words
        return ValueError(
            f"Parameter b is not a non-empty 1d array, since b.shape={b.shape}: x is one line, "
            "which takes one filter"
        )
    if a.shape != (1,):
        return ValueError(
            f"a has shape {a.shape}: one coefficient is allowed beside one filter for each channel"
        )
    if not is_axis(axis, x.ndim):
        return ValueError(f"axis={axis!r}: x has axes {-x.ndim} to {x.ndim - 1}")
    given = [each for each in (b, a, x, zi) if each is not None]
    if np.result_type(*given).char not in FLOATS or not taken(*(g for g in given if g.size)):
        kinds = ", ".join(str(each.dtype) for each in given)
        return NotImplementedError(
            f"b, a, x (and zi) have the dtypes {kinds}: float32, float64, complex64 and complex128 "
            "results are allowed, as in scipy.signal"
        )
    if not b.size or not x.size:
        return ValueError(f"b of shape {b.shape} and x of shape {x.shape}: neither may be empty")
    at = operator.index(axis) % x.ndim  # type: ignore[arg-type]
    lines = [n for k, n in enumerate(x.shape) if k != at]
    if not banks.reaches(b.shape[:-1], lines):
        return _misfit(b, lines, axis)
    if zi is not None and not _is_state(zi, b.shape[-1] - 1, x.shape, at):
        expected = (*x.shape[:at], b.shape[-1] - 1, *x.shape[at + 1 :])
        return ValueError(f"zi has shape {zi.shape}: {expected} is allowed, or 1 along other axes")
    return _not_finite(a[0])


def _divided(b: Array, a: Array, dtype: np.dtype) -> Array | None:
    """Return the weights of a filter without feedback; None if they are not all finite."""
    w = b.astype(dtype)
    if a[0] != 1:
        with np.errstate(all="ignore"):
            w /= a[0].astype(dtype)
    return w if is_finite(w) else None


def _is_state(zi: Array, length: int, shape: tuple[int, ...], axis: int) -> bool:
    """Return whether a state is that of a filter, with one or as many entries along each axis."""
    if zi.ndim != len(shape):
        return False
    axis %= zi.ndim
    return zi.shape[axis] == length and all(
        k == axis or size in (1, n) for k, (size, n) in enumerate(zip(zi.shape, shape, strict=True))
    )


def _state_after(w: Array, x: Array, axis: int, zi: Array) -> Array:
    """Return what comes after the last output: products of the last samples, and of the state."""
    n, after, ndim = x.shape[axis], w.size - 1, x.ndim
    shape = list(x.shape)
    shape[axis] = after
    if after == 0:
        return np.zeros(shape, w.dtype)
    seen = min(n, after)
    zf = convolved(
        x[along(axis, ndim, n - seen, None)], w, axis, (after - seen, after), dtype=w.dtype
    )
    if n < after:
        zf[along(axis, ndim, None, after - n)] += zi[along(axis, ndim, n, None)]
    return zf


def _bank(w: Array, x: Array, axis: int, zi: Array | None) -> Array | tuple[Array, Array]:
    """Return the samples of each line, filtered by its own weights."""
    n, after = x.shape[axis], w.shape[-1] - 1
    seen = min(n, after)
    y = bank_part(w, x, axis, 0, n)
    if zi is None:
        return y
    index = along(axis, x.ndim, None, seen)
    y[index] += zi[index]
    zf = bank_part(w, x[along(axis, x.ndim, n - seen, None)], axis, seen, after)
    if n < after:
        zf[along(axis, x.ndim, None, after - n)] += zi[along(axis, x.ndim, n, None)]
    return y, zf


def side_by_side(w: Array) -> bool:
    """Return whether one loop sums the lines of a bank of filters side by side."""
    return w.dtype.kind == "f" and w.shape[-1] <= MOST_OF_A_BANK


def bank_part(w: Array, x: Array, axis: int, start: int, count: int) -> Array:
    """Return so many outputs of the full convolutions of lines, from one of them on."""
    shape = [*x.shape[:axis], *x.shape[axis + 1 :]]
    if count == 0:
        return np.zeros([*x.shape[:axis], 0, *x.shape[axis + 1 :]], w.dtype)
    filters = w.reshape(-1, w.shape[-1])
    own = np.broadcast_to(np.arange(len(filters)).reshape(w.shape[:-1]), shape).ravel()
    if side_by_side(w):
        return filtered_each(x, filters, own, axis, start, count)
    y = np.empty([*x.shape[:axis], count, *x.shape[axis + 1 :]], w.dtype)
    lines, outputs = (np.moveaxis(v, axis, -1) for v in (x, y))
    pads = w.shape[-1] - 1 - start, start + count - x.shape[axis]
    for at, filter_of in zip(np.ndindex(lines.shape[:-1]), own, strict=True):
        convolved(lines[at], filters[filter_of], 0, pads, dtype=w.dtype, out=outputs[at])
    return y


def lfiltic(
    b: npt.ArrayLike, a: npt.ArrayLike, y: npt.ArrayLike, x: npt.ArrayLike | None = None
) -> Array:
    """Return the state of a filter, for `lfilter`, from its last samples and outputs.

    Parameters
    ----------
    b, a : array_like
        The filter, as for `lfilter`.
    y : array_like
        The last outputs, the newest first.
    x : array_like, optional
        The last samples, the newest first; by default zeros.

    Returns
    -------
    ndarray
        The state, of ``max(len(a), len(b)) - 1`` entries.

    Raises
    ------
    ValueError
        For coefficients that are not allowed.

    See Also
    --------
    scipy.signal.lfiltic : the function that computes it.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.lfiltic([1.0, -1.0], 1.0, [], [4.0])
    array([-4.])
    """
    return _scipy_lfiltic(b, a, y, x)


def lfilter_zi(b: npt.ArrayLike, a: npt.ArrayLike) -> Array:
    """Return the state of a filter, for `lfilter`, that has read ones for ever.

    Parameters
    ----------
    b, a : array_like
        The filter, as for `lfilter`.

    Returns
    -------
    ndarray
        The state, of ``max(len(a), len(b)) - 1`` entries.

    Raises
    ------
    ValueError
        For coefficients that are not allowed.

    See Also
    --------
    scipy.signal.lfilter_zi : the function that computes it.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.lfilter_zi([0.5, 0.25, 0.25], 1.0)
    array([0.5 , 0.25])
    """
    return _scipy_lfilter_zi(b, a)


def filtfilt(
    b: npt.ArrayLike,
    a: npt.ArrayLike,
    x: npt.ArrayLike,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Array:
    """Filter along an axis forwards and backwards, so that nothing is delayed.

    Parameters
    ----------
    b, a : array_like
        The filter, as for `lfilter`; with one coefficient in `a` it is summed here, others are
        SciPy's.
    x : array_like
        The samples.
    axis : int, optional
        The axis that is filtered.
    padtype : {'odd', 'even', 'constant', None}, optional
        By what `x` is longer at both ends while it is filtered: its mirror image about the point
        at the end, its mirror image, or the sample at the end.
    padlen : int, optional
        By how many samples; three times the length of the filter by default.
    method : {'pad', 'gust'}, optional
        What is done about the ends; ``'gust'``, Gustafsson's method, is SciPy's.
    irlen : int, optional
        The length of the impulse response for ``method='gust'``.

    Returns
    -------
    ndarray
        The filtered samples, of the shape of `x`.

    Raises
    ------
    ValueError
        For words that are unknown, and axes that are no longer than `padlen`.

    See Also
    --------
    scipy.signal.filtfilt : the same signature, with every parameter at length.

    Notes
    -----
    Each direction is summed as `lfilter` sums it.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.filtfilt([0.5, 0.5], 1.0, [0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    array([0., 1., 2., 1., 0., 0., 0., 0.])
    """
    if type(x) is not np.ndarray and is_planned(x):
        names = "b", "a", "axis", "padtype", "padlen", "method", "irlen"
        given = b, a, axis, padtype, padlen, method, irlen
        return in_pieces("line", filtfilt, x, names, given)
    weights, divisors, samples = np.atleast_1d(b), np.atleast_1d(a), np.asarray(x)
    edge = edge_of(weights, samples, axis, padtype, padlen, method)
    w = None if edge is None else both_ways(weights, divisors, samples)
    if edge is None or w is None:
        return _scipy_filtfilt(b, a, x, axis, padtype, padlen, method, irlen)
    axis = operator.index(axis) % samples.ndim
    # Beyond the reach of the filter nothing of what is put beside the samples is read.
    beside = min(edge, w.size - 1)
    longer = made_longer(samples, axis, beside, padtype)
    rest = w.size - 1 - beside
    forward = convolved(longer, w, axis, (rest, 0), dtype=w.dtype, boundary="nearest")
    turned = w.conj() if w.dtype.kind == "c" else w
    return convolved(
        forward, turned, axis, (0, rest), dtype=w.dtype, boundary="nearest", flip=False
    )


def edge_of(
    b: Array, x: Array, axis: object, padtype: object, padlen: object, method: object
) -> int | None:
    """Return by how many samples an array is longer at both ends; None for calls of SciPy's."""
    if method != "pad" or padtype not in ("odd", "even", "constant", None):
        return None
    if not is_axis(axis, x.ndim) or b.ndim != 1 or b.size < 2:
        return None
    if padtype is None:
        edge = 0
    elif padlen is None:
        edge = 3 * b.size
    elif isinstance(padlen, int | np.integer) and not isinstance(padlen, bool):
        edge = int(padlen)
    else:
        return None
    return edge if 0 <= edge < x.shape[operator.index(axis)] else None  # type: ignore[arg-type]


def both_ways(b: Array, a: Array, x: Array) -> Array | None:
    """Return the weights of a filter without feedback; None for those of SciPy's."""
    if a.shape != (1,) or not taken(b, x) or any(v.dtype.kind not in "iufc" for v in (b, a, x)):
        return None
    # SciPy's states, by which it multiplies samples, are floats.
    dtype = np.result_type(b, a, x)
    if dtype.kind in "iu":
        dtype = np.dtype(np.float64)
    if dtype.char not in FLOATS or 0 in b.shape:
        return None
    return _divided(b, a, dtype)


def made_longer(x: Array, axis: int, by: int, padtype: str | None) -> Array:
    """Return an array with so many samples more at both ends."""
    if by == 0:
        return x
    n, ndim = x.shape[axis], x.ndim
    first, last = x[along(axis, ndim, 0, 1)], x[along(axis, ndim, n - 1, None)]
    shape = list(x.shape)
    shape[axis] = n + 2 * by
    y = np.empty(shape, x.dtype)
    y[along(axis, ndim, by, by + n)] = x
    before, after = y[along(axis, ndim, 0, by)], y[along(axis, ndim, by + n, None)]
    if padtype == "constant":
        before[...], after[...] = first, last
        return y
    mirrored = x[along(axis, ndim, by, 0, -1)], x[along(axis, ndim, n - 1 - by, n - 1)]
    mirrored = mirrored[0], mirrored[1][along(axis, ndim, None, None, -1)]
    if padtype == "even":
        before[...], after[...] = mirrored
    else:
        before[...], after[...] = 2 * first - mirrored[0], 2 * last - mirrored[1]
    return y
