"""convolve and correlate of `scipy.signal`, and what helps to call them."""

from __future__ import annotations

import timeit

import numpy as np
import numpy.typing as npt
import scipy.signal

from pyconv._engine.planning import plan_for
from pyconv._engine.problem import MAX_SPATIAL
from pyconv.signal._extents import (
    MODES,
    Array,
    Kept,
    Part,
    call_of,
    convolve_parts,
    exchanged,
    known,
    part_of,
    run_of,
    solved,
    swapped,
    taken,
)

#: SciPy's methods, with the error that each grants: that of a plain sum, or of a transform.
GRANTED: dict[str, float | None] = {"auto": None, "direct": 0.0, "fft": None}
#: SciPy's own functions, whatever is put in their place later.
_scipy_convolve, _scipy_correlate = scipy.signal.convolve, scipy.signal.correlate
_scipy_choose = scipy.signal.choose_conv_method


def convolve(
    in1: npt.ArrayLike, in2: npt.ArrayLike, mode: str = "full", method: str = "auto"
) -> Array:
    r"""Convolve two arrays.

    .. math:: y[i] = \sum_u x[u] \; w[i - u]

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of as many dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    method : {'auto', 'direct', 'fft'}, optional
        ``direct`` sums plainly; the others also grant the error of a Fourier transform, and the
        fastest algorithm runs.

    Returns
    -------
    ndarray
        The convolution, of the dtype ``np.result_type(in1, in2)``.

    Raises
    ------
    ValueError
        For dimensions, modes and methods that are not allowed.

    See Also
    --------
    scipy.signal.convolve : the same signature, with every parameter at length.

    Notes
    -----
    Integers are summed exactly and wrap. Arrays that are empty, boolean or of a dtype that pyconv
    has not (object, longdouble) are passed on to SciPy.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.convolve([1, 2, 3], [0, 1, 2])
    array([0, 1, 4, 7, 6])
    """
    return solved(_convolve, in1, in2, mode, method)


def _convolve(volume: Array, kernel: Array, mode: str, method: str) -> tuple[Array, Kept | None]:
    if volume.ndim == kernel.ndim == 0:
        return volume * kernel, None
    if volume.ndim != kernel.ndim:
        raise ValueError("volume and kernel should have the same dimensionality")
    check(mode, method)
    if not taken(volume, kernel):
        return _scipy_convolve(volume, kernel, mode, method), None
    return _convolved(volume, kernel, mode, method)


def correlate(
    in1: npt.ArrayLike, in2: npt.ArrayLike, mode: str = "full", method: str = "auto"
) -> Array:
    r"""Correlate two arrays.

    .. math:: y[k] = \sum_i x[i] \; \overline{w[i - k]}

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of as many dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    method : {'auto', 'direct', 'fft'}, optional
        ``direct`` sums plainly; the others also grant the error of a Fourier transform, and the
        fastest algorithm runs.

    Returns
    -------
    ndarray
        The correlation, of the dtype ``np.result_type(in1, in2)``.

    Raises
    ------
    ValueError
        For dimensions, modes and methods that are not allowed.

    See Also
    --------
    scipy.signal.correlate : the same signature, with every parameter at length.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.correlate([1, 2, 3], [0, 1, 2])
    array([2, 5, 8, 3, 0])
    """
    return solved(_correlate, in1, in2, mode, method)


def _correlate(first: Array, second: Array, mode: str, method: str) -> tuple[Array, Kept | None]:
    if first.ndim == second.ndim == 0:
        return first * (second.conj() if second.dtype.kind == "c" else second), None
    if first.ndim != second.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    check(mode, method)
    if not taken(first, second):
        return _scipy_correlate(first, second, mode, method), None
    y, run = _convolved(first, turned(second), mode, method)
    return y, None if run is None else lambda x, w: run(x, turned(w))


def turned(w: Array) -> Array:
    """Return the kernel of a convolution that is the correlation with ``w``."""
    turned = w[(slice(None, None, -1),) * w.ndim]
    return turned.conj() if turned.dtype.kind == "c" else turned


def check(mode: object, method: object) -> None:
    known(mode)
    if method not in GRANTED:
        raise ValueError(f"Acceptable method flags are 'auto', 'direct', or 'fft', not {method!r}")


def _convolved(volume: Array, kernel: Array, mode: str, method: str) -> tuple[Array, Kept | None]:
    """Return a convolution; in ``valid`` mode either array may be the larger one.

    SciPy chooses a method by the data where integers are multiplied by floats.
    """
    granted = GRANTED["direct" if sums_plainly(volume, kernel, mode, method) else method]
    x, w, axes, parts = arranged(volume, kernel, mode)
    y = convolve_parts(x, w, axes, parts, granted)
    if method == "auto" and (volume.dtype.kind in "fc") != (kernel.dtype.kind in "fc"):
        return y, None
    run = run_of(x, w, axes, parts, granted)
    return y, run if x is volume else exchanged(run)


def sums_plainly(volume: Array, kernel: Array, mode: str, method: str) -> bool:
    """Return whether SciPy would sum this call plainly: no transform is then granted."""
    if method != "auto" or np.result_type(volume, kernel).kind not in "fc":
        return False
    try:
        return bool(_scipy_choose(volume, kernel, mode) == "direct")
    except (ValueError, OverflowError):  # SciPy makes whole numbers of NaN and infinity
        return False


def arranged(
    volume: Array, kernel: Array, mode: str
) -> tuple[Array, Array, list[int], list[Part]]:
    """Return the larger array, the smaller one, its axes, and which outputs exist along them."""
    swapped(mode, volume.shape, kernel.shape, range(volume.ndim))
    parts = [part_of(mode, n, k) for n, k in zip(volume.shape, kernel.shape, strict=True)]
    if kernel.size > volume.size:
        volume, kernel = kernel, volume
    axes = [
        a for a in range(volume.ndim) if kernel.shape[a] > 1 or parts[a].length != volume.shape[a]
    ] or [volume.ndim - 1]
    return volume, kernel, axes, [parts[a] for a in axes]


def choose_conv_method(
    in1: npt.ArrayLike, in2: npt.ArrayLike, mode: str = "full", measure: bool = False
) -> str | tuple[str, dict[str, float]]:
    """Say whether `convolve` would sum plainly or transform.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of as many dimensions.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.
    measure : bool, optional
        Time both methods instead of predicting.

    Returns
    -------
    str or (str, dict)
        ``'direct'`` or ``'fft'``; with `measure` also the seconds of each.

    Raises
    ------
    ValueError
        For modes that are not allowed.

    See Also
    --------
    scipy.signal.choose_conv_method : the same signature, with every parameter at length.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import signal
    >>> signal.choose_conv_method(np.ones(100), np.ones(3))
    'direct'
    """
    volume, kernel = np.asarray(in1), np.asarray(in2)
    if measure:
        times = {m: _seconds(volume, kernel, mode, m) for m in ("fft", "direct")}
        return min(times, key=lambda m: times[m]), times
    if not taken(volume, kernel) or volume.ndim != kernel.ndim:
        return _scipy_choose(volume, kernel, mode)
    known(mode)
    if sums_plainly(volume, kernel, mode, "auto"):
        return "direct"
    volume, kernel, axes, parts = arranged(volume, kernel, mode)
    if np.result_type(volume, kernel).kind not in "fc" or not 0 < len(axes) <= MAX_SPATIAL:
        return "direct"
    weights, options = call_of(volume, kernel, axes, parts)
    plan = plan_for(volume, weights, flip=True, **options)
    return "fft" if plan.algorithm.name == "fft" else "direct"


def _seconds(volume: Array, kernel: Array, mode: str, method: str) -> float:
    """Return the seconds of a call, the least of three means."""
    timer = timeit.Timer(lambda: convolve(volume, kernel, mode, method))
    number, _ = timer.autorange()
    return min(timer.repeat(3, number)) / number


def correlation_lags(in1_len: int, in2_len: int, mode: str = "full") -> Array:
    """Return by how many samples `correlate` has moved `in2` in each output.

    Parameters
    ----------
    in1_len, in2_len : int
        Lengths of the arrays.
    mode : {'full', 'valid', 'same'}, optional
        Which outputs exist: all, those that read no zero outside, or the middle ones, as many as
        `in1` has.

    Returns
    -------
    ndarray
        The lags, one for each output.

    Raises
    ------
    ValueError
        For modes that are not allowed.

    See Also
    --------
    scipy.signal.correlation_lags : the same signature, with every parameter at length.

    Examples
    --------
    >>> from pyconv import signal
    >>> signal.correlation_lags(3, 2)
    array([-1,  0,  1,  2])
    """
    if mode not in MODES:
        raise ValueError(f"Mode {mode} is invalid")
    lags = np.arange(1 - in2_len, in1_len)
    if mode == "full":
        return lags
    if mode == "valid":
        return np.arange(min(0, in1_len - in2_len), max(0, in1_len - in2_len) + 1)
    first = len(lags) // 2 - in1_len // 2
    return lags[first : first + in1_len]
